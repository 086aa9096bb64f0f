#!/bin/sh
# Runs a command with a Kubernetes of one node: real etcd, API server, scheduler, kubelet, kube-proxy, and a Docker engine of
# their own, in namespaces of their own. The command runs in their network, with KUBECONFIG set. All is removed after it.
# The first time it builds Kubernetes from Debian's sources, which takes some minutes. Needs root.
#
#   tools/kubernetes-for-tests.sh cargo test --workspace --test end_to_end kubernetes
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
# How many half seconds until the node is ready.
patience=360

say() { printf 'kubernetes-for-tests: %s\n' "$@" >&2; }

if [ $# = 0 ]; then
    say "usage: $0 COMMAND…"
    exit 2
fi
if [ "$(id -u)" != 0 ]; then
    say "only root can start a Kubernetes"
    exit 3
fi
"$here/setup.sh" --docker
"$here/kubernetes/build.sh"

state=$(mktemp -d)
cgroup="rig-kubernetes-$$"
cluster=
end() {
    # Its standard input ends, and with it the first process of its namespaces.
    exec 9>&-
    [ -z "$cluster" ] || wait "$cluster" || true
    rm -rf "$state"
    for controller in /sys/fs/cgroup /sys/fs/cgroup/*; do
        [ ! -d "$controller/$cgroup" ] || find "$controller/$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null || true
    done
}
exec 9>/dev/null
trap end EXIT
trap 'exit 130' INT TERM

mkfifo "$state/life"
unshare --net --mount --uts --pid --fork --kill-child --mount-proc \
    "$here/kubernetes/cluster.sh" "$state" "/$cgroup" <"$state/life" >"$state/log" 2>&1 9>&- &
cluster=$!
exec 9>"$state/life"
n=0
while [ ! -e "$state/ready" ]; do
    if [ $n -ge $patience ] || ! kill -0 "$cluster" 2>/dev/null; then
        say "Kubernetes does not start:"
        tail -n 5 "$state"/*log >&2
        exit 3
    fi
    sleep 0.5
    n=$((n + 1))
done
say "Kubernetes $(PATH="$here/bin/kubernetes:$PATH" kubectl version --client --short 2>/dev/null | sed 's/.* //') is ready"
# RIG_TEST_KUBERNETES tells tests that this one is theirs: they change nobody's else.
export KUBECONFIG="$state/kubeconfig" RIG_TEST_KUBERNETES="$state/kubeconfig"
PATH="$here/bin/kubernetes:$PATH" nsenter --net="/proc/$cluster/ns/net" -- "$@" 9>&-
