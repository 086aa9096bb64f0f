#!/bin/sh
# Replaces web1 and web2 of the Compose project in this directory, one after the other. `careful` takes each out of HAProxy first.
set -eu
cd "$(dirname "$0")"
haproxy() { echo "$1" | docker compose exec -T balancer socat stdio /run/haproxy/admin.sock; }
VERSION=$(date +%s)
export VERSION
for service in web1 web2; do
    if [ "$1" = careful ]; then
        haproxy "set server web/$service state drain"
        sleep 2
    fi
    docker compose up --detach --no-deps --force-recreate --wait "$service"
    if [ "$1" = careful ]; then haproxy "set server web/$service state ready"; fi
done
