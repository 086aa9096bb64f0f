#!/bin/bash
# Makes the files of a release in target/dist: an archive, a Debian package, an image with the balancers of this machine, an
# SBOM, and checksums. Nothing is downloaded but crates, and no container engine is needed.
#
#   tools/dist.sh [TARGET]     a target of this machine's processor; by default musl's, if its standard library is installed,
#                              otherwise this machine's own, with the C library linked in
set -euo pipefail

cd "$(dirname -- "$0")/.."
PATH="$PATH:$PWD/tools/bin:/usr/local/sbin:/usr/sbin:/sbin"

fail() {
    printf 'dist: %s\n' "$@" >&2
    exit 3
}

host=$(rustc -vV | sed -n 's/^host: //p')
musl=${host%%-*}-unknown-linux-musl
target=${1:-$([ -d "$(rustc --print target-libdir --target "$musl")" ] && echo "$musl" || echo "$host")}
machine=${target%%-*}
case $machine in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
*) fail "what does Debian call $machine?" ;;
esac
[ "$machine" = "${host%%-*}" ] || fail "completions and manual pages are printed by the binary itself: build $target on $machine"

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
dist=$PWD/target/dist
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
rm -rf "$dist"
mkdir -p "$dist"

# The same files give the same bytes.
pack() { tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" "$@"; }

variable=CARGO_TARGET_$(echo "$target" | tr 'a-z-' 'A-Z_')_RUSTFLAGS
env "$variable=-C target-feature=+crt-static" cargo build --release --locked --bin rig --target "$target"
rig=$PWD/target/$target/release/rig
# ldd says so in its own words, and fails.
if linked=$(LC_ALL=C ldd "$rig" 2>&1) && ! grep -q 'statically linked' <<<"$linked"; then
    fail "$rig needs libraries:" "$linked"
fi

# The archive.
name=rig-$version-${machine}-linux
files=$stage/archive/$name
mkdir -p "$files/completions"
cp "$rig" README.md CHANGELOG.md LICENSE "$files/"
tools/sbom.py "$target" --licences >"$files/LICENSES-OF-LIBRARIES"
"$rig" completions bash >"$files/completions/rig.bash"
"$rig" completions zsh >"$files/completions/_rig"
"$rig" completions fish >"$files/completions/rig.fish"
"$rig" man "$files/man"
chmod -R u=rwX,go=rX "$files"
pack --file - --directory "$stage/archive" "$name" | gzip -9n >"$dist/$name.tar.gz"

# The Debian package. Debian has another program called `rig`, a newer version of which would replace this one.
root=$stage/deb
documents=$root/usr/share/doc/rig-lab
put() { install -D -m "$1" "$2" "$root/$3"; }
put 755 "$rig" usr/bin/rig
put 644 "$files/completions/rig.bash" usr/share/bash-completion/completions/rig
put 644 "$files/completions/_rig" usr/share/zsh/vendor-completions/_rig
put 644 "$files/completions/rig.fish" usr/share/fish/vendor_completions.d/rig.fish
for page in "$files"/man/*; do put 644 "$page" "usr/share/man/man1/$(basename "$page")"; done
put 644 README.md "usr/share/doc/rig-lab/README.md"
put 644 CHANGELOG.md "usr/share/doc/rig-lab/changelog"
cat LICENSE "$files/LICENSES-OF-LIBRARIES" >"$documents/copyright"
gzip -9n "$root"/usr/share/man/man1/* "$documents/changelog"
mkdir "$root/DEBIAN"
cat >"$root/DEBIAN/control" <<CONTROL
Package: rig-lab
Version: $version
Architecture: $architecture
Maintainer: the rig authors <rig@authors.invalid>
Section: net
Priority: optional
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f 1)
Recommends: nginx, libnginx-mod-stream, haproxy
Suggests: redis-server, docker.io
Conflicts: rig
Description: proves, with numbers, what a load balancer does to live traffic
 rig launches real load balancers and toy backends, sends open-loop load,
 replaces the backends one after another under that load, and accounts for
 every single request.
CONTROL
chmod -R u=rwX,go=rX "$root"
dpkg-deb --root-owner-group --build "$root" "$dist/rig-lab_${version}_$architecture.deb" >/dev/null

# The image, as `docker load` takes it.
missing=
for program in nginx haproxy envoy redis-server; do command -v "$program" >/dev/null || missing="$missing $program"; done
if [ -n "$missing" ]; then
    echo "dist: no image: missing on this machine:$missing (make setup)" >&2
else
    image=$stage/image
    mkdir -p "$image/root" "$image/parts"
    PATH="$(dirname "$rig"):$PATH" tools/pack-image.sh rig nginx haproxy envoy redis-server |
        tar --extract --file - --directory "$image/root"
    # For `rig watch https://…`.
    authorities=/etc/ssl/certs/ca-certificates.crt
    [ ! -e $authorities ] || install -D -m 644 $authorities "$image/root$authorities"
    # The licences of rig, and of the packages that the files are from; Debian has their sources.
    install -D -m 644 "$documents/copyright" "$image/root/usr/share/doc/rig-lab/copyright"
    # By the name that a package knows: /usr/lib may be a newer name of /lib.
    (cd "$image/root" && find usr -type f -printf '/%p\n/%P\n') | { xargs dpkg --search 2>/dev/null || true; } |
        cut -d : -f 1 | sort -u | while read -r package; do
        text=/usr/share/doc/$package/copyright
        [ ! -e "$text" ] || install -D -m 644 "$text" "$image/root$text"
    done
    mkdir "$image/root/work"
    pack --file "$image/parts/layer.tar" --directory "$image/root" .
    layer=$(sha256sum "$image/parts/layer.tar" | cut -d ' ' -f 1)
    cat >"$image/parts/config.json" <<CONFIG
{"architecture": "$architecture", "os": "linux", "created": "$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)",
 "config": {"Entrypoint": ["rig"], "Cmd": ["--help"], "WorkingDir": "/work",
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
            "Labels": {"org.opencontainers.image.title": "rig", "org.opencontainers.image.version": "$version"}},
 "rootfs": {"type": "layers", "diff_ids": ["sha256:$layer"]}}
CONFIG
    echo "[{\"Config\": \"config.json\", \"RepoTags\": [\"rig:$version\"], \"Layers\": [\"layer.tar\"]}]" >"$image/parts/manifest.json"
    pack --file - --directory "$image/parts" config.json layer.tar manifest.json |
        gzip -6n >"$dist/rig-$version-$machine-image.tar.gz"
fi

tools/sbom.py "$target" "$rig" >"$dist/$name.cdx.json"
(cd "$dist" && sha256sum -- * >SHA256SUMS)
ls -l "$dist"
