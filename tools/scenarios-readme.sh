#!/bin/sh
# Prints scenarios/README.md: each question, its file, and what the committed run of it answered.
set -eu

rig=$1
runs=
for scenario in scenarios/*.yaml; do
    run=results/reference/$(basename "$scenario" .yaml)/summary.json
    [ -e "$run" ] || { echo "$scenario has no committed run: make reference" >&2; exit 3; }
    runs="$runs $run"
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
printf '\nIn full, with machine and date: `rig report results/reference/SCENARIO/summary.json --full`. Where others used the machine, a
report calls latency DEGRADED.\n'
