#!/bin/sh
# Keeps what this version reads and writes as a sample for later ones, which a test holds against it: the bundled scenarios,
# and a run of a few seconds with its records.
set -eu

cd "$(dirname -- "$0")/.."
rig=$PWD/$1
sample=$PWD/crates/rig/tests/release/samples/$("$rig" --version | cut -d ' ' -f 2)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

rm -rf "$sample"
mkdir -p "$sample/scenarios"
cp scenarios/*.yaml "$sample/scenarios/"
cp crates/rig/tests/end_to_end/scenarios/short-drain.yaml "$scratch/"
# Elsewhere, so that the sample has no path of this checkout.
(cd "$scratch" && "$rig" run short-drain.yaml --runtime process --balancer nginx --variant without-drain,with-drain \
    --set load.rate=200/s --quiet >/dev/null)
cp -r "$(readlink -f "$scratch/results/short-drain/latest")" "$sample/run"
# What is not read again.
cd "$sample/run"
rm -rf report.html report.md junit.xml verdict.json cells/*/config cells/*/*.log cells/*/*.hlog
