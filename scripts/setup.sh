#!/bin/sh
# Install what is missing on this machine and put chiops into .venv.
# usage: scripts/setup.sh [EXTRA]        e.g. `dev` for the tests' and linters' packages
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
extra=${1:+[$1]}

say() { printf '==> %s\n' "$*" >&2; }
give_up() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# The Debian packages that stand for what this machine lacks.
missing() {
  "$python" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
  { command -v ssh && command -v ssh-keygen; } >/dev/null || echo openssh-client
  # The tests of what volumes hold write partition tables.
  [ -z "$extra" ] || [ "$(id -u)" != 0 ] || PATH=$PATH:/usr/sbin:/sbin command -v sfdisk >/dev/null || echo fdisk
}

install_missing() {
  packages=$(missing | tr '\n' ' ')
  [ -n "$packages" ] || return 0
  command -v apt-get >/dev/null || give_up "please install, by this system's package manager, what Debian calls: $packages"
  [ "$(id -u)" = 0 ] || give_up "please run as root: apt-get install $packages"
  say "Installing $packages"
  export DEBIAN_FRONTEND=noninteractive
  log=$(mktemp)
  # shellcheck disable=SC2086  # a list of words
  if ! { apt-get update && apt-get install -y --no-install-recommends $packages; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    give_up "apt-get could not install: $packages"
  fi
  rm -f "$log"
  still=$(missing | tr '\n' ' ')
  [ -z "$still" ] || give_up "$python still lacks what $still should have brought; choose another interpreter with PYTHON=…"
}

command -v "$python" >/dev/null || give_up "no $python here; install Python 3.11 or newer, or choose one with PYTHON=…"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  give_up "$python is $("$python" -V 2>&1), chiops needs 3.11 or newer; choose another with PYTHON=…"
install_missing

# A .venv whose interpreter went away (a Python upgrade, a moved checkout) is made again.
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  say "Making .venv with $("$python" -V)"
  "$python" -m venv --clear .venv
fi
say "Installing chiops${extra:+ with its $1 packages} into .venv (a few minutes the first time)"
.venv/bin/python -m pip install -qq --disable-pip-version-check --no-input --editable ".$extra"
say "Ready: .venv/bin/chiops"
