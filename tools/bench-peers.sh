#!/bin/sh
# Installs what `make bench` measures beside rig: wrk and h2load from Debian, oha from its crate into target/bench-tools. What can't
# be had is a gap in the table, and no error.
set -u

cd "$(dirname -- "$0")/.." || exit
packages=
command -v wrk >/dev/null || packages="$packages wrk"
command -v h2load >/dev/null || packages="$packages nghttp2-client"
if [ -n "$packages" ]; then
    # shellcheck disable=SC2086 # a list of names
    apt-get install -y --no-install-recommends $packages >/dev/null || echo "bench: not installed:$packages" >&2
fi
if ! command -v oha >/dev/null && [ ! -x target/bench-tools/bin/oha ]; then
    cargo install --quiet --locked --root target/bench-tools oha || echo "bench: oha can't be built" >&2
fi
