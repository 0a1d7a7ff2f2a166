#!/usr/bin/env bash
# Builds the Python wheel, which holds the program and the package, or tries one.
#
#   wheel.sh build [--profile PROFILE]   builds it into target/wheels, with cargo's profile `release` unless told otherwise, and says its size
#   wheel.sh check [WHEEL]               installs it, or the only one in target/wheels, in a fresh environment, and has its client submit a job,
#                                        watch it and read its rows, at a coordinator and a worker of the program in it
#
# maturin comes from PyPI into an environment of its own, which pip makes and removes. The wheel's tag says for which systems it is: on Linux, those
# whose glibc is at least the one that the program needs. Wheels for others to use are built where that is old (.github/workflows/release.yml).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
wheels=$target/wheels

fail() {
    printf 'wheel.sh: %s\n' "$*" >&2
    exit 1
}

build() {
    local profile=release
    if [ "${1:-}" = --profile ]; then
        profile=${2:?--profile needs a value}
        shift 2
    fi
    [ $# -eq 0 ] || fail "there is no option $1; --help names them"
    "$here/scripts/need.sh" g++ python3 python3-venv python3-pip
    rm -rf -- "$wheels"
    # PyPI takes wheels that say which glibc they need; for pip itself, maturin leaves that out.
    CARGO_TARGET_DIR=$target python3 -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir "$wheels" \
        --config-settings "build-args=--profile $profile --compatibility pypi" "$here/python"
    python3 - "$(only_wheel)" <<'PY'
import os, sys, zipfile
[program] = [part.file_size for part in zipfile.ZipFile(sys.argv[1]).infolist() if part.filename.endswith("/scripts/gristmill")]
print(f"{sys.argv[1]}: {os.path.getsize(sys.argv[1]):,} bytes; the program in it: {program:,} bytes")
PY
}

# The wheel that is in target/wheels.
only_wheel() {
    local found=("$wheels"/gristmill-*.whl)
    if [ ! -f "${found[0]}" ] || [ ${#found[@]} -ne 1 ]; then
        fail "$wheels does not hold one wheel: build it with \`scripts/wheel.sh build\`"
    fi
    printf '%s\n' "${found[0]}"
}

check() {
    local wheel=${1:-}
    [ -n "$wheel" ] || wheel=$(only_wheel)
    work=$(mktemp -d)
    # RabbitMQ has a user of its own, who must reach its folder.
    chmod 711 "$work"
    trap finish EXIT
    "$here/scripts/need.sh" g++ python3 python3-venv python3-pip
    # The model is simulated.
    [ -x "$target/debug/gristmill-sim" ] || (cd "$here" && cargo build --locked -p gristmill-tests --bin gristmill-sim)
    python3 -m venv "$work/venv"
    "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check "$(realpath -e -- "$wheel")[pandas]" mypy
    "$work/venv/bin/gristmill" --version

    local questions=$here/tests/data/questions/gsm8k/train.jsonl
    "$target/debug/gristmill-sim" --gsm8k "$questions" --listen 127.0.0.1:0 >"$work/model" 2>&1 &
    model=$!
    "$here/scripts/cluster.sh" --workers 1 --program "$work/venv/bin/gristmill" --folder "$work/cluster" >"$work/server" 2>"$work/log" &
    cluster=$!
    until [ -s "$work/server" ] && [ -s "$work/model" ]; do
        kill -0 "$cluster" 2>/dev/null && kill -0 "$model" 2>/dev/null || fail "$(cat "$work/log" "$work/model")"
        sleep 0.2
    done
    # Types are found in what is installed, not in the sources.
    cp "$here/python/tests/wheel.py" "$work/"
    cd "$work"
    venv/bin/mypy --strict --cache-dir "$work/mypy" wheel.py
    GRISTMILL_SERVER=$(head -n 1 server) venv/bin/python -I wheel.py "$(grep -om1 'http://[^ ]*' model)" "$questions" "$work/cluster/store"
}

model='' cluster='' work=''
finish() {
    local status=$?
    [ -z "$cluster" ] || { kill -TERM "$cluster" && wait "$cluster"; } 2>/dev/null || true
    [ -z "$model" ] || kill "$model" 2>/dev/null || true
    rm -rf -- "$work"
    exit "$status"
}

case ${1:-} in
build | check) "$@" ;;
-h | --help) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" ;;
*) fail "name what to do: build or check; --help says more" ;;
esac
