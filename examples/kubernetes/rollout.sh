#!/bin/sh
# Applies a patch to the Deployment `shop`, restarts it, and waits. rig goes on watching after that: endpoints follow late.
set -eu
cd "$(dirname "$0")"
kubectl patch deployment shop --patch-file "$1"
kubectl rollout restart deployment shop
kubectl rollout status deployment shop --timeout 9m
