#!/usr/bin/env bash
# The whole journey on this machine: lab up, dataset into its bucket, benchmark, report, everything away again.
# Each command is shown before it runs, so that it can be typed by hand. On a failure the lab is taken down all the same.
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PWD/.venv/bin:$PATH"

run() {
  printf '\n\033[1m$ %s\033[0m\n' "$*"
  "$@"
}

taken_down=
clean_up() {
  status=$?
  if [ -z "$taken_down" ]; then
    printf '\nThe demo stopped early (exit code %s); taking the lab down.\n' "$status" >&2
    run chiops down --purge-bucket --yes || true
    [ "$status" -ne 0 ] || status=1
  fi
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

run chiops up object-lab --site local --yes
run chiops data prepare --dataset food11-synthetic --format imagefolder --format litdata
run chiops bench run --format imagefolder-local --format litdata
run chiops bench report
run chiops down --purge-bucket --yes
taken_down=yes

printf '\nThe report: %s\n' "$PWD/results/report.html"
