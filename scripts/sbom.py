#!/usr/bin/env python3
"""Writes what a program is made of as CycloneDX 1.6 (JSON): the crates of Cargo.lock that are linked into it, and Debian's packages beside it.

    sbom.py [--features LIST] [--debian NAME=VERSION ...] [--program FILE] > gristmill.cdx.json

--features   features of the program besides the default ones, as it was built with
--debian     a package of Debian's that the image holds; repeatable
--program    the program itself, whose hash is then stated

The same tree gives the same bytes: nothing of the time or the machine is written. Needs cargo, and no network when the sources are there.
"""
import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tomllib
import uuid

ROOT = pathlib.Path(__file__).resolve().parent.parent


def linked(features: str) -> dict[tuple[str, str], str]:
    """Crates that are linked into the program, by name and version, with their licence. Build scripts' and tests' own crates are not."""
    command = ["cargo", "tree", "--locked", "--package", "gristmill", "--edges", "normal", "--prefix", "none", "--no-dedupe"]
    command += ["--format", "{p}|{l}", "--features", features]
    # However this machine resolves features for its own builds: the program is built alone.
    alone = os.environ | {"CARGO_RESOLVER_FEATURE_UNIFICATION": "selected"}
    lines = subprocess.run(command, cwd=ROOT, env=alone, check=True, capture_output=True, text=True).stdout.splitlines()
    crates = {}
    for line in filter(None, lines):
        package, licence = line.rsplit("|", 1)
        name, version = package.split()[:2]
        crates[name, version.removeprefix("v")] = licence.replace("/", " OR ")
    return crates


def checksums() -> dict[tuple[str, str], str]:
    """Hashes of the crates' archives, for those from a registry."""
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    return {(crate["name"], crate["version"]): crate["checksum"] for crate in lock["package"] if "checksum" in crate}


def crate(name: str, version: str, licence: str, checksum: str | None) -> dict:
    component = {"type": "library", "bom-ref": f"pkg:cargo/{name}@{version}", "name": name, "version": version}
    if checksum:
        component["hashes"] = [{"alg": "SHA-256", "content": checksum}]
    if licence:
        component["licenses"] = [{"expression": licence}]
    # Crates of the workspace are published nowhere: they are parts of the program.
    return component | ({"purl": f"pkg:cargo/{name}@{version}"} if checksum else {})


def debian(package: str) -> dict:
    name, version = package.split("=", 1)
    purl = f"pkg:deb/debian/{name}@{version.replace('+', '%2B').replace(':', '%3A')}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", default="")
    parser.add_argument("--debian", action="append", default=[])
    parser.add_argument("--program", type=pathlib.Path)
    args = parser.parse_args()
    crates, sums = linked(args.features), checksums()
    [version] = [version for name, version in crates if name == "gristmill"]
    program = {"type": "application", "bom-ref": "gristmill", "name": "gristmill", "version": version}
    if args.program:
        digest = hashlib.sha256(args.program.read_bytes()).hexdigest()
        program["hashes"] = [{"alg": "SHA-256", "content": digest}]
    components = [crate(name, of, licence, sums.get((name, of))) for (name, of), licence in sorted(crates.items()) if name != "gristmill"]
    components += [debian(package) for package in sorted(args.debian)]
    bom = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": program},
        "components": components,
    }
    # A serial number is asked for; this one is a hash of what it numbers.
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps(bom, sort_keys=True))
    json.dump({**bom, "serialNumber": f"urn:uuid:{serial}"}, sys.stdout, indent=1, sort_keys=True)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
