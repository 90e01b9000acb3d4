#!/usr/bin/env bash
# Makes a bare Ubuntu 24.04 (or Debian 13) run model-generator. Run as root, as often as you like: what is done is left alone.
#
#   deploy/setup-server.sh                        from a checkout or an unpacked archive: this one
#   deploy/setup-server.sh --archive FILE.tar.gz  from an archive
#     --no-build      the image is there already (docker load, docker pull)
#     --no-firewall   leave the firewall alone
#     --no-network    leave netplan alone
#
# Exit: 0 the service is active and healthy; 1 it is not, and the last lines say why; 2 wrong use.
set -euo pipefail

readonly TARGET=/opt/unde/model-generator OWNER=model-generator OWNER_ID=10001
readonly NEEDED=(FAL_KEY CELERY_BROKER_URL CELERY_RESULT_BACKEND DATABASE_URL)
archive='' build=1 firewall=1 network=1

step() { printf '== %s\n' "$*"; }
note() { printf '   %s\n' "$*"; }
die() { printf 'setup-server.sh: %s\n' "$*" >&2; exit 1; }

while (($#)); do
  case $1 in
    --archive) archive=${2:?setup-server.sh: --archive needs a file}; shift ;;
    --no-build) build=0 ;;
    --no-firewall) firewall=0 ;;
    --no-network) network=0 ;;
    -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) printf 'setup-server.sh: unknown argument %s (--help)\n' "$1" >&2; exit 2 ;;
  esac
  shift
done
[[ $(id -u) == 0 ]] || die 'run me as root'
command -v apt-get >/dev/null || die 'no apt-get: this needs Ubuntu 24.04 or Debian'
[[ -d /run/systemd/system ]] || die 'systemd does not run here'

export DEBIAN_FRONTEND=noninteractive
updated=0
install() {
  ((updated)) || { apt-get update -qq; updated=1; }
  apt-get install -y -qq --no-install-recommends "$@" >/dev/null || die "cannot install $*: see above"
}
available() { apt-cache show "$1" >/dev/null 2>&1; }

step 'packages'
((updated)) || { apt-get update -qq; updated=1; }
wanted=()
command -v docker >/dev/null || wanted+=(docker.io)
if ! docker compose version >/dev/null 2>&1; then
  # Ubuntu's name, then Debian's.
  if available docker-compose-v2; then wanted+=(docker-compose-v2); else wanted+=(docker-compose); fi
