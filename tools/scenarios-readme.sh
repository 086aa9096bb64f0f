#!/bin/sh
# Prints scenarios/README.md: each question, its file, and what the newest run of it on this machine answered.
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

Each file asks one question of the load balancers that it names, and answers it by itself: its header says how, and what
would refute the expected answer; its claims make it pass or fail; its `reading` says what the numbers mean.

```
rig run scenarios/drain.yaml                       # one
make scenarios                                     # all, in their short form
make scenarios FULL=1                              # all, five repeats of each
```
HEAD
# A failed claim is an answer as well.
# shellcheck disable=SC2086
"$rig" report $runs --format markdown || [ $? -ne 3 ]
printf '\nMeasured on %s CPUs, %s; in full: `rig report results/SCENARIO/latest`.\n' "$(nproc)" "$(date -u +%Y-%m-%d)"
