#!/bin/sh
# Writes a write-up and runbooks of the committed results to a directory: docs/samples, by `make samples`.
set -eu

rig=$(realpath "$1")
samples=$(realpath "$2")
cd "$(dirname -- "$0")/.."
of=results/reference
"$rig" writeup $of/drain $of/path-routing >"$samples/writeup.md"
for balancer in nginx haproxy envoy; do
    "$rig" runbook $of/drain $of/health-check $of/drain-edges --balancer $balancer >"$samples/runbook-$balancer.md"
done
