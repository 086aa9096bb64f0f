#!/bin/sh
# Runs scenarios for the action: the report becomes the job's summary, each failed claim an annotation, and rig's exit code the
# step's. All input comes from the environment, so it can be tried anywhere:
#
#   RIG=target/debug/rig SCENARIOS=drain GITHUB_OUTPUT=/dev/stderr GITHUB_STEP_SUMMARY=summary.md .github/actions/rig/run.sh
set -eu

results=${RESULTS:-rig-results}
mkdir -p "$results"
begun=$(mktemp "$results/.begun.XXXXXX")
trap 'rm -f "$begun"' EXIT

# Scenarios and arguments are lists of words.
# shellcheck disable=SC2086
set -- $SCENARIOS --runtime "${RUNTIME:-process}" --out "$results" --format markdown ${ARGUMENTS:-}
[ -z "${BALANCERS:-}" ] || set -- "$@" --balancer "$BALANCERS"
while IFS= read -r claim; do
    [ -z "$claim" ] || set -- "$@" --fail-on "$claim"
done <<CLAIMS
${FAIL_ON:-}
CLAIMS

code=0
"$RIG" run "$@" >"$begun.md" || code=$?
cat "$begun.md" >>"$GITHUB_STEP_SUMMARY"
cat "$begun.md"
rm -f "$begun.md"

# The runs whose summary is newer.
runs=$(find "$results" -mindepth 3 -maxdepth 3 -name summary.json -newer "$begun" | sort | sed 's,/summary.json$,,')
# `rig report` exits as the runs did.
# shellcheck disable=SC2086
[ -z "$runs" ] || "$RIG" report $runs --format github || true
{
    echo 'results<<END_OF_RUNS'
    [ -z "$runs" ] || echo "$runs"
    echo 'END_OF_RUNS'
    echo 'junit<<END_OF_RUNS'
    for run in $runs; do [ ! -e "$run/junit.xml" ] || echo "$run/junit.xml"; done
    echo 'END_OF_RUNS'
} >>"$GITHUB_OUTPUT"
exit "$code"
