#!/usr/bin/env bash
# Builds the image without a container runtime and without a registry: its base is made of Debian's packages. The image holds the program, the
# libraries that it links to, certificates, and nothing else: no shell, no package manager.
#
#   image.sh [--program PATH] [--features LIST] [--name NAME:TAG] [--out FOLDER] [--small]
#
# --program PATH     packs a program that is there (default: builds one with the profile `dist`, and keeps its symbols)
# --features LIST    features besides the default ones, for the build and the list of parts
# --name NAME:TAG    what the image is called (gristmill:VERSION)
# --out FOLDER       where to write (target/image)
# --small            leaves out the names of functions too: 79 MB instead of 99, 31 instead of 35 packed, and backtraces that say nothing
#
# Writes FOLDER/gristmill.oci.tar, an OCI archive; FOLDER/gristmill.cdx.json, what is in it (CycloneDX); FOLDER/rootfs, its files. The same commit, the
# same program and the same packages give the same bytes: times are SOURCE_DATE_EPOCH's, or the commit's.
#
# Load it:   docker load < target/image/gristmill.oci.tar      or      skopeo copy oci-archive:target/image/gristmill.oci.tar docker://…
#
# Needs Debian or Ubuntu (apt-get, dpkg-deb), python3 3.11 and binutils. Models that come as Python packages cannot be fetched in it: fill a cache
# folder elsewhere and mount it, or use deploy/Dockerfile's image, which has Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Whoever packs it: the program's user must be able to read all of it.
umask 022
usage() { sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "${BASH_SOURCE[0]}"; }

program='' features='' out=target/image strip=--strip-debug
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version *= *"\(.*\)"/\1/p' Cargo.toml)
name=gristmill:$version
while [ $# -gt 0 ]; do
    case $1 in
    --program | --features | --name | --out)
        [ $# -ge 2 ] || { printf 'image.sh: %s needs a value\n' "$1" >&2; exit 2; }
        declare "${1#--}=$2"
        shift 2
        ;;
    --small) strip=--strip-all; shift ;;
    --help) usage; exit ;;
    *) printf 'image.sh: `%s` is none of --program, --features, --name, --out, --small\n' "$1" >&2; exit 2 ;;
    esac
done
scripts/need.sh binutils python3
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH=$epoch
mkdir -p "$out"
out=$(realpath "$out")

if [ -z "$program" ]; then
    # Paths of this machine stay out of the program, so that another machine builds the same.
    home=${CARGO_HOME:-$HOME/.cargo}
    export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$PWD=/build --remap-path-prefix=$home=/cargo"
    export CFLAGS="${CFLAGS:-} -ffile-prefix-map=$home=/cargo" CXXFLAGS="${CXXFLAGS:-} -ffile-prefix-map=$home=/cargo"
    cargo build --profile dist --locked --package gristmill --features "$features"
    scripts/symbols.sh target/dist/gristmill "$out"
    program=$out/gristmill
fi
[ -x "$program" ] || { printf 'image.sh: %s is not a program\n' "$program" >&2; exit 1; }

# The packages of the libraries that the program asks for, by its own list.
packages=(ca-certificates libc6 libgcc-s1)
while read -r library; do
    case $library in
    libc.so.6 | libm.so.6 | libdl.so.2 | libpthread.so.0 | librt.so.1 | ld-linux*) ;;
    libgcc_s.so.1) ;;
    libstdc++.so.6) packages+=(libstdc++6) ;;
    libgomp.so.1) packages+=(libgomp1) ;;
    *) printf 'image.sh: the program links to %s, and no package is known that has it: add it here\n' "$library" >&2; exit 1 ;;
    esac
