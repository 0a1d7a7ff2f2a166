#!/usr/bin/env bash
# Takes the symbols out of a program that was built with the profile `dist`, and keeps them in a file beside it.
#
#   symbols.sh PROGRAM [FOLDER]
#
# FOLDER   where to write the program without line tables, and PROGRAM.debug with them (default: beside the program)
#
# The program keeps the names of its functions, so that a backtrace can be read anywhere. With the .debug file in the same folder its
# backtraces name files and lines as well, and `backtrace.py` adds them to a backtrace from elsewhere.
set -euo pipefail
[ $# -ge 1 ] && [ $# -le 2 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
program=$(realpath -e -- "$1")
folder=$(realpath -m -- "${2:-$(dirname "$program")}")
name=$(basename "$program")
"$here/scripts/need.sh" binutils
if ! readelf --section-headers --wide "$program" | grep -q ' \.debug_line '; then
    printf 'symbols.sh: %s has no line tables: build it with `cargo build --profile dist`, and take them out once\n' "$program" >&2
    exit 1
fi
mkdir -p -- "$folder"
work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
objcopy --only-keep-debug --compress-debug-sections=zlib "$program" "$work/$name.debug"
objcopy --strip-debug "$program" "$work/$name"
# The link is a name and a checksum: both files move together.
(cd "$work" && objcopy --add-gnu-debuglink="$name.debug" "$name")
chmod 755 "$work/$name"
mv -- "$work/$name" "$work/$name.debug" "$folder/"
(cd "$folder" && ls -l -- "$name" "$name.debug") >&2
