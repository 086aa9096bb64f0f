#!/bin/sh
# Runs every bundled scenario once, two at a time, and prints an overview. Counts don't depend on the load of the machine.
# Latency and CPU time may, and a report says how far it can be trusted.
#
#   tools/scenarios.sh target/debug/rig
set -eu

cd "$(dirname -- "$0")/.."
rig=$1
state=$(mktemp -d)
other=
trap 'rm -rf "$state"; [ -z "$other" ] || kill "$other" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

# Runs scenarios one after another. $1 marks the lines of this lane.
run() {
    lane=$1
    shift
    { "$rig" run "$@" --runtime process --format json || echo $? >"$state/$lane"; } 2>&1 >/dev/null | sed "s/^/$lane: /"
}

odd= even= runs=
for scenario in scenarios/*.yaml; do
    runs="$runs results/$(basename "$scenario" .yaml)/latest"
    if [ "$(echo "$odd" | wc -w)" -le "$(echo "$even" | wc -w)" ]; then odd="$odd $scenario"; else even="$even $scenario"; fi
done
# shellcheck disable=SC2086
run 1 $odd &
other=$!
# shellcheck disable=SC2086
run 2 $even
wait
other=
# A scenario that could not run at all has no new report.
for lane in 1 2; do
    code=$(cat "$state/$lane" 2>/dev/null || echo 0)
    case $code in 0 | 1 | 4) ;; *) exit "$code" ;; esac
done
# shellcheck disable=SC2086
"$rig" report $runs