done < <(readelf --dynamic "$program" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')

# Fetched once: apt-get checks each against the signed list of packages. A fresh machine, as that of a container, has no list yet.
mkdir -p "$out/packages"
if ! apt-get download --print-uris "${packages[@]}" >/dev/null 2>&1; then
    as_root=()
    [ "$(id -u)" = 0 ] || as_root=(sudo)
    "${as_root[@]}" apt-get update -qq
fi
debian=() files=()
for package in "${packages[@]}"; do
    of=$(apt-cache policy "$package" | sed -n 's/^  Candidate: //p')
    [ -n "$of" ] && [ "$of" != '(none)' ] || { printf 'image.sh: apt knows no %s: run `apt-get update`\n' "$package" >&2; exit 1; }
    # In a file's name, `:` is written as `%3a`.
    file=$(compgen -G "$out/packages/${package}_${of//:/%3a}_*.deb" || true)
    if [ -z "$file" ]; then
        (cd "$out/packages" && apt-get download -qq -o APT::Sandbox::User=root "$package=$of")
        file=$(compgen -G "$out/packages/${package}_${of//:/%3a}_*.deb")
    fi
    files+=("$file") debian+=(--debian "$package=$of")
done

base=$out/rootfs/base top=$out/rootfs/program
rm -rf "$out/rootfs" && mkdir -p "$base" "$top/usr/local/bin" "$top/usr/share/doc/gristmill"
for file in "${files[@]}"; do dpkg-deb --fsys-tarfile "$file" | tar -x -C "$base" --no-same-owner; done
# What is left: libraries, certificates, and the packages' licences.
(
    cd "$base"
    find usr/share -mindepth 1 -maxdepth 1 ! -name doc ! -name ca-certificates -exec rm -rf {} +
    find usr/share/doc -type f ! -name copyright -delete
    # Of the C library, what helps to debug, and what no program here asks for.
    for unused in libBrokenLocale libc_malloc_debug libmemusage libmvec libnsl libnss_compat libnss_hesiod libpcprofile libthread_db; do
        find . -name "$unused.so*" -delete
    done
    rm -rf sbin usr/sbin bin usr/bin var etc usr/lib/*/gconv usr/lib/*/audit lib/*/audit usr/lib/locale
    mkdir -p etc/ssl/certs tmp var/lib/gristmill/store var/lib/gristmill/cache
    chmod 1777 tmp
    find usr/share/ca-certificates -name '*.crt' | LC_ALL=C sort | xargs cat >etc/ssl/certs/ca-certificates.crt
    rm -rf usr/share/ca-certificates
    printf 'root:x:0:0:root:/:/nologin\ngristmill:x:10001:10001::/var/lib/gristmill:/nologin\n' >etc/passwd
    printf 'root:x:0:\ngristmill:x:10001:\n' >etc/group
    printf 'hosts: files dns\n' >etc/nsswitch.conf
    find . -type d -empty -path './usr/*' -delete
    # Newer releases put everything below /usr, and programs name their loader without it.
    for folder in lib lib64; do [ -e "$folder" ] || [ ! -d "usr/$folder" ] || ln -s "usr/$folder" "$folder"; done
)
install -m 755 "$program" "$top/usr/local/bin/gristmill"
# A program with line tables is five times as large: symbols.sh keeps them elsewhere, and leaves a link that stripping once more would take away.
if [ $strip = --strip-all ] || readelf --section-headers --wide "$program" | grep -q ' \.debug_line '; then
    objcopy $strip "$top/usr/local/bin/gristmill"
fi
install -m 644 LICENSE "$top/usr/share/doc/gristmill/copyright"
scripts/sbom.py --features "$features" "${debian[@]}" --program "$top/usr/local/bin/gristmill" >"$out/gristmill.cdx.json"
install -m 644 "$out/gristmill.cdx.json" "$top/usr/share/doc/gristmill/"

revision=$(git rev-parse HEAD)
cat >"$out/config.json" <<JSON
{"User": "10001:10001", "WorkingDir": "/var/lib/gristmill", "StopSignal": "SIGTERM",
 "Entrypoint": ["/usr/local/bin/gristmill"], "Cmd": ["--help"],
 "Env": ["PATH=/usr/local/bin", "HOME=/tmp", "GRISTMILL_CACHE=/var/lib/gristmill/cache"],
 "ExposedPorts": {"7070/tcp": {}, "7071/tcp": {}, "7072/tcp": {}},
 "Labels": {"org.opencontainers.image.title": "gristmill", "org.opencontainers.image.version": "$version",
            "org.opencontainers.image.revision": "$revision", "org.opencontainers.image.licenses": "Apache-2.0"}}
JSON
digest=$(scripts/oci.py --out "$out/gristmill.oci.tar" --name "$name" --epoch "$epoch" --config "$out/config.json" "$base" "$top")
printf '%s %s: %s, files of %s\n' "$name" "$digest" "$(du -h "$out/gristmill.oci.tar" | cut -f1)" "$(du -shc "$base" "$top" | tail -1 | cut -f1)"
