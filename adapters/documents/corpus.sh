#!/usr/bin/env bash
# Fetches real documents by the ordinary package clients and reads all of them.
#
#     adapters/documents/corpus.sh [--show N]
#
# Needs apt-get with package lists (Debian 12), dpkg-deb, pip and cargo. Documents go to target/documents-corpus, which
# is kept: a second run fetches only what is missing. No document becomes part of the repository.
set -euo pipefail
cd "$(dirname "$0")/../.."

corpus=target/documents-corpus
files_a_kind=20
mkdir -p "$corpus"/{packages,tree,lists/partial,sources} "$corpus"/{md,html,pdf,docx,txt}

# Handbooks and manuals in several formats, made by different programs: LaTeX, Texinfo, DocBook, Sphinx, ReportLab.
packages=(developers-reference debian-policy maint-guide debian-reference-en debian-faq gnuplot-doc bash-doc r-doc-pdf
    octave-doc pari-doc python-reportlab-doc ddd-doc gri-pdf-doc valgrind docbook-xsl-doc-pdf erlang-doc texlive-latex-base-doc
    postgresql-doc-15 git-doc nginx-doc sqlite3-doc tcl8.6-doc debian-handbook rust-doc)
# Their tests hold documents that Word, LibreOffice and others wrote.
sources=(pandoc)
# Their documentation is Markdown; that of python-docx's tests is DOCX.
distributions=(attrs mkdocs hatch griffe pdm python-docx)

fetch_packages() {
    for package in "${packages[@]}"; do
        compgen -G "$corpus/packages/${package}_*.deb" >/dev/null && continue
        (cd "$corpus/packages" && apt-get download -qq "$package" 2>/dev/null) || echo "no package $package" >&2
    done
    for package in "$corpus"/packages/*.deb; do
        [ -e "$package.done" ] && continue
        dpkg-deb -x "$package" "$corpus/tree" && touch "$package.done"
    done
}

# Source packages by the same mirrors, with lists of their own so that the machine's stay as they are.
fetch_sources() {
    local parts="$PWD/$corpus/lists/parts"
    mkdir -p "$parts"
    sed -E 's/^Types: deb$/Types: deb-src/' /etc/apt/sources.list.d/*.sources >"$parts/sources.sources"
    local options=(-o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$parts" -o "Dir::State::lists=$PWD/$corpus/lists")
    for source in "${sources[@]}"; do
        compgen -G "$corpus/sources/${source}_*.orig.tar.*" >/dev/null && continue
        apt-get "${options[@]}" -qq update
        (cd "$corpus/sources" && apt-get "${options[@]}" -qq source --download-only "$source")
    done
    for archive in "$corpus"/sources/*.orig.tar.*; do
        case $archive in *.done) continue ;; esac
        [ -e "$archive.done" ] && continue
        tar -xf "$archive" -C "$corpus/tree" && touch "$archive.done"
    done
}

fetch_distributions() {
    for name in "${distributions[@]}"; do
        compgen -G "$corpus/sources/${name//-/?}-*.tar.gz" >/dev/null && continue
        pip download -q --no-deps --no-binary "$name" -d "$corpus/sources" "$name" || echo "no distribution $name" >&2
    done
    for archive in "$corpus"/sources/*-*.tar.gz; do
        case $archive in *.orig.tar.gz) continue ;; esac
        [ -e "$archive.done" ] && continue
        tar -xf "$archive" -C "$corpus/tree" && touch "$archive.done"
    done
}

# Size and path of each candidate; DOCX by its text, since pictures make most of a file.
candidates() {
    if [ "$kind" = docx ]; then
        python3 - "$corpus/tree" <<'PY'
import pathlib, sys, zipfile
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.docx")):
    try:
        size = zipfile.ZipFile(path).getinfo("word/document.xml").file_size
    except Exception:
        continue
    print(size, path)
PY
    else
        find "$corpus/tree" -type f -regextype posix-extended -iregex "$pattern" -size "+$least" -size "-$most" -printf '%s %p\n'
    fi
}

# Twenty of a kind: the largest from each package in turn, so that no package has more than a few.
choose() {
    local kind=$1 pattern=$2 least=$3 most=$4
    [ "$(find "$corpus/$kind" -type f | wc -l)" -ge "$files_a_kind" ] && return
    candidates |
        sort -k1,1nr -k2,2 |
        awk -v root="$corpus/tree/" '{
            split(substr($2, length(root) + 1), at, "/")
            package = at[1] == "usr" ? (at[3] == "doc" ? at[4] : at[3]) : at[1]
            print ++seen[package], $0
        }' |
        sort -k1,1n -k2,2nr |
        head -n "$files_a_kind" |
        while read -r _ _ path; do
            name=$(echo "${path#"$corpus/tree/"}" | tr '/ ' '__')
            case $path in
                *.gz) gzip -dc "$path" >"$corpus/$kind/${name%.gz}" ;;
                *) cp "$path" "$corpus/$kind/$name" ;;
            esac
        done
}

fetch_packages
fetch_sources
fetch_distributions
choose pdf '.*\.pdf(\.gz)?' 20k 9000k
choose html '.*\.x?html?' 8k 900k
choose md '.*\.(md|markdown)' 1k 900k
choose docx '.*\.docx' 8k 9000k
choose txt '.*\.txt(\.gz)?' 8k 2000k

cargo run --release -q -p gristmill-documents --example corpus -- "$corpus"/{md,html,pdf,docx,txt} "$@"
