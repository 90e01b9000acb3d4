#!/usr/bin/env bash
# Checks everything on this server, one line each; exit 1 when anything is wrong. Needs docker and curl, nothing else.
#   scripts/health-check.sh                                     production
#   COMPOSE_FILE=deploy/compose.trial.yml scripts/health-check.sh   the trial system
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1

PRIVATE_ADDRESS=${PRIVATE_ADDRESS:-$(sed -n 's/^PRIVATE_ADDRESS=//p' .env 2>/dev/null)}
PRIVATE_ADDRESS=${PRIVATE_ADDRESS:-10.1.0.5}
WORKERS=(generator-worker-1 generator-worker-2)
LEAST_DISK=${LEAST_DISK:-10}     # percent free
LEAST_MEMORY=${LEAST_MEMORY:-10} # percent available

case ${1:-} in
  '') ;;
  -h | --help) sed -n '2,4s/^# //p' "$0"; exit 0 ;;
  *) printf 'health-check.sh: unknown argument %s (--help)\n' "$1" >&2; exit 2 ;;
esac

green='' red='' yellow='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then green=$'\e[32m' red=$'\e[31m' yellow=$'\e[33m' plain=$'\e[0m'; fi
wrong=0
ok() { printf '%sok  %s %-28s %s\n' "$green" "$plain" "$1" "$2"; }
look() { printf '%slook%s %-28s %s\n' "$yellow" "$plain" "$1" "$2"; }
bad() { printf '%sbad %s %-28s %s\n' "$red" "$plain" "$1" "$2"; wrong=1; }
in_worker() { timeout 15 docker compose exec -T "$asked" model-generator "$@" 2>&1; }

# containers
asked=''
for worker in "${WORKERS[@]}"; do
  id=$(timeout 10 docker compose ps -q "$worker" 2>/dev/null | head -1)
  if [[ -z $id ]]; then
    bad "container $worker" "is not running: docker compose up -d $worker"
    continue
  fi
  state=$(docker inspect --format '{{.State.Status}} {{with .State.Health}}{{.Status}}{{end}}' "$id" 2>/dev/null)
  since=$(docker inspect --format '{{.State.StartedAt}}, restarted {{.RestartCount}} times' "$id" 2>/dev/null)
  case $state in
    'running healthy') ok "container $worker" "healthy since $since"; asked=$worker ;;
    'running starting') look "container $worker" "is starting"; asked=${asked:-$worker} ;;
    running*) bad "container $worker" "$state: docker compose logs --tail 50 $worker"; asked=${asked:-$worker} ;;
    *) bad "container $worker" "${state:-unknown}: docker compose up -d $worker" ;;
  esac
done

# Celery ping for the workers; health for Redis, PostgreSQL, fal, the queue and the workers
if [[ -z $asked ]]; then
  for what in 'celery ping' Redis PostgreSQL; do bad "$what" 'not known: no worker runs to ask it from'; done
else
  # Both at once: each takes seconds when nothing answers.
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  in_worker health >"$work/health" &
  asking=$!
  if answer=$(in_worker inspect ping); then
    for worker in "${WORKERS[@]}"; do
      if grep -q "celery@$worker: .*OK" <<<"$answer"; then ok "celery ping $worker" pong; else bad "celery ping $worker" 'no answer: is it running and connected?'; fi
    done
  else
    bad 'celery ping' "${answer##*$'\n'}"
  fi
  wait "$asking"
  healthy=$?
  rows=$(<"$work/health")
  found=0
  while IFS= read -r row; do
    if [[ $row =~ ^(ok|look|bad)\ +(.*)$ ]]; then
      found=1
      state=${BASH_REMATCH[1]} rest=${BASH_REMATCH[2]}
      what=${rest%%  *} says=${rest#*  }
      "$state" "$what" "${says#"${says%%[! ]*}"}"
    elif [[ $row =~ →\ (.*)$ ]]; then
      printf '     %-28s → %s\n' '' "${BASH_REMATCH[1]}"
    fi
  done <<<"$rows"
  if ((!found)); then bad health "${rows##*$'\n'}"; elif ((healthy != 0)); then wrong=1; fi
fi

# node-exporter
if [[ -n $(timeout 10 docker compose ps -q --status running node-exporter 2>/dev/null) ]]; then
  if [[ ${COMPOSE_FILE:-} == *trial* ]] || curl -fsS --max-time 5 -o /dev/null "http://$PRIVATE_ADDRESS:9100/metrics" 2>/dev/null; then
    ok node-exporter running
  else
    bad node-exporter "runs, and does not answer on $PRIVATE_ADDRESS:9100: ip address show enp7s0"
  fi
else
  bad node-exporter 'is not running: docker compose up -d node-exporter'
fi

# disk and memory
free=$((100 - $(df --output=pcent / | tail -1 | tr -dc 0-9)))
if ((free >= LEAST_DISK)); then ok disk "$free % free"; else bad disk "only $free % free: docker system prune, journalctl --vacuum-size=200M"; fi
available=$(awk '/^MemTotal/ { total = $2 } /^MemAvailable/ { print int($2 * 100 / total) }' /proc/meminfo)
if ((available >= LEAST_MEMORY)); then ok memory "$available % available"; else bad memory "only $available % available: docker stats"; fi

exit "$wrong"
