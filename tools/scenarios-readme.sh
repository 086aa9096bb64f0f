#!/bin/sh
# Prints scenarios/README.md: each question, its file, and what its newest run on this machine answered.
set -eu

rig=$1
runs=
for scenario in scenarios/*.yaml; do
    latest=results/$(basename "$scenario" .yaml)/latest
    [ -e "$latest" ] || { echo "$scenario has not been run here: make scenarios" >&2; exit 3; }
    runs="$runs $latest"
done

cat <<'HEAD'
# Scenarios

Each file asks the load balancers that it names one question, and judges the answer itself. Its header describes the method, and
what would refute the expected answer. Its claims make the run pass or fail. Its `reading` says what the numbers mean.

```
rig run scenarios/drain.yaml                       # one scenario
make scenarios                                     # all of them, once
make scenarios FULL=1                              # all of them, five repeats each
```
HEAD
# A failed claim is an answer, too.
# shellcheck disable=SC2086
"$rig" report $runs --format markdown || [ $? -ne 3 ]
printf '\nMeasured on %s CPUs, %s; in full: `rig report results/SCENARIO/latest`.\n' "$(nproc)" "$(date -u +%Y-%m-%d)"
