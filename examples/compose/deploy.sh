#!/bin/bash
# Replaces web1 and web2 of the Compose project in this directory, one after the other. `careful` takes each out of HAProxy first,
# and goes on once HAProxy says that it is up again.
set -euo pipefail
cd "$(dirname "$0")"

# Compose is a plugin of Docker, or a program of its own.
compose() { if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi; }

haproxy() {
    exec 3<>/dev/tcp/127.0.0.1/8081
    echo "$1" >&3
    cat <&3
    exec 3<&-
}

# The 18th field of its statistics: UP, DOWN, or DRAIN while it is up and gets nothing new. The 2nd after the last check: L7OK.
status() { haproxy "show stat" | awk -F , -v service="$1" '$1 == "web" && $2 == service { print $18, $37 }'; }

VERSION=v$(date +%s)
export VERSION
for service in web1 web2; do
    if [ "$1" = careful ]; then
        haproxy "set server web/$service state drain"
        # Longer than the slowest request.
        sleep 2
    fi
    compose up --detach --no-deps --force-recreate "$service"
    if [ "$1" = careful ]; then
        # Three checks later HAProxy knows that the old one has gone.
        sleep 2
        for _ in {1..120}; do
            if [[ "$(status "$service")" == *L7OK* ]]; then break; fi
            sleep 0.5
        done
        haproxy "set server web/$service state ready"
        # Until it has its share.
        sleep 1
    fi
done
