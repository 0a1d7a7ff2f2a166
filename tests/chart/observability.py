"""Rules and dashboards: they parse, every alert is tested and has its runbook, and every metric and label in them is one that the program exports."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml

HERE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(HERE / "scripts"))
import dashboards as generator  # noqa: E402

# What a scrape adds.
TARGET = {"job", "instance", "namespace", "pod", "pool"}
# What Prometheus itself says, and RabbitMQ's plugin: tests/tests/chart.rs looks at a real one.
FOREIGN = {"up": set()} | {f"rabbitmq_{name}": set() for name in (
    "queue_messages_ready", "queue_messages_unacked", "process_resident_memory_bytes", "disk_space_available_bytes",
    "alarms_memory_used_watermark", "alarms_free_disk_space_watermark")}
SERIES = re.compile(r"\b((?:gristmill|process|rabbitmq)_[a-z_]+|up)\b\s*(\{[^}]*\})?")
MATCHER = re.compile(r"""([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)\"""")
GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")


def exported():
    """Metrics with their labels, and the values of labels: docs/metrics.md, which a test holds against real processes."""
    text = (HERE / "docs/metrics.md").read_text()
    metrics, words = {}, {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.match(r"\| `(gristmill|process)_", line):
            name, kind, labels = cells[0].strip("`"), cells[1], set(re.findall(r"`([a-z_]+)`", cells[2]))
            metrics[name] = labels
            if kind == "histogram":
                metrics |= {f"{name}_bucket": labels | {"le"}, f"{name}_sum": labels, f"{name}_count": labels}
        elif len(cells) == 2 and (label := re.match(r"`([a-z]+)`", cells[0])):
            words.setdefault(label[1], set()).update(re.findall(r"`([a-z_0-9]+)`", cells[1]))
    return metrics, words


def query(expr, metrics, words):
    """What is wrong with the series of an expression."""
    wrong, grouped = [], set(TARGET) | {"le"}
    for name, selector in SERIES.findall(expr):
        labels = metrics.get(name, FOREIGN.get(name))
        if labels is None:
            wrong.append(f"nobody exports {name}")
            continue
        grouped |= labels
        for label, how, value in MATCHER.findall(selector):
            if label not in labels | TARGET:
                wrong.append(f"{name} has no label {label}")
            elif how in ("=", "!=") and label in words and label not in ("model", "run", "code", "version", "reason") and value not in words[label]:
                wrong.append(f"{label} is never {value}")
    for labels in GROUPING.findall(expr):
        wrong += [f"it groups by {label}, which its series do not have" for label in map(str.strip, labels.split(",")) if label and label not in grouped]
    return [f"{error}: {expr}" for error in wrong]


def promtool(program, *args):
    done = subprocess.run([program, *map(str, args)], capture_output=True, text=True)
    return [] if done.returncode == 0 else [f"promtool {args[0]} {args[1]}: {done.stdout}{done.stderr}"]


def rules(program, folder):
    file = folder / "rules.yaml"
    wrong = promtool(program, "check", "rules", file) + promtool(program, "test", "rules", folder / "rules_test.yaml")
    # Compose's Prometheus reads the same file.
    wrong += promtool(program, "check", "config", HERE / "deploy/prometheus.yml")
    metrics, words = exported()
    runbooks = (HERE / "docs/runbooks.md").read_text()
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^## (.*)$", runbooks, re.M)}
    cases = [case for test in yaml.safe_load((folder / "rules_test.yaml").read_text())["tests"] for case in test["alert_rule_test"]]
    alerts = [rule for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]
    for alert in alerts:
        name = alert["alert"]
        wrong += [f"{name}: {error}" for error in query(alert["expr"], metrics, words)]
        path, anchor = alert["annotations"]["runbook_url"].split("#")
        if path != "docs/runbooks.md" or anchor not in anchors:
            wrong.append(f"{name}: there is no runbook {path}#{anchor}")
        tested = {bool(case.get("exp_alerts")) for case in cases if case["alertname"] == name}
        wrong += [f"{name}: no test in which it {'fires' if fires else 'is silent'}" for fires in (True, False) if fires not in tested]
    used = {alert["annotations"]["runbook_url"].split("#")[1] for alert in alerts}
    wrong += [f"the runbook {anchor} is of no alert" for anchor in sorted(anchors - used)]
    print(f"rules: {len(alerts)} alerts, {len(cases)} cases")
    return wrong


def dashboards(folder):
    metrics, words = exported()
    wrong, seen = [], 0
    files = generator.files()
    if set(files) != set(folder.glob("*.json")):
        wrong.append("dashboards: there are others than scripts/dashboards.py writes")
    for path, text in files.items():
        if not path.exists() or path.read_text() != text:
            wrong.append(f"{path.name} is not what scripts/dashboards.py writes: run it")
        for panel in json.loads(text)["panels"]:
            for target in panel["targets"]:
                seen += 1
                expr = target["expr"].replace("$__rate_interval", "5m")
                wrong += [f"{path.name}, {panel['title']}: {error}" for error in query(expr, metrics, words) + parsed(expr)]
                legend = set(re.findall(r"{{([a-z]+)}}", target["legendFormat"]))
                grouping = {label.strip() for labels in GROUPING.findall(expr) for label in labels.split(",")}
                wrong += [f"{path.name}, {panel['title']}: the legend's {label} is aggregated away" for label in legend - grouping if grouping]
    print(f"dashboards: {len(files)}, {seen} queries")
    return wrong


def parsed(expr):
    """Whether Prometheus can read an expression."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"groups": [{"name": "g", "rules": [{"record": "r", "expr": expr}]}]}, file)
        file.flush()
        return promtool("promtool", "check", "rules", file.name)


def rendered(manifests):
    """The queries by which workers are scaled, and the rules as the operator gets them."""
    metrics, words = exported()
    wrong = []
    for manifest in manifests:
        if manifest["kind"] == "ScaledObject":
            queries = [trigger["metadata"]["query"] for trigger in manifest["spec"]["triggers"] if trigger["type"] == "prometheus"]
            wrong += [error for expr in queries for error in query(expr, metrics, words) + parsed(expr)]
        if manifest["kind"] == "PrometheusRule":
            ours = yaml.safe_load((HERE / "deploy/chart/observability/rules.yaml").read_text())
            if [rule["expr"] for group in manifest["spec"]["groups"] for rule in group["rules"]] != [rule["expr"] for group in ours["groups"] for rule in group["rules"]]:
                wrong.append("the operator's rules are not those of rules.yaml")
    return wrong
