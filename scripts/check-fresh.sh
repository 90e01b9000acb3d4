#!/usr/bin/env bash
# Checks that a checkout works on a fresh machine: in containers, as an ordinary user, with the image's own npm or, if it has
# none, the distribution's. In each container: npm ci, the demo, tests, and the bundle with the system's Node. It checks the last
# commit, without uncommitted files.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
  cat <<'TEXT'
scripts/check-fresh.sh [--full] [--if-possible] [IMAGE...]
  --full         all of npm test, some 15 minutes an image; without it a part of it, some 2 minutes an image
  --if-possible  where there is no Docker, or an image cannot be had, say so and go on
The images, unless named: debian:bookworm-slim ubuntu:24.04 node:20-bookworm-slim node:22-bookworm-slim node:24-bookworm-slim
Exit 0 all is well, 1 something failed, 2 wrong use.
TEXT
}

full=0 optional=0 images=()
for argument in "$@"; do
  case "$argument" in
    --full) full=1 ;;
    --if-possible) optional=1 ;;
    -h | --help) usage && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) images+=("$argument") ;;
  esac
done
if [ "${#images[@]}" = 0 ]; then
  images=(debian:bookworm-slim ubuntu:24.04 node:20-bookworm-slim node:22-bookworm-slim node:24-bookworm-slim)
fi
# The short run has these files only: some need servers, which the containers do not have, one starts the bundle, one draws pictures.
tests=()
if [ "$full" = 0 ]; then tests=(test/install test/architecture test/layers/TaskQueue test/fal-simulator test/servers); fi

cannot() {
  printf 'check-fresh: %s\n' "$1" >&2
  if [ "$optional" = 0 ]; then exit 1; fi
}

if ! command -v docker >/dev/null || ! timeout 20 docker info >/dev/null 2>&1; then
  cannot 'Docker is not there or does not answer: nothing was checked'
  exit 0
fi

# Packages are downloaded once for all images.
work=$(mktemp -d)
cache=$(docker volume create)
trap 'docker volume rm --force "$cache" >/dev/null; rm -rf "$work"' EXIT

# In the container, with the checkout as a tar file on standard input.
cat >"$work/inside" <<'INSIDE'
step() { # step NAME SECONDS COMMAND...: prints one line when it succeeds, the end of its output when it fails
  local name=$1 limit=$2 began=$SECONDS code=0
  shift 2
  timeout "$limit" "$@" >"/tmp/$name.log" 2>&1 || code=$?
  if [ "$code" != 0 ]; then
    printf '\n%s: exit %s\n' "$name" "$code" && grep -v EBADENGINE "/tmp/$name.log" | tail -n 60
    exit 1
  fi
  printf ' %s %s s;' "$name" "$((SECONDS - began))"
}
bundle() { # The bundle runs, or says in one line that it needs another Node.
  npm run --silent build >/dev/null
  local said code=0
  said=$(node dist/model-generator.mjs --version 2>&1) || code=$?
  echo "$said"
  case "$(node --version)" in
    v22.*) [ "$code" = 0 ] ;;
    *) [ "$code" = 1 ] && [ "$(wc -l <<<"$said")" = 1 ] && grep -q 'needs Node 22' <<<"$said" ;;
  esac
}
demo() {
  rm -rf demo-output && npm run demo -- --count 2 </dev/null && test -s demo-output/index.html
}
export -f bundle demo
mkdir checkout && tar -xf - -C checkout && cd checkout
printf 'Node %s, npm %s:' "$(node --version)" "$(npm --version)"
step npm-ci 600 npm ci
step demo 120 bash -euc demo
step lint 120 npm run lint
step bundle 120 bash -euc bundle
step tests 3000 npm test -- "$@"
printf ' %s\n' "$(tail -n 1 /tmp/tests.log)"
INSIDE

failed=0
for image in "${images[@]}"; do
  if ! docker image inspect "$image" >/dev/null 2>&1 && ! timeout 300 docker pull --quiet "$image" >/dev/null 2>&1; then
    cannot "$image cannot be had: not checked"
    continue
  fi
  fresh=$(
    timeout 900 docker build --quiet - <<DOCKERFILE
FROM $image
RUN command -v npm || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm git ca-certificates && rm -rf /var/lib/apt/lists/*; }
RUN useradd --uid 4242 --create-home --shell /bin/bash visitor && install -d -o visitor /home/visitor/.npm
USER visitor
WORKDIR /home/visitor
DOCKERFILE
  ) || { cannot "$image: npm cannot be installed in it: not checked"; continue; }
  printf '%s: ' "$image"
  git archive HEAD | timeout 4000 docker run --rm --interactive --init --entrypoint bash \
    --volume "$cache:/home/visitor/.npm" --volume "$work/inside:/inside:ro" "$fresh" -eu /inside "${tests[@]}" || failed=1
done
exit "$failed"
