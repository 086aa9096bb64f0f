#!/bin/sh
# A Kubernetes of one node, with a Docker engine of its own, in namespaces of its own: kubernetes-for-tests.sh executes this there
# as the first process, so that all of it ends with this. It ends when its standard input does.
#
#   cluster.sh DIRECTORY CGROUP
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
state=$1
PATH="$here/../bin/kubernetes:$PATH:/usr/local/sbin:/usr/sbin:/sbin"
# Addresses of a range for tests (RFC 2544), which nothing else has in these namespaces.
node=198.18.77.1
api="https://$node:6443"
# How many half seconds anything may take.
patience=240

# Waits until a command succeeds.
until_it() {
    what=$1
    shift
    n=0
    while ! "$@" >/dev/null 2>&1; do
        n=$((n + 1))
        if [ $n -ge $patience ]; then
            echo "$what: not within $((patience / 2)) s"
            exit 1
        fi
        sleep 0.5
    done
}

# Starts a program in the background, with a log of its own.
begin() {
    name=$1
    shift
    "$@" </dev/null >"$state/$name.log" 2>&1 &
}

hostname node
ip link set lo up
ip address add "$node/32" dev lo
# The machine's engine is out of reach, and what kubelet writes to fixed places is gone with this.
for directory in /run /var/lib /var/log; do mount -t tmpfs tmpfs "$directory"; done

cd "$state"
# Without CAP_SYS_RESOURCE nobody may protect the sandboxes of pods from the kernel's killer, as kubelet wants.
cat >runc <<'END'
#!/bin/sh
for word; do
    [ "${before:-}" != --bundle ] || sed -i 's/"oomScoreAdj":-[0-9]*/"oomScoreAdj":0/' "$word/config.json"
    before=$word
done
exec runc "$@"
END
chmod 755 runc
echo "{\"runtimes\":{\"plain\":{\"path\":\"$state/runc\"}},\"default-runtime\":\"plain\"}" >daemon.json
export DOCKER_HOST="unix://$state/docker.sock"
unset DOCKER_CONTEXT
begin dockerd dockerd --config-file daemon.json --host "$DOCKER_HOST" --data-root "$state/docker" --exec-root "$state/exec" \
    --pidfile "$state/dockerd.pid" --cgroup-parent "$2" --bip 198.18.101.1/24
begin etcd etcd --data-dir etcd --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380 --unsafe-no-fsync

openssl genrsa -out sa.key 2048 2>/dev/null
token=$(openssl rand -hex 16)
(umask 077 && echo "$token,admin,1,system:masters" >tokens.csv && cat >kubeconfig <<END
apiVersion: v1
kind: Config
clusters: [{ name: rig-tests, cluster: { server: "$api", insecure-skip-tls-verify: true } }]
users: [{ name: admin, user: { token: $token } }]
contexts: [{ name: rig-tests, context: { cluster: rig-tests, user: admin } }]
current-context: rig-tests
END
)
export KUBECONFIG="$state/kubeconfig"
begin kube-apiserver kube-apiserver --etcd-servers http://127.0.0.1:2379 --cert-dir certificates --secure-port 6443 \
    --bind-address "$node" --advertise-address "$node" --service-cluster-ip-range 198.19.64.0/20 \
    --service-account-issuer https://kubernetes.default.svc --service-account-signing-key-file sa.key \
    --service-account-key-file sa.key --token-auth-file tokens.csv --authorization-mode RBAC \
    --disable-admission-plugins ServiceAccount --kubelet-preferred-address-types InternalIP

until_it "dockerd" docker version
"$here/../pack-image.sh" sleep | docker import \
    --change 'ENTRYPOINT ["/bin/sh", "-c", "trap \"exit 0\" TERM INT; while :; do sleep 3600 & wait; done"]' - rig-tests/pause:1
# Under the name that examples use: this engine is gone with the tests.
"$here/../pack-image.sh" sleep python3 | docker import - python:3-slim

until_it "kube-apiserver" kubectl get --raw /readyz
begin kube-controller-manager kube-controller-manager --kubeconfig kubeconfig --service-account-private-key-file sa.key \
    --use-service-account-credentials=false --controllers='*,-csrsigning,-ttl' --port 0 --cert-dir controller-manager
begin kube-scheduler kube-scheduler --kubeconfig kubeconfig --port 0 --cert-dir scheduler
begin kubelet kubelet --kubeconfig kubeconfig --container-runtime docker --docker-endpoint "$DOCKER_HOST" \
    --pod-infra-container-image rig-tests/pause:1 --hostname-override node --node-ip "$node" --root-dir "$state/kubelet" \
    --cert-dir kubelet-certificates --fail-swap-on=false --cgroups-per-qos=false --enforce-node-allocatable= \
    --cgroup-driver cgroupfs --authorization-mode AlwaysAllow --authentication-token-webhook=false \
    --make-iptables-util-chains=false --eviction-hard= --resolv-conf= --network-plugin=
begin kube-proxy kube-proxy --kubeconfig kubeconfig --hostname-override node --proxy-mode iptables --conntrack-max-per-core 0 \
    --conntrack-tcp-timeout-established 0 --conntrack-tcp-timeout-close-wait 0
until_it "the node" kubectl wait --for=condition=Ready node/node --timeout 1s
touch ready
# Until the other end is closed.
cat >/dev/null
