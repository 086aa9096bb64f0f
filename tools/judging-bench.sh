#!/usr/bin/env bash
# What it takes to judge a long cell: memory, disk and time for each request. Usage: tools/judging-bench.sh [REQUESTS]
set -eu
requests=${1:-1000000}
cd "$(dirname "$0")/.."
cargo build --release --locked --quiet --package rig-lab-testing --example long_cell
results=$(mktemp -d)
trap 'rm -r "$results"' EXIT
run=$(target/release/examples/long_cell write "$results" "$requests")
target/release/examples/long_cell judge "$run"
# As much as is asked for before a run begins must do.
enough=$(target/release/examples/long_cell kibibytes "$requests")
(ulimit -v "$enough" && target/release/examples/long_cell judge "$run")
