#!/bin/bash
# Packs programs of this machine, with the libraries and modules that they need, into the tar of an image: for releases, and
# for tests where no registry answers. A shell is always in it; `python3` brings its standard library. A program from outside
# of the system lies in /usr/bin. A path is a file, which lies at the root.
#
#   tools/pack-image.sh sleep python3 ./server.py | docker import - shop:1
set -euo pipefail

PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

fail() {
    printf 'pack-image: %s\n' "$@" >&2
    exit 3
}

# Copies a file to its own path, or to the second. Links on the way become directories, so that every name leads to it.
put() {
    local to=$stage${2:-$1}
    [ ! -e "$to" ] || return 0
    mkdir -p "$(dirname "$to")"
    cp -L "$1" "$to"
}

# The libraries of these files.
libraries() {
    # What is linked statically has none.
    { ldd "$@" 2>/dev/null | grep -o '/[^ ]*\.so[^ ]*' || true; } | sort -u | while read -r library; do put "$library"; done
}

mkdir -p "$stage"/{usr/bin,usr/sbin,usr/lib,usr/lib64,etc,tmp}
chmod 1777 "$stage/tmp"
for directory in bin sbin lib lib64; do ln -s "usr/$directory" "$stage/$directory"; done
printf '%s\n' 'root:x:0:0:root:/root:/bin/sh' 'nobody:x:65534:65534:nobody:/:/bin/false' >"$stage/etc/passwd"
printf '%s\n' 'root:x:0:' 'nobody:x:65534:' 'nogroup:x:65534:' >"$stage/etc/group"

for program in sh "$@"; do
    case $program in
    */*)
        cp -L "$program" "$stage/"
        continue
        ;;
    # The system's own: a version manager's is a script, and lies elsewhere.
    python3) path=/usr/bin/python3 ;;
    *) path=$(command -v "$program") || fail "$program is not on this machine" ;;
    esac
    [ -x "$path" ] || fail "$path is not on this machine"
    path=$(realpath "$path")
    case $path in
    /usr/* | /bin/* | /sbin/*) put "$path" ;;
    *) put "$path" "/usr/bin/$program" ;;
    esac
    libraries "$path"
    # Debian keeps a server's modules here.
    for module in /usr/lib/"$program"/modules/*.so; do
        [ ! -e "$module" ] || { put "$module" && libraries "$module"; }
    done
    [ -e "$stage/usr/bin/$program" ] || ln -s "$path" "$stage/usr/bin/$program"
    if [ "$program" = python3 ]; then
        library=$("$path" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
        mkdir -p "$stage$library"
        tar --create --file - --directory "$library" --dereference --exclude=test --exclude=idlelib --exclude=ensurepip \
            --exclude='config-*' --exclude='*-packages' --exclude=__pycache__ --exclude='sitecustomize.py' . |
            tar --extract --file - --directory "$stage$library"
        find "$library/lib-dynload" -name '*.so' -exec ldd {} + 2>/dev/null | grep -o '/[^ ]*\.so[^ ]*' | sort -u |
            while read -r found; do case $found in *:) ;; *) put "$found" ;; esac done
    fi
done
tar --create --file - --directory "$stage" .
