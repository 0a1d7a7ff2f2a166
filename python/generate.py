#!/usr/bin/env python3
"""Generates `gristmill/v1` from `proto/gristmill/v1`: messages, the service's client, and their types. Needs grpcio-tools and mypy-protobuf.

    generate.py

What is there is replaced, and only where it changes, so that whoever looks at times sees what is new.
"""

import os
import pathlib
import subprocess
import sys
import sysconfig
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parent / "proto"
PACKAGE = pathlib.Path("gristmill/v1")
HEAD = '"""Messages and service of `gristmill.v1`, generated from `proto/gristmill/v1`."""\n'
# Only this file has a service.
SERVICE = "coordinator"


def generated(folder: pathlib.Path) -> dict[str, bytes]:
    """The modules by their names."""
    files = sorted(str(file.relative_to(PROTO)) for file in (PROTO / PACKAGE).glob("*.proto"))
    plugins = os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", "")])
    outputs = [f"--{kind}_out={folder}" for kind in ("python", "mypy", "grpc_python", "mypy_grpc")]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO}", *outputs, *files]
    ran = subprocess.run(command, env=os.environ | {"PATH": plugins}, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(f"generate.py: {ran.stderr.strip()}")
    made = {file.name: file.read_bytes() for file in (folder / PACKAGE).iterdir()}
    made["__init__.py"] = HEAD.encode()
    return {name: text for name, text in made.items() if "_grpc." not in name or name.startswith(SERVICE)}


def main() -> None:
    target = HERE / PACKAGE
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        modules = generated(pathlib.Path(folder))
    for file in target.iterdir():
        if file.is_file() and file.name not in modules:
            file.unlink()
    for name, text in modules.items():
        file = target / name
        if not file.is_file() or file.read_bytes() != text:
            file.write_bytes(text)


if __name__ == "__main__":
    main()
