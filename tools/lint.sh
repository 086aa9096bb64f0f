#!/bin/sh
# Checks what the compiler doesn't see: workflows, the action, and the scenarios as an editor checks them. Offline.
set -eu

cd "$(dirname -- "$0")/.."
tools/setup.sh --lint
PATH="$PWD/tools/venv/bin:$PATH"
check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
check-jsonschema --quiet --builtin-schema vendor.github-actions .github/actions/*/action.yml
check-jsonschema --quiet --check-metaschema scenarios/schema.json
check-jsonschema --quiet --schemafile scenarios/schema.json scenarios/*.yaml
zizmor --offline --quiet --no-progress .github
