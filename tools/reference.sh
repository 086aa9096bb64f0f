#!/bin/sh
# Copies plan, figures, report and page of the newest run of each bundled scenario, or of those that are named, to
# results/reference, without records. Then renews the README's table, and the picture if the drain proof was run here.
#
#   tools/reference.sh target/debug/rig [scenarios/drain.yaml …]
set -eu

cd "$(dirname -- "$0")/.."
rig=$1
shift
[ $# -gt 0 ] || set -- scenarios/*.yaml
for scenario in "$@"; do
    name=$(basename "$scenario" .yaml)
    latest=results/$name/latest
    [ -e "$latest/summary.json" ] || { echo "$scenario has not been run here: make scenarios" >&2; exit 3; }
    mkdir -p "results/reference/$name"
    for form in json:summary.json markdown:report.md html:report.html; do
        # `rig report` exits as the run did. Paths of this machine are removed.
        { "$rig" report "$latest" --format "${form%%:*}" || [ $? -ne 3 ]; } |
            sed "s,$PWD/,,g" >"results/reference/$name/${form##*:}"
    done
    cp "$latest/plan.json" "results/reference/$name/plan.json"
done
tools/samples.sh "$rig" docs/samples

tools/scenarios-readme.sh "$rig" >scenarios/README.md.new
mv scenarios/README.md.new scenarios/README.md
if [ -e results/drain/latest ]; then
    "$rig" report results/drain/latest --format svg >docs/drain.svg.new
    mv docs/drain.svg.new docs/drain.svg
fi
# The README's table is the first one of that report. If a claim failed, the picture's command has ended this script.
awk '/^\|/ { print; table = 1; next } table { exit }' results/reference/drain/report.md |
    sed -i -e '/^<!-- The table is/,/^<!-- End of the table/{//!d}' -e '/^<!-- The table is/r /dev/stdin' README.md
