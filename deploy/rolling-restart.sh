#!/usr/bin/env bash
# Replaces one worker after the other: the second only when the first is healthy again, so that the queue is always served.
# Takes a new .env, a new docker-compose.yml and a new image. Fails, and leaves the second worker alone, if the first does not
# become healthy. `systemctl reload model-generator` runs it. A container takes its log with it, so that of each one that is replaced
# is kept in LOG_ARCHIVE, the last ten of a worker: zcat /var/log/model-generator/generator-worker-1-*.log.gz
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PATIENCE=180 # seconds: 120 to finish what it holds, and a start
readonly LOG_ARCHIVE=${LOG_ARCHIVE:-/var/log/model-generator} KEPT=10

# The worker ends first, so that its last words are in the log.
keep_log() { # keep_log WORKER
  local container file old
  container=$(docker compose ps -aq "$1" | head -1)
  [[ -n $container ]] || return 0
  docker compose stop "$1"
  mkdir -p "$LOG_ARCHIVE" && chmod 700 "$LOG_ARCHIVE" || return
  file=$LOG_ARCHIVE/$1-$(date -u +%Y%m%dT%H%M%SZ).log.gz
  docker logs "$container" 2>&1 | gzip >"$file" || return
  printf 'rolling restart: the log of the old %s is in %s\n' "$1" "$file"
  # shellcheck disable=SC2012 # the names are our own
  ls -t "$LOG_ARCHIVE/$1"-*.log.gz | tail -n "+$((KEPT + 1))" | while read -r old; do rm -f "$old"; done
}

for worker in generator-worker-1 generator-worker-2; do
  began=$SECONDS
  printf 'rolling restart: %s ...\n' "$worker"
  keep_log "$worker" || printf 'rolling restart: the log of the old %s could not be kept in %s\n' "$worker" "$LOG_ARCHIVE" >&2
  if ! docker compose up -d --no-deps --no-build --force-recreate --wait --wait-timeout "$PATIENCE" "$worker"; then
    docker compose logs --no-log-prefix --tail 20 "$worker" >&2 || true
    docker inspect --format '{{range .State.Health.Log}}{{.Output}}{{end}}' "$worker" 2>/dev/null | tail -1 >&2 || true
    printf 'rolling restart: %s is not healthy; the other workers were left as they are. Its last words are above.\n' "$worker" >&2
    exit 1
  fi
  printf 'rolling restart: %s is healthy after %d s\n' "$worker" "$((SECONDS - began))"
done
