#!/usr/bin/env bash
# `npm run check:deploy` checks everything an operator relies on with the tools made for it. A tool that is not installed is named
# and skipped; with CI=true a skip is a failure, except for Docker, which CI does not have. To install all on Debian or Ubuntu:
#   apt-get install shellcheck systemd netplan.io prometheus docker.io docker-compose-v2
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0 skipped=0 left_out=0
check() { # check NAME COMMAND...: its output is shown only when it fails
  local name=$1
  shift
  if "$@" >"$work/out" 2>&1; then
    printf 'ok    %s\n' "$name"
  else
    printf 'FAIL  %s\n' "$name"
    sed 's/^/      /' "$work/out"
    failed=$((failed + 1))
  fi
}
needs() { # needs COMMAND WHAT
  if command -v "$1" >/dev/null 2>&1; then return 0; fi
  printf 'skip  %s (%s is not installed)\n' "$2" "$1"
  skipped=$((skipped + 1))
  return 1
}

if needs shellcheck 'shell scripts'; then
  mapfile -t scripts < <(git ls-files --cached --others --exclude-standard 'scripts/*.sh' 'deploy/*.sh' '.ci/*' | while read -r file; do
    if [[ -e $file ]] && head -1 "$file" | grep -q 'sh$\|shell=bash'; then printf '%s\n' "$file"; fi
  done)
  check "shellcheck: ${#scripts[@]} scripts" shellcheck -x "${scripts[@]}"
fi

verify_unit() { # the unit as it is; only the path of docker is this machine's
  sed "s#/usr/bin/docker#$(command -v docker || echo /bin/true)#" deploy/model-generator.service >"$work/model-generator.service"
  printf '[Service]\nExecStart=/bin/true\n' >"$work/docker.service"
  SYSTEMD_UNIT_PATH="$work:" systemd-analyze verify "$work/model-generator.service" >"$work/verify" 2>&1
  local code=$?
  cat "$work/verify"
  # A warning about our unit is a failure even when the exit code is 0.
  ((code == 0)) && ! grep -q 'model-generator' "$work/verify"
}
if needs systemd-analyze 'systemd unit'; then check 'systemd-analyze verify: model-generator.service' verify_unit; fi

netplan_generate() {
  install -D -m 600 deploy/netplan-private.yaml "$work/root/etc/netplan/60-private.yaml"
  netplan generate --root-dir "$work/root" && grep -rqx 'Gateway=10.1.0.1' "$work/root/run/systemd/network"
}
if needs netplan 'private network'; then check 'netplan generate: netplan-private.yaml' netplan_generate; fi

trial_prometheus() { # with the rules where the container has them
  mkdir -p "$work/prometheus" && cp deploy/prometheus/rules.yml "$work/prometheus/"
  sed "s#/etc/prometheus/#$work/prometheus/#" deploy/trial/prometheus.yml >"$work/prometheus/prometheus.yml"
  promtool check config "$work/prometheus/prometheus.yml"
}
if needs promtool 'Prometheus files'; then
  check 'promtool check rules: rules.yml' promtool check rules deploy/prometheus/rules.yml
  check 'promtool test rules: rules.test.yml' promtool test rules deploy/prometheus/rules.test.yml
  check 'promtool check config: scrape.yml' promtool check config --syntax-only deploy/prometheus/scrape.yml
  check 'promtool check config: kubernetes/scrape.yml' promtool check config --syntax-only deploy/kubernetes/scrape.yml
  check 'promtool check config: trial/prometheus.yml' trial_prometheus
  dashboard() { node test/deploy/expressions.ts >"$work/dashboard.yml" && promtool check rules "$work/dashboard.yml"; }
  check 'promtool check rules: every expression of the dashboard' dashboard
  metrics() { node test/deploy/exposition.ts | promtool check metrics; }
  check 'promtool check metrics: every metric there is' metrics
fi

compose_config() {
  # .env is the server's own, so the example stands in for it.
  cp docker-compose.yml "$work/" && cp .env.example "$work/.env"
  docker compose --project-directory "$work" -f "$work/docker-compose.yml" config --quiet
}
if docker compose version >/dev/null 2>&1; then
  check 'docker compose config: docker-compose.yml' compose_config
  check 'docker compose config: compose.trial.yml' docker compose -f deploy/compose.trial.yml config --quiet
else
  printf 'left out  docker compose config: both compose files (docker compose is not installed)\n'
  left_out=1
fi

json() { for file in deploy/daemon.json deploy/grafana/*.json; do node -e 'JSON.parse(require("node:fs").readFileSync(process.argv[1]))' "$file" || return 1; done; }
check 'JSON: daemon.json, dashboard' json

printf '%d failed, %d skipped, %d left out because Docker is missing\n' "$failed" "$skipped" "$left_out"
if ((failed > 0)) || { [[ ${CI:-} == true ]] && ((skipped > 0)); }; then exit 1; fi
