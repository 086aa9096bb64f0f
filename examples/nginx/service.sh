#!/bin/sh
# An nginx with two programs behind it, and their deploy. `start`, `stop`, `deploy careless` or `deploy careful`.
set -eu
cd "$(dirname "$0")"
PATH="$PATH:/usr/sbin"
mkdir -p run
instances="8481 8482"

# Writes the upstream of these instances, and lets nginx read it.
upstream() {
    { echo "upstream app { keepalive 16;"; for port in "$@"; do echo "server 127.0.0.1:$port;"; done; echo "}"; } >run/upstream.conf.new
    mv run/upstream.conf.new run/upstream.conf
    if [ -e run/nginx.pid ]; then kill -HUP "$(cat run/nginx.pid)"; fi
}

launch() {
    # A session of its own: it outlives the command that started it.
    setsid python3 app.py "$1" "$2" </dev/null >"run/$1.log" 2>&1 &
    echo $! >"run/$1.pid"
    until curl --silent --fail --output /dev/null "http://127.0.0.1:$1/"; do sleep 0.1; done
}

terminate() {
    kill "$(cat "run/$1.pid")"
    while kill -0 "$(cat "run/$1.pid")" 2>/dev/null; do sleep 0.05; done
}

case "$1" in
start)
    for port in $instances; do launch "$port" v1; done
    # shellcheck disable=SC2086
    upstream $instances
    nginx -p "$PWD/run" -c ../nginx.conf
    ;;
stop)
    if [ -e run/nginx.pid ]; then kill "$(cat run/nginx.pid)"; fi
    for port in $instances; do terminate "$port" || true; done
    ;;
deploy)
    version=$(date +%s%N)
    for port in $instances; do
        others=$(echo "$instances" | sed "s/$port//")
        if [ "$2" = careful ]; then
            # shellcheck disable=SC2086
            upstream $others
            # The old workers finish what they have.
            sleep 1
        fi
        terminate "$port"
        launch "$port" "$version"
        # shellcheck disable=SC2086
        upstream $instances
        sleep 0.5
    done
    ;;
*)
    echo "usage: $0 start|stop|deploy careless|deploy careful" >&2
    exit 2
    ;;
esac
