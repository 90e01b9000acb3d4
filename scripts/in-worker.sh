# shellcheck shell=bash
# Sourced by the other scripts: runs model-generator in the container of the first worker that is up. COMPOSE_FILE chooses another
# system.
in_worker() {
  local worker
  local -a terminal=(-T)
  if [[ -t 0 && -t 1 ]]; then terminal=(); fi
  for worker in generator-worker-1 generator-worker-2; do
    if [[ -n $(docker compose ps -q --status running "$worker" 2>/dev/null) ]]; then
      docker compose exec "${terminal[@]}" "$worker" model-generator "$@"
      return
    fi
  done
  printf 'no worker runs: docker compose up -d (then docker compose ps)\n' >&2
  return 1
}
