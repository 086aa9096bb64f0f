#!/bin/sh
# Gets HAProxy 3.x from Debian's unstable suite into tools/bin/haproxy-VERSION, where `haproxy@3.2` finds it. Its libraries
# lie in tools/haproxy-VERSION. Nothing of the system is changed but for patchelf, which is installed if it is missing.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
suite=${1:-unstable}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

fail() {
    printf 'haproxy-3: %s\n' "$@" >&2
    exit 3
}

command -v apt-get >/dev/null || fail "this needs apt-get, as Debian and its relatives have it"
if ! command -v patchelf >/dev/null; then
    [ "$(id -u)" = 0 ] || fail "patchelf is missing: sudo apt-get install patchelf"
    apt-get install -q -y --no-install-recommends patchelf >/dev/null
fi

# The mirror that this system uses already, with the suite asked for. The keys are those of debian-archive-keyring.
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    sed -nE 's,^(deb|URIs:) *(\[[^]]*\] *)?(https?://[^ ]*/debian/?)( .*)?$,\3,p' | head -n 1)
echo "deb ${mirror:-http://deb.debian.org/debian} $suite main" >"$work/sources.list"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/deb"
in_suite() { with_suite apt-get -q "$@"; }
in_suite_cache() { with_suite apt-cache "$@"; }
with_suite() {
    "$@" -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null \
        -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root
}
in_suite update >/dev/null || fail "the suite $suite can't be reached"
cd "$work/deb"
# Of what it depends on, the libraries.
libraries=$(in_suite_cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
    --no-enhances haproxy | grep '^lib' | sort -u)
# shellcheck disable=SC2086
in_suite download haproxy $libraries >/dev/null 2>"$work/said" || fail "the packages can't be had: $(tail -n 1 "$work/said")"
for package in *.deb; do dpkg -x "$package" "$work/root"; done

triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH 2>/dev/null || gcc -print-multiarch 2>/dev/null || echo "$(uname -m)-linux-gnu")
lib=$work/root/usr/lib/$triplet
[ -x "$work/root/usr/sbin/haproxy" ] || fail "the package of $suite holds no /usr/sbin/haproxy"
loader=$(find "$lib" -name 'ld-linux*' | head -n 1)
[ -n "$loader" ] || fail "libc6 of $suite holds no loader"
version=$("$loader" --library-path "$lib" "$work/root/usr/sbin/haproxy" -v |
    sed -nE '1s/^HAProxy version ([0-9]+\.[0-9]+\.[0-9]+).*/\1/p')
[ -n "$version" ] || fail "it does not run: a library is missing?"

kept=$here/haproxy-$version
rm -rf "$kept.new"
mkdir -p "$kept.new" "$here/bin"
"$loader" --library-path "$lib" --list "$work/root/usr/sbin/haproxy" | sed -nE 's,.* => (/[^ ]+) .*,\1,p' |
    while read -r library; do cp -L "$library" "$kept.new/"; done
cp -L "$loader" "$kept.new/"
cp "$work/root/usr/sbin/haproxy" "$kept.new/haproxy"
# Not `ld.so PROGRAM`: HAProxy's master executes itself again. An RPATH holds for the libraries of libraries as well.
patchelf --set-interpreter "$kept/$(basename "$loader")" --force-rpath --set-rpath "$kept" "$kept.new/haproxy"
rm -rf "$kept"
mv "$kept.new" "$kept"
ln -sf "../haproxy-$version/haproxy" "$here/bin/haproxy-$version"
"$here/bin/haproxy-$version" -v | head -n 1
