#!/usr/bin/env bash
# Installs the Debian packages named as arguments, if what they bring is missing.
set -euo pipefail

# Says whether a package's use is there already, however it was installed.
present() {
    case $1 in
    cmake | clang | g++ | python3 | redis-server) command -v "$1" >/dev/null ;;
    rabbitmq-server) [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] ;;
    binutils) command -v objcopy >/dev/null && command -v readelf >/dev/null ;;
    python3-pip) python3 -m pip --version >/dev/null 2>&1 ;;
    python3-venv) python3 -c 'import ensurepip' >/dev/null 2>&1 ;;
    libclang-dev) compgen -G '/usr/lib/llvm-*/lib/libclang*.so*' >/dev/null || compgen -G '/usr/lib/*/libclang*.so*' >/dev/null ;;
    *) dpkg -s "$1" >/dev/null 2>&1 ;;
    esac
}

missing=()
for package in "$@"; do
    present "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

as_root=()
[ "$(id -u)" = 0 ] || as_root=(sudo)
if ! command -v apt-get >/dev/null; then
    printf 'need.sh: missing %s, and there is no apt-get: install them by hand\n' "${missing[*]}" >&2
    exit 1
fi
printf 'need.sh: installing %s\n' "${missing[*]}" >&2
export DEBIAN_FRONTEND=noninteractive
# A fresh machine is often busy upgrading itself: wait for its turn.
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends "${missing[@]}" >/dev/null
