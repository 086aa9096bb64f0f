#!/bin/sh
# Restarts the pods of a Deployment, and waits until the old ones are gone: `rollout status` ends while they still serve.
set -eu
old=$(kubectl get pods --selector "app=$1" --output name)
kubectl rollout restart "deployment/$1"
kubectl rollout status "deployment/$1" --timeout 5m
# shellcheck disable=SC2086
kubectl wait --for delete --timeout 2m $old
