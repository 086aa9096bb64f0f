#!/bin/sh
# Runs a command with a Docker engine: the one that rig finds, or else one that is started for the command and stopped after
# it. Installs Docker from Debian if dockerd is missing. Starts no service.
#
#   tools/docker-for-tests.sh make test
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
socket=unix:///var/run/docker.sock
# How many half seconds dockerd may take to answer.
patience=120

say() { printf 'docker-for-tests: %s\n' "$@" >&2; }

# rig itself looks for the engine, so the tests will find the same one.
answers() { target/debug/rig images --pull never >/dev/null 2>"$state/answer"; }

# Starts dockerd with these options, and waits until it answers.
start() {
    : >"$state/dockerd.log"
    dockerd --host "$socket" --pidfile "$state/dockerd.pid" "$@" >"$state/dockerd.log" 2>&1 &
    daemon=$!
    n=0
    while [ $n -lt $patience ]; do
        kill -0 "$daemon" 2>/dev/null || break
        if answers; then return 0; fi
        sleep 0.5
        n=$((n + 1))
    done
    stop
    return 1
}

stop() {
    [ -n "$daemon" ] || return 0
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
    daemon=
}

daemon=
state=$(mktemp -d)
trap 'stop; rm -rf "$state"' EXIT
trap 'exit 130' INT TERM

cd "$here/.."
# Build first, so that `answers` measures the engine and not the build.
cargo build --quiet --locked
if ! answers; then
    say "$(head -n 1 "$state/answer")"
    if [ -n "${DOCKER_HOST:-}${DOCKER_CONTEXT:-}" ]; then
        say "the environment names that engine: start it, or unset DOCKER_HOST and DOCKER_CONTEXT"
        exit 3
    fi
    "$here/setup.sh" --docker
    if [ "$(id -u)" != 0 ]; then
        say "only root can start an engine: start Docker, or run this as root"
        exit 3
    fi
    export DOCKER_HOST="$socket"
    say "starting dockerd"
    if ! start; then
        say "dockerd does not start. Trying --storage-driver=vfs, which needs nothing from the kernel. Its log:"
        tail -n 5 "$state/dockerd.log" >&2
        if ! start --storage-driver=vfs; then
            say "dockerd does not start with that either. Its log:"
            tail -n 20 "$state/dockerd.log" >&2
            exit 3
        fi
    fi
fi

"$@"
