#!/bin/sh
# Checks what the compiler can't see: workflows, the action, scripts, and the scenarios as an editor would. Works offline.
set -eu

cd "$(dirname -- "$0")/.."
tools/setup.sh --lint
PATH="$PWD/tools/venv/bin:$PATH"
check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
check-jsonschema --quiet --builtin-schema vendor.github-actions action.yml
check-jsonschema --quiet --check-metaschema scenarios/schema.json
check-jsonschema --quiet --schemafile scenarios/schema.json scenarios/*.yaml
zizmor --offline --quiet --no-progress .github action.yml
shellcheck --severity=warning tools/*.sh tools/kubernetes/*.sh .ci/run
