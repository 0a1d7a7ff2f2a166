"""Values that must be refused, with words that say what to do; and values.yaml against its schema."""

import json
import re
import shlex
import tempfile

import yaml

GOOD = ["redis.existingSecret=r", "broker.existingSecret=b", "store.url=s3://bucket/prefix", "coordinator.tokensSecret=t", "coordinator.tls.existingSecret=c"]

# What is set besides, and what the message must name.
WRONG = [
    (["redis.existingSecrets=r"], ["redis", "existingSecrets"]),
    (["coordinators.replicas=2"], ["coordinators"]),
    (["coordinator.replicas=two"], ["coordinator/replicas", "integer"]),
    (["workers.default.slots=0"], ["workers/default/slots", "1"]),
    (["workers.default.stages={generate,train}"], ["workers/default/stages/1", "judge"]),
    (["workers.default.replica=3"], ["workers/default", "replica"]),
    (["workers.Default.slots=3"], ["Default"]),
    (["workers.default.keys[0].name=TEACHER_KEY"], ["workers/default/keys/0", "hosts"]),
    (["workers.default.keys[0].name=GRISTMILL_STORE", "workers.default.keys[0].hosts={a.example}", "workers.default.keys[0].as=variable"], ["keys/0/name"]),
    (["workers.default.keys[0].name=K", "workers.default.keys[0].hosts={a.example}", "workers.default.keys[0].as=variable"], ["keysSecret"]),
    (["workers.default.endpoints={https://api.example.com}"], ["workers/default/endpoints/0"]),
    (["workers.default.resources.limits.memory=lots"], ["limits/memory"]),
    (["workers.default.autoscaling.kind=keda", "workers.default.autoscaling.cooldownSeconds=60"], ["cooldownSeconds", "grace"]),
    (["workers.default.autoscaling.kind=keda", "workers.default.autoscaling.limits.enabled=true"], ["Prometheus"]),
    (["workers.default.autoscaling.kind=hpa", "workers.default.autoscaling.min=20"], ["max"]),
    (["coordinator.env[0].name=GRISTMILL_REDIS", "coordinator.env[0].value=x"], ["coordinator/env/0/name"]),
    (["store.url=/var/lib/store"], ["store/url"]),
    (["store.volume.enabled=true"], ["store.url", "store.volume.enabled"]),
    (["store.url="], ["store.url", "store.volume.enabled"]),
    (["redis.existingSecret="], ["redis.existingSecret", "Secret"]),
    (["broker.existingSecret="], ["broker.existingSecret", "trial.enabled"]),
    (["trial.enabled=true"], ["exactly one"]),
    (["coordinator.tokensSecret="], ["coordinator.tokensSecret", "money"]),
    (["coordinator.tls.existingSecret="], ["coordinator.tls.existingSecret", "plaintext"]),
    (["broker.existingSecret=", "broker.operator.enabled=true"], ["broker.operator", "plaintext"]),
    (["image.digest=sha256:1"], ["image/digest"]),
    (["test.simImage=sim:1"], ["test.tokenSecret"]),
    (["trainings.one.dataset=runs/a/dataset", "trainings.one.base=models/b"], ["trainings.one", "store.volume.enabled"]),
    (["trainings.one.dataset=runs/a/dataset"], ["trainings.one.base"]),
    (["trainings.one.dataset=../secrets", "trainings.one.base=models/b"], ["trainings/one/dataset"]),
]


def refused(helm):
    wrong = []
    words = [word for item in GOOD for word in ("--set", item)]
    done = helm.template(*words)
    if done.returncode:
        wrong.append(f"values: the least that is needed is refused: {done.stderr}")
    for sets, wanted in WRONG:
        done = helm.template(*words, *(word for item in sets for word in ("--set", item)))
        if done.returncode == 0:
            wrong.append(f"values: {sets} is taken")
        elif missing := [word for word in wanted if word not in done.stderr]:
            wrong.append(f"values: {sets} is refused without a word of {missing}: {done.stderr}")
    print(f"values: {len(WRONG)} wrong ones are refused in words")
    return wrong


def documented(chart):
    """Every value of the schema is in values.yaml, and every object of the schema is closed."""
    schema = json.loads((chart / "values.schema.json").read_text())
    given = yaml.safe_load((chart / "values.yaml").read_text())
    return sorted(open_objects(schema, "")) + sorted(missing(schema, schema, given, ""))


def missing(schema, root, given, path):
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    for key, member in schema.get("properties", {}).items():
        here = f"{path}.{key}".lstrip(".")
        if here in ("global",) or re.search(r"resources\.(requests|limits)$", path):
            continue
        if not isinstance(given, dict) or key not in given:
            yield f"values.yaml does not have {here}"
        elif given[key]:
            yield from missing(member, root, given[key], here)


def open_objects(schema, path):
    if isinstance(schema, dict):
        if "properties" in schema and "additionalProperties" not in schema:
            yield f"values.schema.json: {path} takes what it does not know"
        for key, member in schema.items():
            yield from open_objects(member, f"{path}/{key}")
    elif isinstance(schema, list):
        for item in schema:
            yield from open_objects(item, path)


def page(helm, text):
    """What docs/kubernetes.md tells people to type: its values, its command, and the formula that it explains."""
    blocks = re.findall(r"(?:^    .*\n)+", text, re.M)
    [install] = [line for block in blocks for line in block.replace("\\\n", "").splitlines() if line.strip().startswith("helm install ")]
    words = shlex.split(install)
    sets = [word for n, word in enumerate(words) if words[n - 1] == "--set"]
    wrong = [f"docs/kubernetes.md: {install.strip()}: {done.stderr}"
             for done in [helm.template(*(word for item in sets for word in ("--set", item)))] if done.returncode]
    [values] = [block for block in blocks if block.strip().startswith("# gristmill.yaml")]
    # What is written as `…` is for the reader to fill in.
    values = yaml.safe_load(values.replace("sha256:…", "sha256:" + "0" * 64))
    limits = {"limits": {"enabled": True, "prometheus": "http://prometheus:9090"}}
    values["workers"]["default"]["autoscaling"] |= limits
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        manifests = helm.render(file.name)
    [scaled] = [manifest["spec"] for manifest in manifests if manifest["kind"] == "ScaledObject"]
    formula = scaled["advanced"]["scalingModifiers"]["formula"]
    if formula not in text:
        wrong.append(f"docs/kubernetes.md does not explain {formula}")
    for number in (scaled["pollingInterval"], scaled["cooldownPeriod"], scaled["maxReplicaCount"]):
        if f"| {number} |" not in text:
            wrong.append(f"docs/kubernetes.md does not have the number {number} in its table")
    return wrong
