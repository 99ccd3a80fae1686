#!/bin/sh
# Checks the few things a build needs, and says what to install where one is missing.
set -eu

missing=0
need() {
    echo "needed: $1" >&2
    echo "        $2" >&2
    missing=1
}

# Newer than or equal to: is_at_least HAVE WANT
is_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

python=${PYTHON:-python3}
rust=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)

if ! command -v cargo >/dev/null 2>&1; then
    need "Rust $rust or newer" "see https://rustup.rs, or your distribution's package"
else
    have=$(rustc --version | sed 's/^rustc \([0-9.]*\).*/\1/')
    is_at_least "$have" "$rust" || need "Rust $rust or newer, this is $have" "rustup update stable"
fi

if ! command -v cc >/dev/null 2>&1 || ! { command -v c++ || command -v g++ || command -v clang++; } >/dev/null 2>&1; then
    need "a C and C++ compiler" "Debian, Ubuntu: apt-get install build-essential; Fedora: dnf install gcc-c++; macOS: xcode-select --install"
fi

if ! command -v "$python" >/dev/null 2>&1; then
    need "Python 3.9 or newer with pip" "Debian, Ubuntu: apt-get install python3 python3-pip"
elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))'; then
    need "Python 3.9 or newer, this is $("$python" --version 2>&1)" "install a newer one, or name it with PYTHON=..."
elif ! "$python" -m pip --version >/dev/null 2>&1; then
    need "pip for $python" "Debian, Ubuntu: apt-get install python3-pip"
fi

# Tests look at videos; a server does without, and says so when it is given one.
if [ "${1:-}" = test ] && ! command -v ffmpeg >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        echo "installing Debian's ffmpeg"
        { apt-get install -y --no-install-recommends ffmpeg || { apt-get update && apt-get install -y --no-install-recommends ffmpeg; }; } >/dev/null
    fi
    command -v ffmpeg >/dev/null 2>&1 || need "ffmpeg, for the tests of videos" "Debian, Ubuntu: apt-get install ffmpeg; Fedora: dnf install ffmpeg-free; macOS: brew install ffmpeg"
fi

exit $missing
