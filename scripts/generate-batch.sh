#!/usr/bin/env bash
# A batch of pictures through the running workers: the arguments of `model-generator batch`.
#   scripts/generate-batch.sh --count 5 --dry-run    the plan, the prompts and the cost; enqueues nothing
#   scripts/generate-batch.sh --count 5              makes them
#   scripts/generate-batch.sh --help                 everything it takes
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/in-worker.sh
. scripts/in-worker.sh
in_worker batch "$@"
