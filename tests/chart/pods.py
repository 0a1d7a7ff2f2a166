"""What holds of every pod of the chart, and of what scales them."""

from manifests import name

TEMPLATES = ("Deployment", "StatefulSet", "Job")


def pods(rendered):
    """Each manifest with pods, and their specification."""
    for manifest in rendered:
        if manifest["kind"] in TEMPLATES:
            yield manifest, manifest["spec"]["template"]["metadata"], manifest["spec"]["template"]["spec"]
        elif manifest["kind"] == "Pod":
            yield manifest, manifest["metadata"], manifest["spec"]


def count(rendered):
    return len(list(pods(rendered)))


def containers(spec):
    return spec.get("initContainers", []) + spec["containers"]


def all(rendered):
    wrong = []
    accounts = {manifest["metadata"]["name"]: manifest for manifest in rendered if manifest["kind"] == "ServiceAccount"}
    for manifest, _, spec in pods(rendered):
        found = pod(spec) + [f"container {one['name']}: {error}" for one in containers(spec) for error in container(manifest, one)]
        account = accounts.get(spec["serviceAccountName"], {})
        if account.get("automountServiceAccountToken") is not False:
            found.append(f"there is no service account {spec['serviceAccountName']} without a token")
        wrong += [f"{name(manifest)}: {error}" for error in found]
    return wrong + services(rendered) + budgets(rendered)


def pod(spec):
    security = spec.get("securityContext", {})
    rules = {
        "it may be root": security.get("runAsNonRoot") is True and security.get("runAsUser", 0) > 0,
        "it has no seccomp profile": security.get("seccompProfile") == {"type": "RuntimeDefault"},
        "it has a token of the API server": spec.get("automountServiceAccountToken") is False,
        "it gets variables of all services": spec.get("enableServiceLinks") is False,
        "it shares the node's namespaces": not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC")),
        "it mounts the node's files": not any("hostPath" in volume for volume in spec.get("volumes", [])),
    }
    wrong = [rule for rule, holds in rules.items() if not holds]
    volumes = {volume["name"] for volume in spec.get("volumes", [])}
    for one in containers(spec):
        # A claim of a StatefulSet is no volume of its pods' specification.
        wrong += [f"{one['name']} mounts {mount['name']}, which is no volume" for mount in one.get("volumeMounts", [])
                  if mount["name"] not in volumes | {"data"}]
    unlimited = [volume["name"] for volume in spec.get("volumes", []) if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]]
    return wrong + [f"the folder {volume} has no limit" for volume in unlimited]


def container(manifest, one):
    security, resources = one.get("securityContext", {}), one.get("resources", {})
    # A job and a test end by themselves.
    serves = manifest["kind"] in ("Deployment", "StatefulSet")
    env = [variable["name"] for variable in one.get("env", [])]
    rules = {
        "it may gain privileges": security.get("allowPrivilegeEscalation") is False,
        "its root filesystem can be written": security.get("readOnlyRootFilesystem") is True,
        "it keeps capabilities": security.get("capabilities") == {"drop": ["ALL"]},
        "it requests no CPU or memory": {"cpu", "memory"} <= set(resources.get("requests", {})),
        "its memory has no limit": "memory" in resources.get("limits", {}),
        "it lacks a probe": not serves or all_in(one, "startupProbe", "livenessProbe", "readinessProbe"),
        "a variable is set twice": len(env) == len(set(env)),
        "an image without a version": ":" in one["image"].split("/")[-1] or "@" in one["image"],
        "a secret stands in a variable": not any(secret(variable) for variable in one.get("env", [])),
    }
    return [rule for rule, holds in rules.items() if not holds]


def all_in(one, *keys):
    return set(keys) <= set(one)


def secret(variable):
    """A literal password: `$(…)` is filled in from a Secret by Kubernetes."""
    value = variable.get("value", "")
    login = value.split("://", 1)[-1].split("@", 1)[0] if "://" in value and "@" in value else ""
    return bool(login) and "$(" not in login


def services(rendered):
    """Each service has pods, with ports of those names."""
    wrong = []
    for service in (manifest for manifest in rendered if manifest["kind"] == "Service"):
        chosen = [spec for _, meta, spec in pods(rendered) if service["spec"]["selector"].items() <= meta["labels"].items()]
        ports = {port["name"] for spec in chosen for one in spec["containers"] for port in one.get("ports", [])}
        wrong += [f"{name(service)}: no pod has the port {port['targetPort']}" for port in service["spec"]["ports"] if port["targetPort"] not in ports]
    return wrong


def budgets(rendered):
    """Selectors of disruption budgets, policies and deployments choose somebody, and no more than they should."""
    wrong = []
    for manifest in rendered:
        if manifest["kind"] not in ("Deployment", "StatefulSet", "PodDisruptionBudget", "NetworkPolicy"):
            continue
        selector = manifest["spec"].get("selector") or manifest["spec"].get("podSelector")
        chosen = [owner for owner, meta, _ in pods(rendered) if selector["matchLabels"].items() <= meta["labels"].items()]
        wanted = 1 if manifest["kind"] != "NetworkPolicy" else None
        if not chosen or (wanted and len(chosen) != wanted):
            wrong.append(f"{name(manifest)}: it chooses {[name(owner) for owner in chosen]}")
    return wrong


def scaling(rendered):
    """Workers are not taken away before their calls can have ended, and nobody else says how many there are."""
    wrong = []
    deployments = {manifest["metadata"]["name"]: manifest for manifest in rendered if manifest["kind"] == "Deployment"}
    for deployment in deployments.values():
        spec = deployment["spec"]["template"]["spec"]
        for argument in spec["containers"][0]["args"]:
            if argument.startswith("--grace=") and int(argument.split("=")[1]) >= spec["terminationGracePeriodSeconds"]:
                wrong.append(f"{name(deployment)}: it is killed before its grace is over")
    for scaler in rendered:
        if scaler["kind"] not in ("ScaledObject", "HorizontalPodAutoscaler"):
            continue
        spec = scaler["spec"]
        deployment = deployments.get(spec["scaleTargetRef"]["name"])
        if deployment is None or "replicas" in deployment["spec"]:
            wrong.append(f"{name(scaler)}: its deployment is not there, or sets replicas itself")
        if scaler["kind"] == "ScaledObject":
            names = [trigger["name"] for trigger in spec["triggers"]]
            kill = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
            queues = [trigger["metadata"] for trigger in spec["triggers"] if trigger["type"] == "rabbitmq"]
            if spec["cooldownPeriod"] < kill or len(set(names)) != len(names):
                wrong.append(f"{name(scaler)}: its cooldown is shorter than a worker's end, or a trigger is named twice")
            if any(queue["protocol"] != "http" or queue["mode"] != "QueueLength" or "excludeUnacknowledged" in queue for queue in queues):
                wrong.append(f"{name(scaler)}: messages in hand are not counted")
    return wrong
