#!/bin/sh
# Builds Kubernetes 1.20 from Debian's source package, with Debian's Go, into tools/bin/kubernetes: Debian packages kubectl alone.
# Installs nothing: packages are unpacked below that directory, and removed again. Takes some minutes, once.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
out="$here/../bin/kubernetes"
mkdir -p "$out"
out=$(CDPATH='' cd -- "$out" && pwd)
servers="kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy"
# The release of Debian whose packages fit together: Kubernetes 1.20 with dockershim, Go 1.19, etcd 3.4.
release=bookworm

has_all() {
    for name in $servers kubectl etcd; do [ -x "$out/$name" ] || return 1; done
}

say() { printf 'kubernetes: %s\n' "$@" >&2; }

fail() {
    say "$@"
    exit 3
}

has_all && exit 0
command -v apt-get >/dev/null 2>&1 || fail "it is built from Debian's packages, and there is no apt-get"

build="$out/build"
rm -rf "$build/apt"
mkdir -p "$build/apt/lists/partial" "$build/apt/cache/archives/partial" "$build/packages" "$build/root"

# The machine's own mirror, with sources, in files of its own.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -m 1 -E '/debian/?$' || true)
[ -n "$mirror" ] || fail "apt-get knows no mirror of Debian"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
for kind in deb deb-src; do echo "$kind [signed-by=$keys] $mirror $release main"; done >"$build/apt/sources.list"
cat >"$build/apt/apt.conf" <<END
Dir::Etc::sourcelist "$build/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$build/apt/lists";
Dir::Cache "$build/apt/cache";
APT::Sandbox::User "root";
END
export APT_CONFIG="$build/apt/apt.conf"
cd "$build/packages"
say "downloading Kubernetes, Go and etcd from $mirror"
apt-get update --quiet >/dev/null || fail "$mirror does not answer"
apt-get download --quiet golang-1.19-go golang-1.19-src etcd-server kubernetes-client >/dev/null ||
    fail "a package can't be downloaded from $mirror"
apt-get source --quiet --download-only --only-source kubernetes >/dev/null ||
    fail "the source of Kubernetes can't be downloaded from $mirror"
for package in ./*.deb; do dpkg-deb --extract "$package" "$build/root"; done

source="$build/go/src/k8s.io/kubernetes"
if [ ! -e "$source/go.mod" ]; then
    mkdir -p "$source"
    tar --extract --file ./kubernetes_*.orig.tar.gz --directory "$source" --strip-components 1
fi

export GOROOT="$build/root/usr/lib/go-1.19" GO111MODULE=off GOPATH="$build/go" GOCACHE="$build/cache" CGO_ENABLED=0 GOFLAGS=
PATH="$GOROOT/bin:$PATH"
cd "$source"
openapi=pkg/generated/openapi/zz_generated.openapi.go
if [ ! -e "$openapi" ]; then
    say "generating what the sources lack"
    go build -o "$build/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
    directories=$(grep --recursive --files-with-matches --include='*.go' '+k8s:openapi-gen=' pkg staging/src/k8s.io |
        grep --invert-match --extended-regexp '_test|zz_generated|code-generator/|sample-apiserver/|/testdata/' |
        xargs -n 1 dirname | LC_ALL=C sort -u |
        sed 's,^staging/src/,k8s.io/kubernetes/vendor/,; s,^pkg/,k8s.io/kubernetes/pkg/,' | paste -sd,)
    "$build/openapi-gen" --logtostderr --go-header-file vendor/k8s.io/code-generator/hack/boilerplate.go.txt \
        --input-dirs "$directories" --output-package k8s.io/kubernetes/pkg/generated/openapi \
        --output-file-base zz_generated.openapi --report-filename "$build/violations" --output-base "$build/go/src"
fi
version=$(sed -n 's/.*kubernetes_\([0-9.]*\)+really\([0-9.]*\)\.orig.*/v\2/p' <<END
$(ls "$build"/packages/kubernetes_*.orig.tar.gz)
END
)
flags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    for place in $package "k8s.io/kubernetes/vendor/$package"; do
        flags="$flags -X $place.gitVersion=${version:-v1.20.2} -X $place.gitMajor=1 -X $place.gitMinor=20 -X $place.gitTreeState=archive"
    done
done
for name in $servers; do
    [ ! -x "$out/$name" ] || continue
    say "building $name"
    go build -tags providerless -ldflags "$flags" -o "$build/$name" "./cmd/$name"
    mv -f "$build/$name" "$out/$name"
done
install -m 755 "$build/root/usr/bin/kubectl" "$build/root/usr/bin/etcd" "$out"
rm -rf "$build"
