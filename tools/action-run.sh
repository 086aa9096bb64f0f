#!/bin/bash
# Runs scenarios for the action: the report becomes the job's summary, each failed claim an annotation, and rig's exit code the
# step's. All input comes from the environment, so it can be tried anywhere:
#
#   RIG=target/debug/rig SCENARIOS=drain GITHUB_OUTPUT=/dev/stderr GITHUB_STEP_SUMMARY=summary.md tools/action-run.sh
set -euo pipefail

results=${RESULTS:-rig-results}
mkdir -p "$results"
begun=$(mktemp "$results/.begun.XXXXXX")
trap 'rm -f "$begun" "$begun.md"' EXIT

# Prints the words of a list, one per line. Quotes keep blanks together, as in a shell.
words() { xargs -r printf '%s\n' <<<"$1"; }

arguments=()
# Patterns of files stand for them, and what is in quotes may have blanks.
names=$(words "$SCENARIOS") || exit 2
IFS=$'\n'
# shellcheck disable=SC2206
arguments+=($names)
unset IFS
arguments+=(--runtime "${RUNTIME:-process}" --out "$results" --format markdown)
more=$(words "${ARGUMENTS:-}") || exit 2
while IFS= read -r word; do [ -z "$word" ] || arguments+=("$word"); done <<<"$more"
balancers=$(tr -d ' \n' <<<"${BALANCERS:-}")
[ -z "$balancers" ] || arguments+=(--balancer "$balancers")
while IFS= read -r claim; do [ -z "$claim" ] || arguments+=(--fail-on "$claim"); done <<<"${FAIL_ON:-}"

code=0
"$RIG" run "${arguments[@]}" >"$begun.md" || code=$?
cat "$begun.md" >>"$GITHUB_STEP_SUMMARY"
cat "$begun.md"

# The runs whose summary is newer: another use of the action may have results in the same directory.
mapfile -t runs < <(find "$results" -mindepth 3 -maxdepth 3 -name summary.json -newer "$begun" -printf '%h\n' | sort)
# `rig report` exits as the runs did.
[ ${#runs[@]} = 0 ] || "$RIG" report "${runs[@]}" --format github || true

# An artifact's name is free once in a workflow run; a job may use the action several times.
artifact=${ARTIFACT:-}
if [ -z "$artifact" ]; then
    uses=${RUNNER_TEMP:-$results}/.rig-uses
    echo >>"$uses"
    n=$(wc -l <"$uses")
    artifact=rig-${GITHUB_JOB:-job}-${JOB_INDEX:-0}
    [ "$n" = 1 ] || artifact=$artifact-$n
fi

# Prints lines as an output.
output() {
    echo "$1<<END_OF_OUTPUT"
    shift
    [ $# = 0 ] || printf '%s\n' "$@"
    echo END_OF_OUTPUT
}
pages=()
for run in "${runs[@]}"; do [ ! -e "$run/junit.xml" ] || pages+=("$run/junit.xml"); done
{
    output results "${runs[@]}"
    output junit "${pages[@]}"
    echo "artifact=$artifact"
} >>"$GITHUB_OUTPUT"
exit "$code"
