#!/usr/bin/env python3
"""Packs a program as an archive for people to download: `gristmill-VERSION-TARGET.tar.gz`, and its checksum beside it.

    archive.py PROGRAM [FOLDER]

In it are the program, licence, README, changelog, and the list of the program's parts (CycloneDX, from sbom.py). The target is that of this machine's
compiler, on which the program must run. FOLDER is `target/archive` when left out. The same program and the same commit give the same bytes. Needs
Python 3.11, git and cargo.
"""

import argparse
import gzip
import hashlib
import io
import pathlib
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILES = ("LICENSE", "README.md", "CHANGELOG.md")


def said(*command: str | pathlib.Path) -> str:
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def target() -> str:
    lines = said("rustc", "--version", "--verbose").splitlines()
    return next(line.removeprefix("host: ") for line in lines if line.startswith("host: "))


def pack(name: str, files: dict[str, tuple[bytes, int]], time: int) -> bytes:
    """A folder of that name with these files, by name with their modes, as of that time."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file, (content, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(f"{name}/{file}")
            entry.size, entry.mode, entry.mtime = len(content), mode, time
            archive.addfile(entry, io.BytesIO(content))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", filename="", mtime=time) as zipped:
        zipped.write(plain.getvalue())
    return packed.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path, nargs="?", default=ROOT / "target/archive")
    args = parser.parse_args()
    program = args.program.resolve(strict=True)
    name = f"gristmill-{said(program, '--version').removeprefix('gristmill ')}-{target()}"
    files = {file: ((ROOT / file).read_bytes(), 0o644) for file in FILES}
    files["gristmill"] = (program.read_bytes(), 0o755)
    parts = said(sys.executable, ROOT / "scripts/sbom.py", "--program", program)
    files["gristmill.cdx.json"] = (parts.encode() + b"\n", 0o644)
    packed = pack(name, files, int(said("git", "log", "-1", "--format=%ct")))
    args.folder.mkdir(parents=True, exist_ok=True)
    archive = args.folder / f"{name}.tar.gz"
    archive.write_bytes(packed)
    checksum = f"{hashlib.sha256(packed).hexdigest()}  {archive.name}\n"
    archive.with_name(f"{archive.name}.sha256").write_text(checksum)
    print(f"{archive}: {len(packed):,} bytes")


if __name__ == "__main__":
    main()
