#!/usr/bin/env bash
# Downloads the Debian Developer's Reference as the package `developers-reference` and writes the seeds of this example:
# the questions of questions.jsonl, each with its passage from the handbook. Nothing is installed and no root is needed.
#
#   fetch.sh [FOLDER] [--deb FILE]
#
# FOLDER   where to write (default: build/ beside this script): the package, seeds.jsonl, handbook.json and COPYRIGHT.
#          A package that lies there already is used again, so a second run needs no network.
# --deb    use this package file instead of downloading one (for a system without apt-get).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
package=developers-reference

fail() {
    printf 'fetch.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

folder=
deb=
while [ $# -gt 0 ]; do
    case $1 in
    -h | --help)
        sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"
        exit 0
        ;;
    --deb)
        [ $# -ge 2 ] || fail '--deb needs the path of a package file' 2
        deb=$2
        shift 2
        ;;
    -*) fail "unknown option $1 (known: --deb FILE, --help)" 2 ;;
    *)
        [ -z "$folder" ] || fail "one folder at most, but got '$folder' and '$1'" 2
        folder=$1
        shift
        ;;
    esac
done
folder=${folder:-$here/build}

command -v python3 >/dev/null ||
    fail 'python3 is needed and was not found; install it (Debian, Ubuntu: apt-get install python3; Fedora: dnf install python3; macOS: brew install python)'

mkdir -p "$folder" || fail "cannot create the folder $folder"
folder=$(cd "$folder" && pwd)

# A package on disk comes first: `apt-get download` always asks the network.
newest_package() {
    find "$1" -maxdepth 1 -name "${package}_*.deb" -size +0 | sort -V | tail -n 1
}

download() {
    command -v apt-get >/dev/null ||
        fail "apt-get was not found, so the package cannot be downloaded here; fetch ${package}_*_all.deb from a Debian mirror (pool/main/d/${package}/) and run: fetch.sh --deb FILE"
    local scratch
    scratch=$(mktemp -d)
    # shellcheck disable=SC2064 # the path is known now and local later
    trap "rm -rf '$scratch'" EXIT
    mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial" "$scratch/deb"

    # The system's package lists serve when there are any; else lists of our own, so that neither root nor a change of
    # the system is needed (container images often come without lists).
    local own=(-o "Dir::State::lists=$scratch/lists" -o "Dir::Cache=$scratch/cache" -o Acquire::Languages=none
        -o "APT::Sandbox::User=$(id -un)" -o Acquire::Retries=3)
    if ! (cd "$scratch/deb" && apt-get -qq -o "APT::Sandbox::User=$(id -un)" download "$package" >"$scratch/log" 2>&1); then
        if ! { apt-get -qq "${own[@]}" update && cd "$scratch/deb" && apt-get -qq "${own[@]}" download "$package"; } >>"$scratch/log" 2>&1; then
            cat "$scratch/log" >&2
            fail "apt-get could not download $package; check the network, or pass a package you have: fetch.sh --deb FILE"
        fi
        cd "$here"
    fi
    deb=$(newest_package "$scratch/deb")
    [ -n "$deb" ] || fail "apt-get reported success but left no $package package"
    cp "$deb" "$folder/.part" && mv "$folder/.part" "$folder/$(basename "$deb")"
    deb=$folder/$(basename "$deb")
}

if [ -n "$deb" ]; then
    [ -f "$deb" ] || fail "no such package file: $deb"
else
    deb=$(newest_package "$folder")
    [ -n "$deb" ] || download
fi

python3 "$here/passages.py" "$deb" "$here/questions.jsonl" "$folder"
