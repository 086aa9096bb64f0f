#!/bin/bash
# Gets rig for the action into $RUNNER_TEMP/rig-bin: the released binary, where the action is used by a release's tag or commit,
# otherwise one that is built from the action's own checkout, once for each state of it. Again in the same job it does nothing.
#
#   tools/action-install.sh get      outputs `path`, and `build=KEY` if rig has to be built; KEY stands for the sources
#   tools/action-install.sh build    builds it, unless a cache brought it
#
# REPOSITORY and REF are those of the action as the workflow names it; both are empty if the workflow names a path.
set -euo pipefail

cd "$(dirname -- "$0")/.."
bin=$RUNNER_TEMP/rig-bin
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)

fail() {
    echo "::error::$1"
    exit 3
}

# Whether REF is the release of this version. `v1` moves with the releases; a commit is one if the release's tag is on it.
is_release() {
    [ -n "${REPOSITORY:-}" ] || return 1
    case ${REF:-} in
    v1 | "v$version") true ;;
    *) [ ${#REF} = 40 ] && git ls-remote "$SERVER/$REPOSITORY" "refs/tags/v$version" "refs/tags/v$version^{}" | grep -q "^$REF" ;;
    esac
}

download() {
    local name from scratch
    name=rig-$version-$(uname -m)-linux
    from=$SERVER/$REPOSITORY/releases/download/v$version
    scratch=$(mktemp -d)
    for file in SHA256SUMS "$name.tar.gz"; do
        curl --fail --silent --show-error --location --retry 3 --output "$scratch/$file" "$from/$file" || return 1
    done
    (cd "$scratch" && grep " $name.tar.gz\$" SHA256SUMS | sha256sum --check --quiet --strict) ||
        fail "$from/$name.tar.gz is not what SHA256SUMS says"
    tar --extract --gzip --file "$scratch/$name.tar.gz" --directory "$scratch" &&
        install -D -m 755 "$scratch/$name/rig" "$bin/rig"
}

# What the binary is built from.
sources() {
    find Cargo.toml Cargo.lock .cargo crates docker/images.yaml proxy-configs scenarios -type f -print0 |
        LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d ' ' -f 1
}

case $1 in
get)
    SERVER=${SERVER:-https://github.com}
    echo "path=$bin" >>"$GITHUB_OUTPUT"
    if [ -x "$bin/rig" ]; then
        echo "rig is here already"
    elif is_release && download; then
        echo "rig $version, as released"
    else
        echo "no release is at ${REF:-this path}: rig is built from its sources"
        echo "build=$(sources)" >>"$GITHUB_OUTPUT"
    fi
    ;;
build)
    if [ ! -x "$bin/rig" ]; then
        command -v cargo >/dev/null || fail "no release of rig is at ${REF:-this path}, and there is no cargo to build it"
        cargo build --locked --bin rig
        install -D -m 755 "${CARGO_TARGET_DIR:-target}/debug/rig" "$bin/rig"
    fi
    "$bin/rig" --version
    ;;
*) fail "what is $1?" ;;
esac
