#!/usr/bin/env python3
"""Packs folders into a container image: an OCI archive that `docker load`, `podman load` and `skopeo` read.

    oci.py --out FILE --name NAME:TAG --epoch SECONDS --config FILE LAYER...

Each LAYER is a folder, packed as it is seen from the image's root; later ones lie over earlier ones. `--config` is the image's configuration
(entry point, user, environment) in JSON, as in the OCI image specification. Prints the digest of the image.

The same folders give the same bytes: files are sorted, belong to root, and are of the time `--epoch`; nothing of this machine is written.
"""
import argparse
import datetime
import gzip
import hashlib
import io
import json
import pathlib
import platform
import stat
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# Folders of the program's own user.
OWNED = ("var/lib/gristmill",)
OWNER = 10001


def entry(archive: tarfile.TarFile, path: pathlib.Path, name: str, epoch: int) -> None:
    info = archive.gettarinfo(path, arcname=name)
    info.uid = info.gid = OWNER if name.startswith(OWNED) else 0
    info.uname = info.gname = ""
    info.mtime = epoch
    # Not the modes of the folder, which the packer's umask has a part in.
    info.mode = 0o777 if info.issym() else 0o755 if info.isdir() or info.mode & stat.S_IXUSR else 0o644
    info.mode = 0o1777 if name == "tmp" else info.mode
    if info.islnk():
        # The second name of a file is a file of its own: which of them comes first is the file system's choice.
        info.type, info.linkname, info.size = tarfile.REGTYPE, "", path.stat().st_size
    if info.isreg():
        with path.open("rb") as content:
            archive.addfile(info, content)
    else:
        archive.addfile(info)


def layer(folder: pathlib.Path, epoch: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix()):
            entry(archive, path, path.relative_to(folder).as_posix(), epoch)
    return buffer.getvalue()


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("--config", type=pathlib.Path, required=True)
    parser.add_argument("layers", type=pathlib.Path, nargs="+")
    args = parser.parse_args()
    made = datetime.datetime.fromtimestamp(args.epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

    blobs: dict[str, bytes] = {}

    def blob(content: bytes, media_type: str) -> dict:
        blobs[digest(content)] = content
        return {"mediaType": media_type, "digest": digest(content), "size": len(content)}

    tars = [layer(folder, args.epoch) for folder in args.layers]
    packed = [gzip.compress(tar, compresslevel=6, mtime=0) for tar in tars]
    layers = [blob(content, "application/vnd.oci.image.layer.v1.tar+gzip") for content in packed]
    config = {
        "created": made,
        "architecture": ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": json.loads(args.config.read_text()),
        "rootfs": {"type": "layers", "diff_ids": [digest(tar) for tar in tars]},
        "history": [{"created": made, "created_by": f"scripts/image.sh: {folder.name}"} for folder in args.layers],
    }
    described = blob(json.dumps(config, sort_keys=True).encode(), "application/vnd.oci.image.config.v1+json")
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described, "layers": layers}
    image = blob(json.dumps(manifest, sort_keys=True).encode(), MANIFEST)
    tag = args.name.rpartition(":")[2]
    named = image | {"annotations": {"io.containerd.image.name": f"docker.io/library/{args.name}", "org.opencontainers.image.ref.name": tag}}
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [named]}
    files = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}', "index.json": json.dumps(index, sort_keys=True).encode()}
    files |= {f"blobs/sha256/{name.removeprefix('sha256:')}": content for name, content in blobs.items()}
    with tarfile.open(args.out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in sorted(files.items()):
            info = tarfile.TarInfo(name)
            info.size, info.mtime, info.mode = len(content), args.epoch, 0o644
            archive.addfile(info, io.BytesIO(content))
    print(image["digest"])


if __name__ == "__main__":
    main()
