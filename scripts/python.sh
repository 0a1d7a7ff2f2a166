#!/usr/bin/env bash
# Checks the Python package, and fetches what that takes into target/python, once.
#
#   python.sh check           generates what `proto/` describes; types, lints, and the tests that need no cluster (what tests/tests/python.rs runs)
#   python.sh python ARGS…    runs the Python that has the package's sources and its tools
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
tools=$target/python

fail() {
    printf 'python.sh: %s\n' "$*" >&2
    exit 1
}

case ${1:-} in
check | python) ;;
-h | --help)
    sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
    exit 0
    ;;
*) fail "name what to do: check or python; --help says more" ;;
esac

"$here/scripts/need.sh" python3 python3-venv python3-pip
mkdir -p "$target"
exec 9>"$tools.lock"
flock 9
# Its programs name the folder that they were made in: one that was moved or copied is made anew.
wanted=$(printf '# %s\n' "$tools" && cat "$here/python/requirements-dev.txt")
if [ "$(cat "$tools/fetched" 2>/dev/null)" != "$wanted" ]; then
    printf 'python.sh: fetching tools into %s\n' "$tools" >&2
    rm -rf -- "$tools"
    python3 -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check --requirement "$here/python/requirements-dev.txt"
    printf '%s\n' "$wanted" >"$tools/fetched"
fi
"$tools/bin/python" "$here/python/generate.py"
flock -u 9

export PYTHONPATH=$here/python PYTHONDONTWRITEBYTECODE=1 MYPY_CACHE_DIR=$tools/mypy RUFF_CACHE_DIR=$tools/ruff
case $1 in
check)
    cd "$here/python"
    "$tools/bin/ruff" check --quiet .
    "$tools/bin/ruff" format --quiet --check . || fail 'files are not formatted: run `ruff format` in python/'
    "$tools/bin/mypy"
    exec "$tools/bin/python" -m pytest -p no:cacheprovider --quiet tests/test_package.py tests/test_streams.py
    ;;
python)
    shift
    exec "$tools/bin/python" "$@"
    ;;
esac
