#!/usr/bin/env bash
# Replaces one worker after the other: the second only when the first is healthy again, so that the queue is always served.
# Takes a new .env, a new docker-compose.yml and a new image. Fails, and leaves the second worker alone, if the first does not
# become healthy. `systemctl reload model-generator` runs it.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly PATIENCE=180 # seconds: 120 to finish what it holds, and a start

for worker in generator-worker-1 generator-worker-2; do
  began=$SECONDS
  printf 'rolling restart: %s ...\n' "$worker"
  if ! docker compose up -d --no-deps --no-build --force-recreate --wait --wait-timeout "$PATIENCE" "$worker"; then
    docker compose logs --no-log-prefix --tail 20 "$worker" >&2 || true
    docker inspect --format '{{range .State.Health.Log}}{{.Output}}{{end}}' "$worker" 2>/dev/null | tail -1 >&2 || true
    printf 'rolling restart: %s is not healthy; the other workers were left as they are. Its last words are above.\n' "$worker" >&2
    exit 1
  fi
  printf 'rolling restart: %s is healthy after %d s\n' "$worker" "$((SECONDS - began))"
done
