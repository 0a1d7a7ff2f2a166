#!/usr/bin/env bash
# Looks at every page of a dashboard in headless Chromium: light and dark, desktop and phone, with and without script, with the accessibility rules of
# axe. Installs Chromium with apt-get when it is missing and allowed, and Playwright in target/browser.
#
#   browser.sh URL FOLDER [--run RUN] [--evaluation RUN] [--token TOKEN]
#
# URL is where the dashboard is (`gristmill ui`, or a coordinator's `--http`), FOLDER where pictures go. What is wrong is printed, a line each; the exit
# code is 0 when nothing is. With --evaluation the pages of an evaluation are looked at, too, and one vote is stored under the name `browser`. See tests/browser/pages.py for what is looked at.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
[ $# -ge 2 ] || { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
"$here/scripts/need.sh" chromium python3 python3-venv python3-pip
tools=${CARGO_TARGET_DIR:-$here/target}/browser
libraries=(playwright==1.65.2 axe-playwright-python==0.1.8) # Apache-2.0, MIT; the latter packs axe-core (MPL-2.0)
if [ "$(cat "$tools/fetched" 2>/dev/null)" != "${libraries[*]}" ]; then
    rm -rf -- "$tools"
    python3 -m venv "$tools"
    "$tools/bin/python" -m pip install --quiet --disable-pip-version-check "${libraries[@]}"
    printf '%s\n' "${libraries[*]}" >"$tools/fetched"
fi
exec "$tools/bin/python" "$here/tests/browser/pages.py" "$@"
