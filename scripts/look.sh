#!/usr/bin/env bash
# Opens a page in headless Chromium, as light and dark, at desktop and phone width: writes a picture of each, and fails when the browser's
# console says anything. Installs Chromium with apt-get when it is missing and allowed.
#
#   look.sh PAGE.html FOLDER
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ $# -eq 2 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
page=$(realpath -e -- "$1")
mkdir -p -- "$2"
folder=$(realpath -- "$2")
"$here/scripts/need.sh" chromium

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT
said=0
for scheme in light dark; do
    for width in 1280 390; do
        # A frame of the width: a window cannot be as narrow as a phone.
        name=$scheme-$width
        printf '<!doctype html><meta charset="utf-8"><style>body{margin:0}iframe{border:0;display:block}</style><iframe src="file://%s" width="%s" height="2400"></iframe>\n' \
            "$page" "$width" >"$work/frame.html"
        # Chromium's own numbers: 0 is dark, 1 is light.
        number=1
        [ "$scheme" = light ] || number=0
        # The browser's first start may take long on a busy machine; its own log says more than its status.
        timeout 120 chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$work/profile" \
            --blink-settings=preferredColorScheme=$number --window-size=1280,2400 --enable-logging=stderr \
            --screenshot="$folder/$name.png" "file://$work/frame.html" 2>"$work/log" >/dev/null
        if grep CONSOLE "$work/log" >&2; then said=1; fi
        printf '%s\n' "$folder/$name.png"
    done
done
exit "$said"
