#!/usr/bin/env bash
# One picture through the whole system, as the App Server would ask for it. It costs one picture.
#   scripts/test-task.sh --no-save    without a row in the library
#   scripts/test-task.sh              saved as the template's next version
# Further arguments go to `model-generator generate` and win over those below (--help shows them).
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/in-worker.sh
. scripts/in-worker.sh

given=" $* "
asked=()
add() { if [[ $given != *" $1 "* && $given != *" $1="* ]]; then asked+=("$1" "$2"); fi; }
if [[ $given != *' --help '* ]]; then
  add --gender female
  add --age-range 25-35
  add --body-type average
  add --pose 'front standing'
  add --style professional
fi
in_worker generate "${asked[@]}" "$@"
