#!/usr/bin/env bash
# Runs the examples of docs/records.md over a cell of a few seconds. Their Python packages go into target/docs-venv. If PyPI
# can't be reached, this says so and exits with 0; with RIG_REQUIRE_DOCS it fails.
set -euo pipefail
cd "$(dirname "$0")/.."
rig=${1:-target/debug/rig}
venv=target/docs-venv
wanted=docs/examples/requirements.txt
if ! cmp -s "$wanted" "$venv/requirements.txt"; then
  rm -rf "$venv"
  if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$wanted"; }; then
    echo "skipped: the examples' Python packages ($wanted) can't be installed; python3-venv and PyPI are needed" >&2
    exit "${RIG_REQUIRE_DOCS:+1}"
  fi
  cp "$wanted" "$venv/requirements.txt"
fi
rm -rf target/docs-test
"$rig" run crates/rig/tests/end_to_end/scenarios/short-drain.yaml --runtime process --balancer nginx \
  --variant without-drain --set load.for=3500ms --out target/docs-test --quiet >/dev/null
"$venv/bin/python" docs/examples/test.py "$rig" target/docs-test/short-drain/latest
