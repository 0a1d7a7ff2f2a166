"""Renders the chart, and holds each manifest against the schema of its kind: of Kubernetes, or of the operator that reads it."""

import json
import subprocess

import jsonschema
import kubernetes_validate
import yaml

KUBERNETES = "1.37"
NAMESPACE = "somewhere"


class Helm:
    def __init__(self, program, chart):
        self.program, self.chart = program, chart

    def run(self, *args):
        return subprocess.run([self.program, *map(str, args)], capture_output=True, text=True)

    def lint(self, values):
        done = self.run("lint", "--strict", "--quiet", self.chart, "--values", values)
        return [] if done.returncode == 0 else [f"lint: {done.stdout}{done.stderr}"]

    def template(self, *args):
        return self.run("template", "trial", self.chart, "--namespace", NAMESPACE, *args)

    def render(self, *files, sets=()):
        args = [word for file in files for word in ("--values", file)] + [word for item in sets for word in ("--set", item)]
        done = self.template(*args)
        if done.returncode:
            raise SystemExit(f"{files}: {done.stderr}")
        return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]


def name(manifest):
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def write(path, rendered):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rendered, indent=1))


def strict(schema):
    """A definition's schema in which an unknown member is an error, as `kubectl apply --validate=strict` has it."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    out = {key: value for key, value in schema.items() if key not in ("description", "default", "format", "nullable")}
    for key in ("properties",):
        if key in out:
            out[key] = {member: strict(value) for member, value in out[key].items()}
    for key in ("items", "additionalProperties", "allOf", "anyOf", "oneOf", "not"):
        if key in out:
            out[key] = strict(out[key])
    if "properties" in out and "additionalProperties" not in out and not schema.get("x-kubernetes-preserve-unknown-fields"):
        out["additionalProperties"] = False
    return out


def definitions(folder):
    found = {}
    for file in folder.glob("*.yaml"):
        for crd in yaml.safe_load_all(file.read_text()):
            if not crd or crd.get("kind") != "CustomResourceDefinition":
                continue
            for version in crd["spec"]["versions"]:
                schema = strict(version["schema"]["openAPIV3Schema"])
                schema["properties"]["metadata"] = {"type": "object"}
                found[f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]] = schema
    return found


class Checker:
    def __init__(self, folder):
        self.custom = definitions(folder) if folder else None

    def all(self, rendered):
        names = [name(manifest) for manifest in rendered]
        wrong = [f"{twice} is rendered twice" for twice in {one for one in names if names.count(one) > 1}]
        for manifest in rendered:
            wrong += [f"{name(manifest)}: {error}" for error in self.one(manifest)]
        return wrong

    def one(self, manifest):
        group = manifest["apiVersion"].split("/")[0]
        # Kubernetes' own groups have no dot, or end so.
        if "." in group and not group.endswith(".k8s.io"):
            return self.of_an_operator(manifest)
        try:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
        except kubernetes_validate.ValidationError as error:
            return [f"{'.'.join(map(str, error.path))}: {error.message}"]
        return []

    def of_an_operator(self, manifest):
        if self.custom is None:
            return []
        schema = self.custom.get((manifest["apiVersion"], manifest["kind"]))
        if schema is None:
            return [f"there is no definition of {manifest['apiVersion']} {manifest['kind']}"]
        errors = jsonschema.Draft202012Validator(schema).iter_errors(manifest)
        return [f"{error.json_path}: {error.message}" for error in errors]
