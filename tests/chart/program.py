"""Has the program read what the chart gives it: every flag, every value and every variable."""

import os
import pathlib
import re
import subprocess
import tempfile

from manifests import name
from pods import containers, pods

# Seconds after which a program that has read everything has said so.
PATIENCE = 10
# Nobody listens there: a program that got so far has read everything.
NOWHERE = {"redis": "redis://127.0.0.1:9/0", "broker": "amqp://user:password@127.0.0.1:9/%2f", "management": "http://user:password@127.0.0.1:9"}
REACHED = re.compile(r"Redis cannot be used|RabbitMQ cannot be used|cannot be reached|refused|connect", re.I)


def all(program, rendered):
    wrong, seen = [], set()
    for manifest, _, spec in pods(rendered):
        for one in containers(spec):
            if "gristmill" not in one["image"].split("/")[-1] or one["image"].split("/")[-1].startswith("gristmill-sim"):
                continue
            key = (tuple(one["args"]), tuple(variable["name"] for variable in one["env"]))
            if key not in seen:
                seen.add(key)
                errors = training(program, one, spec, rendered) if one["args"][0] == "train" else taken(program, one)
                wrong += [f"{name(manifest)}: {error}" for error in known(program, one) + errors]
    return wrong


def training(program, one, spec, rendered):
    """The program reads the settings of a training, and stops only where its base model is not there."""
    given, = [volume["configMap"]["name"] for volume in spec["volumes"] if "configMap" in volume]
    files, = [manifest["data"] for manifest in rendered if manifest["kind"] == "ConfigMap" and manifest["metadata"]["name"] == given]
    with tempfile.TemporaryDirectory() as folder:
        for file, text in files.items():
            pathlib.Path(folder, file).write_text(text)
        args = [word.replace("/etc/gristmill/training", folder).replace("/var/lib/gristmill", folder) for word in one["args"]]
        # The dataset is looked at before the base model is.
        pathlib.Path(args[1], "data").mkdir(parents=True)
        done = subprocess.run([program, *args], capture_output=True, text=True, timeout=PATIENCE, cwd=folder)
    if done.returncode != 3 or "base model" not in done.stderr:
        return [f"{one['args']} ended with {done.returncode}: {done.stderr.strip()[:500]}"]
    return []


def known(program, one):
    """Every variable of the program's that is set is one that its help names."""
    verb = [word for word in one["args"] if not word.startswith("-")][:2]
    texts = [subprocess.run([program, *words, "--help"], capture_output=True, text=True).stdout for words in (verb, verb[:1], [])]
    # The token is named where its file is.
    known = set(re.findall(r"(?:GRISTMILL|OTEL)_[A-Z_]+", "".join(texts)))
    names = {variable["name"] for variable in one["env"] if re.match("GRISTMILL_|OTEL_", variable["name"])}
    return [f"the program knows no variable {unknown}" for unknown in sorted(names - known)]


def value(variable, given):
    """What Kubernetes would fill in."""
    if "value" in variable:
        return re.sub(r"\$\(([A-Z_]+)\)", lambda found: given.get(found[1], found[0]), variable["value"])
    entry = variable["name"].removeprefix("GRISTMILL_").lower()
    return NOWHERE.get(entry, "word-of-16-letters")


def taken(program, one):
    """The program takes them, and stops only where it would speak to a server."""
    given = {"PATH": os.environ["PATH"]}
    for variable in one["env"]:
        given[variable["name"]] = value(variable, given)
    for entry, address in NOWHERE.items():
        if f"GRISTMILL_{entry.upper()}" in given:
            given[f"GRISTMILL_{entry.upper()}"] = address
    if "GRISTMILL_SERVER" in given:
        given["GRISTMILL_SERVER"] = "http://127.0.0.1:9"
    with tempfile.TemporaryDirectory() as folder:
        for key in ("GRISTMILL_SERVERS_CA", "GRISTMILL_SERVERS_CERT", "GRISTMILL_SERVERS_KEY"):
            given.pop(key, None)
        given |= {"GRISTMILL_STORE": folder, "HOME": folder, "GRISTMILL_CACHE": folder, "NO_COLOR": "1"}
        if one["args"][0] == "submit":
            return []  # tests/tests/chart.rs submits that job to a real cluster.
        try:
            done = subprocess.run([program, *one["args"]], env=given, capture_output=True, timeout=PATIENCE, cwd=folder)
            code, said = done.returncode, done.stdout + done.stderr
        except subprocess.TimeoutExpired as still:
            # RabbitMQ is tried for half a minute.
            code, said = None, (still.stdout or b"") + (still.stderr or b"")
    said = said.decode()
    if code == 2 or not REACHED.search(said):
        return [f"{one['args']} ended with {code}: {said.strip()[:500]}"]
    return []
