#!/usr/bin/env bash
# Rehearses on the trial system what an operator fears, and prints what it measured. Nothing leaves this machine and nothing costs
# money. It takes about five minutes and removes everything at its end.
#   scripts/rehearse.sh            exit 1 when anything was lost, paid twice or not healthy again
#   KEEP=1 scripts/rehearse.sh     leaves the trial system running
#   PYTHON=.venv/celery53/bin/python scripts/rehearse.sh   also the change from Python workers and back (npm test makes that environment)
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
export COMPOSE_FILE=deploy/compose.trial.yml

wrong=0
figure() { printf '%-58s %s\n' "$1" "$2"; }
must() { # must COMPLAINT COMMAND...
  if ! "${@:2}"; then printf 'WRONG: %s\n' "$1" >&2; wrong=1; fi
}
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f s", b - a }'; }
program() { docker compose run --rm -T --no-deps migrate "$@" 2>/dev/null; } # in a container of its own
rows() { docker compose exec -T postgres psql -U generator -d models -tAc 'SELECT count(*) FROM model_library'; }
paid() { curl -fsS http://127.0.0.1:9220/_sim/ledger | grep -o '"requestId"' | wc -l; }
state() { docker inspect --format '{{.State.Health.Status}} {{.RestartCount}}' "$1"; }
# shellcheck disable=SC2317 # must calls it
until_healthy() { # until_healthy CONTAINER, two minutes at most
  local left=240
  until [[ $(state "$1") == healthy* ]]; do sleep 0.5; ((left-- > 0)) || return 1; done
}
batch() { # batch COUNT: starts a batch and returns when its first picture is paid
  program batch --count "$1" --all --json --timeout 300 >"$work/batch.json" &
  sending=$!
  local before
  before=$(paid)
  until (($(paid) > before)); do sleep 0.2; done
}
batch_ended() { # batch_ended WHAT COUNT: waits; all pictures must have come, none paid or saved twice
  wait "$sending"
  must "$1: the batch did not end well" test $? = 0
  expected=$((expected + $2))
  must "$1: $(paid) paid, $(rows) rows, expected $expected" test "$(paid) $(rows)" = "$expected $expected"
  must "$1: something is left" test "$(docker compose exec -T redis redis-cli -n 4 hlen unacked)" = 0
  figure "$1: tasks lost, pictures paid twice, rows twice" '0, 0, 0'
}

work=$(mktemp -d)
expected=0
trap 'rm -rf "$work"; [[ -n ${KEEP:-} ]] || docker compose down -v --timeout 5 >/dev/null 2>&1' EXIT
docker compose down -v --timeout 5 >/dev/null 2>&1

began=$(now)
docker build --no-cache -q -t "model-generator:${MODEL_GENERATOR_VERSION:-latest}" . >/dev/null || exit 1
figure 'the image, built from nothing' "$(since "$began")"
docker compose build -q 2>/dev/null || exit 1
began=$(now)
docker compose up -d --wait >/dev/null 2>&1 || { docker compose ps -a; exit 1; }
figure 'up from nothing until all are healthy (images there)' "$(since "$began")"
for image in "model-generator:${MODEL_GENERATOR_VERSION:-latest}" model-generator-trial-simulator; do
  figure "size of $image" "$(docker image inspect --format '{{.Size}}' "$image" | awk '{ printf "%.0f MB", $1 / 1e6 }')"
done
docker compose ps --format 'table {{.Name}}\t{{.Status}}'

batch 12
pid=$(docker compose exec -T generator-worker-1 ps -o pid,args | awk '/node/ && !/awk/ { print $1; exit }')
began=$(now)
docker compose exec -T generator-worker-1 kill -9 "$pid" || true
sleep 1
must 'the worker did not come back' until_healthy trial-worker-1
figure 'kill -9 of the main process: healthy again after' "$(since "$began"), restarted $(state trial-worker-1 | cut -d' ' -f2) times"
batch_ended 'kill -9' 12

batch 20
began=$(now)
must 'the rolling restart failed' env LOG_ARCHIVE="$work/logs" bash deploy/rolling-restart.sh >"$work/rolling" 2>/dev/null
figure 'rolling restart of both workers under load' "$(since "$began")"
must 'the logs of the old workers are not kept' test "$(find "$work/logs" -name 'generator-worker-?-*.log.gz' -size +0 | wc -l)" = 2
sed 's/^/  /' "$work/rolling"
batch_ended 'rolling restart' 20

for frozen in redis pgbouncer 'redis pgbouncer'; do
  # shellcheck disable=SC2086 # a list of services
  docker compose pause $frozen >/dev/null 2>&1
  began=$(now)
  docker compose exec -T generator-worker-2 model-generator health >"$work/health" 2>&1
  must "health was content with a frozen $frozen" test $? = 1
  figure "health with a frozen $frozen" "$(since "$began")"
  # shellcheck disable=SC2086
  docker compose unpause $frozen >/dev/null 2>&1
done
must 'not healthy again' until_healthy trial-worker-1
must 'not healthy again' until_healthy trial-worker-2

asked=0 empty=()
while IFS= read -r expr; do
  asked=$((asked + 1))
  found=$(curl -fsS --data-urlencode "query=$expr" http://127.0.0.1:9090/api/v1/query | grep -c '"metric"')
  ((found > 0)) || empty+=("$expr")
done < <(sed -n 's/^ *"expr": "\(.*\)",\{0,1\}$/\1/p' deploy/grafana/model-generator.json |
  sed 's/\\"/"/g; s/[$]__rate_interval/1m/g')
figure "the dashboard's expressions Prometheus has data for" "$((asked - ${#empty[@]})) of $asked"
for expr in "${empty[@]}"; do printf '  nothing for: %s\n' "$expr"; done

python_worker() { # a stock worker as the App Server's developers would run it, two seconds a task
  (cd test/interop && SECONDS_A_TASK=2 exec "$PYTHON" -m celery -A app worker -c 1 -n python@%h -l warning >"$work/python" 2>&1) &
  stock=$!
}
changed() { # changed WHAT PAID-BEFORE: all results must have come, and each task that ours ran must have been paid once
  local told
  told=$("$PYTHON" scripts/rehearse_change.py collect "$work/ids")
  must "$1: not all results came" test $? = 0
  must "$1: $told, $(($(paid) - $2)) paid" test "${told#*, }" = "$(($(paid) - $2)) by ours"
  must "$1: something is left" test "$(docker compose exec -T redis redis-cli -n 4 hlen unacked)" = 0
  figure "$1: 30 tasks in flight" "$told"
}
if [[ -n ${PYTHON:-} ]]; then
  PYTHON=$(realpath -s "$PYTHON") # not resolved: the link belongs to its environment
  export BROKER=redis://:trial@127.0.0.1:6379/4 BACKEND=redis://:trial@127.0.0.1:6379/5
  docker compose stop generator-worker-1 generator-worker-2 >/dev/null 2>&1
  before=$(paid)
  python_worker
  "$PYTHON" scripts/rehearse_change.py send "$work/ids"
  sleep 12
  docker compose start generator-worker-1 generator-worker-2 >/dev/null 2>&1
  sleep 6
  kill -TERM "$stock"
  wait "$stock"
  changed 'from Python to ours' "$before"
  before=$(paid)
  "$PYTHON" scripts/rehearse_change.py send "$work/ids"
  sleep 6
  docker compose stop generator-worker-1 generator-worker-2 >/dev/null 2>&1
  python_worker
  changed 'from ours to Python' "$before"
  kill -TERM "$stock"
  wait "$stock"
fi

exit "$wrong"
