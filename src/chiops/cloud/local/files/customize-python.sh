#!/bin/sh
# Makes Debian's Python behave as in the python images: `python` and `pip` install into the system. $1 is the root directory.
set -eu
root=${1%/}
rm -f "$root"/usr/lib/python3*/EXTERNALLY-MANAGED
ln -sf python3 "$root/usr/bin/python"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/man/* "$root"/usr/share/doc/*