fi
if ((build)) && ! docker buildx version >/dev/null 2>&1 && available docker-buildx; then wanted+=(docker-buildx); fi
if ! command -v docker >/dev/null && available docker-cli; then wanted+=(docker-cli); fi
command -v curl >/dev/null || wanted+=(curl ca-certificates)
command -v ip >/dev/null || wanted+=(iproute2)
if ((firewall)) && ! command -v ufw >/dev/null; then wanted+=(ufw); fi
if ((${#wanted[@]})); then note "installing ${wanted[*]}"; install "${wanted[@]}"; else note 'all there'; fi
docker compose version >/dev/null 2>&1 || die 'docker compose (version 2) is missing and could not be installed'

step 'user and folders'
# The containers run under this number; with a name on the host it belongs to nobody else.
if ! getent passwd "$OWNER" >/dev/null; then
  groupadd --gid "$OWNER_ID" "$OWNER"
  useradd --uid "$OWNER_ID" --gid "$OWNER_ID" --home-dir "$TARGET" --no-create-home --shell /usr/sbin/nologin "$OWNER"
fi
mkdir -p "$TARGET"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [[ -n $archive ]]; then
  [[ -r $archive ]] || die "$archive cannot be read"
  tar -xf "$archive" -C "$work" || die "$archive is no archive tar can read"
  compose=$(find "$work" -maxdepth 2 -name docker-compose.yml -print -quit)
  [[ -n $compose ]] || die "$archive holds no docker-compose.yml: is it model-generator's?"
  source=$(dirname "$compose")
else
  source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
fi
if [[ $source != "$TARGET" ]]; then
  note "from $source"
  # What was taken out of the project must not stay behind; .env is the server's own.
  rm -rf "${TARGET:?}/src" "$TARGET/deploy" "$TARGET/scripts"
  tar -C "$source" --exclude=./.git --exclude=./node_modules --exclude=./.venv --exclude=./dist --exclude=./.env -cf - . |
    tar -C "$TARGET" --no-same-owner -xf -
fi
cd "$TARGET"
chown -R root:root "$TARGET"
chmod -R go-w "$TARGET"

step 'settings'
if [[ ! -e .env ]]; then
  (umask 077 && cp .env.example .env)
  note "$TARGET/.env is new, from .env.example"
fi
chown root:root .env
mode=$(stat -c %a .env)
if [[ ${mode: -2} != 00 ]]; then chmod 600 .env; note ".env had mode $mode and others could read it: now 600"; fi
setting() { sed -n "s/^[[:space:]]*\(export[[:space:]]\+\)\?$1[[:space:]]*=[[:space:]]*//p" .env | tail -1 | sed "s/[[:space:]]*$//; s/^'\(.*\)'$/\1/; s/^\"\(.*\)\"$/\1/"; }
missing=()
for name in "${NEEDED[@]}"; do [[ -n $(setting "$name") ]] || missing+=("$name is not set"); done
database=$(setting DATABASE_URL)
if [[ $database == *USER:PASSWORD* || $database == */DATABASE ]]; then missing+=('DATABASE_URL still has the words of the example in it'); fi
for name in CELERY_BROKER_URL CELERY_RESULT_BACKEND; do
  url=$(setting "$name")
  if [[ -n $url && $url != *://*@* && -z $(setting REDIS_PASSWORD) ]]; then missing+=("REDIS_PASSWORD is not set, and $name has no password"); fi
done
if ((${#missing[@]})); then
  printf 'setup-server.sh: %s/.env is not filled in:\n' "$TARGET" >&2
  printf '  %s\n' "${missing[@]}" >&2
  printf 'fill it in (.env.example explains every setting) and run this again\n' >&2
  exit 1
fi
private=$(setting PRIVATE_ADDRESS)
private=${private:-10.1.0.5}

if ((network)) && command -v netplan >/dev/null; then
  step 'private network'
  if [[ ! -e /sys/class/net/enp7s0 ]]; then
    note 'no interface enp7s0 here: left alone'
  elif cmp -s deploy/netplan-private.yaml /etc/netplan/60-private.yaml; then
    note 'as it should be'
  else
    command install -m 600 deploy/netplan-private.yaml /etc/netplan/60-private.yaml
    netplan generate && netplan apply
    note 'applied'
  fi
fi
# Read to its end, here and below: a reader that leaves early ends the writer with an error.
ip -o address show 2>/dev/null | grep -F " $private/" >/dev/null ||
  die "no interface of this machine has the address $private, on which ports are published (PRIVATE_ADDRESS in .env; ip address)"

if ((firewall)); then
  step 'firewall'
  ufw default deny incoming >/dev/null
  ufw default allow outgoing >/dev/null
  ufw allow 22/tcp >/dev/null
  ufw allow proto tcp to "$private" port 9100:9102 >/dev/null
  ufw --force enable >/dev/null || die 'ufw does not start (--no-firewall leaves it out)'
  note "open: 22 everywhere, 9100 to 9102 on $private"
fi

step 'Docker'
if [[ ! -e /etc/docker/daemon.json ]]; then
  command install -D -m 644 deploy/daemon.json /etc/docker/daemon.json
  systemctl restart docker
  note 'logs are limited to 5 x 10 MB a container'
elif ! cmp -s deploy/daemon.json /etc/docker/daemon.json; then
  note '/etc/docker/daemon.json is not ours: left alone (our own containers limit their logs anyway)'
fi
systemctl enable --now docker >/dev/null 2>&1 || die 'docker.service does not start: journalctl -u docker'

step 'image'
if ((build)); then
  docker compose build --quiet || die 'the image does not build: see above'
fi
image=$(docker compose config --images | awk '/^model-generator/ { image = $0 } END { print image }')
docker image inspect "$image" >/dev/null 2>&1 || die "there is no image $image here: leave --no-build out, or docker load it"
note "$image, $(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%d MB", $1 / 1000000 }')"

step 'database'
docker compose run --rm --no-deps -T generator-worker-1 migrate ||
  die 'the database is not ready (above): DATABASE_URL, PgBouncer, and may the user create the table? See deploy/RUNBOOK.md, "The table"'

step 'service'
told_why() { journalctl -u model-generator -n 5 --no-pager -o cat >&2; die "$1; its last words are above"; }
changed=0
if ! cmp -s deploy/model-generator.service /etc/systemd/system/model-generator.service; then
  command install -m 644 deploy/model-generator.service /etc/systemd/system/model-generator.service
  systemctl daemon-reload
  changed=1
fi
systemctl enable model-generator >/dev/null 2>&1
if systemctl is-active --quiet model-generator; then
  note 'runs already: a rolling restart takes what is new'
  systemctl reload model-generator || told_why 'the reload failed'
else
  systemctl start model-generator || told_why 'it does not start'
fi
if ((changed)); then note 'unit installed'; fi

step 'proof'
for worker in generator-worker-1 generator-worker-2; do
  health=starting
  for ((second = 0; second < 90; second++)); do
    health=$(docker inspect --format '{{.State.Status}}/{{.State.Health.Status}}' "$worker" 2>/dev/null || echo gone)
    [[ $health == running/healthy ]] && break
    sleep 1
  done
  [[ $health == running/healthy ]] || {
    docker logs --tail 20 "$worker" >&2
    docker inspect --format '{{range .State.Health.Log}}{{.Output}}{{end}}' "$worker" | tail -1 >&2
    die "$worker is $health; its last words are above"
  }
done
systemctl is-active --quiet model-generator || die 'model-generator.service is not active'
note 'model-generator.service is active'
export PRIVATE_ADDRESS=$private
# A machine that has just built an image may be slow to answer once.
scripts/health-check.sh || { sleep 5; scripts/health-check.sh; } || die 'the service runs, and something is wrong: see above'
