#!/usr/bin/env python3
"""Writes Grafana's dashboards (deploy/chart/observability/dashboards/*.json) from the list below: `scripts/dashboards.py`, then commit both.

A panel is a title, a unit, what it says, and queries with their legends. Money, calls and rows of processes are added up, what all coordinators see
alike is not: docs/metrics.md says which is which.
"""

import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "deploy/chart/observability/dashboards"
NS = 'namespace=~"$namespace"'
RUN = f'{NS},run=~"$run"'
MODEL = f'{NS},model=~"$model"'
WIDTH, HEIGHT = 12, 8


def at(metric, labels=NS, **equal):
    """A metric with the dashboard's choice and further labels."""
    more = "".join(f',{name}="{value}"' for name, value in equal.items())
    return f"{metric}{{{labels}{more}}}"


def cluster(metric, by="namespace", **equal):
    return f"max by ({by}) ({at(metric, **equal)})"


def rate(metric, by, labels=NS):
    return f"sum by ({by}) (rate({at(metric, labels)}[$__rate_interval]))"


def quantile(share, metric, by, labels=NS):
    return f"histogram_quantile({share}, sum by (le, {by}) (rate({at(metric + '_bucket', labels)}[$__rate_interval])))"


FLEET = [
    ("Runs", "short", "Runs that have not ended, by what they do.", [(cluster("gristmill_cluster_runs", "state"), "{{state}}")]),
    ("Stuck runs", "short", "Runs that cannot go on, and why: `gristmill status RUN` says more.",
     [(cluster("gristmill_cluster_stuck_runs", "cause"), "{{cause}}")]),
    ("Workers", "short", "Workers that Redis knows.", [(cluster("gristmill_cluster_workers", "state"), "{{state}}")]),
    ("Waiting in the queues", "short", "Messages that no worker has in hand.", [(cluster("gristmill_cluster_queue_ready", "stage"), "{{stage}}")]),
    ("In hand, of the slots there are", "percentunit", "Near 1, more workers would help. Far below it with a queue that waits, a limit holds things up.",
     [(f"sum by (stage) ({at('gristmill_in_flight')}) / sum by (stage) ({at('gristmill_slots')})", "{{stage}}")]),
    ("Time in the queue, 95 %", "s", "From a message's publishing to its delivery.", [(quantile(0.95, "gristmill_queue_wait_seconds", "stage"), "{{stage}}")]),
    ("RabbitMQ: messages", "short", "In all of its queues; those in hand are not acknowledged yet.",
     [(f"sum({at('rabbitmq_queue_messages_ready')})", "waiting"), (f"sum({at('rabbitmq_queue_messages_unacked')})", "in hand")]),
    ("RabbitMQ: memory and free disk", "bytes", "Of each node.",
     [(at("rabbitmq_process_resident_memory_bytes"), "{{instance}} memory"), (at("rabbitmq_disk_space_available_bytes"), "{{instance}} disk")]),
    ("Attempts a second", "ops", "Settled ones are paid for, void ones cost nothing, burned ones count at their worst case.",
     [(rate("gristmill_attempts_total", "outcome"), "{{outcome}}")]),
    ("Cannot be used", "short", "1 while a process cannot use its store, Redis or RabbitMQ.",
     [(f"max by (dependency) ({at('gristmill_unhealthy')})", "{{dependency}}")]),
    ("Room in the store", "percentunit", "Of a file system; object storage has none.",
     [(f"min by (namespace) ({at('gristmill_cluster_store_available_bytes')} / {at('gristmill_cluster_store_size_bytes')})", "{{namespace}}")]),
    ("Failed operations of the store and Redis a second", "ops", "By kind.",
     [(rate("gristmill_store_errors_total", "kind"), "store: {{kind}}"), (rate("gristmill_redis_errors_total", "kind"), "Redis: {{kind}}")]),
    ("Leases that ran out, dead letters, in an hour", "short", "Both are zero in a calm cluster.",
     [(f"sum(increase({at('gristmill_lease_expiries_total')}[1h]))", "leases"), (f"sum(increase({at('gristmill_dead_letters_total')}[1h]))", "dead letters")]),
    ("Runs let go in an hour", "short", "By cause.", [(f"sum by (cause) (increase({at('gristmill_run_interruptions_total')}[1h]))", "{{cause}}")]),
    ("Memory", "bytes", "Of each process.", [(at("process_resident_memory_bytes", NS, job="coordinator"), "{{instance}}"),
                                             (at("process_resident_memory_bytes", NS, job="worker"), "{{instance}}")]),
    ("CPU", "short", "Cores in use.", [(rate("process_cpu_seconds_total", "job, instance"), "{{job}} {{instance}}")]),
]

RUN_PANELS = [
    ("Open tasks", "short", "Tasks without an outcome.", [(f"sum by (run, stage) ({at('gristmill_run_open_tasks', RUN)})", "{{run}} {{stage}}")]),
    ("Age of the oldest task", "s", "Tasks in a provider's batch count too.",
     [(f"time() - min by (run, stage) ({at('gristmill_run_oldest_task_timestamp_seconds', RUN)})", "{{run}} {{stage}}")]),
    ("Time since the last result", "s", "", [(f"time() - max by (run) ({at('gristmill_run_last_result_timestamp_seconds', RUN)})", "{{run}}")]),
    ("Results that are not stored", "short", "Paid for, and held by Redis.", [(f"sum by (run) ({at('gristmill_run_unabsorbed_results', RUN)})", "{{run}}")]),
    ("Calls, of the limit", "percentunit", "What counts against the budget in calls.",
     [(f"sum by (run) ({at('gristmill_run_used_calls', RUN)}) / sum by (run) ({at('gristmill_run_limit_calls', RUN)})", "{{run}}")]),
    ("Money, of the limit", "percentunit", "What counts against the budget in money.",
     [(f"sum by (run) ({at('gristmill_run_used_usd', RUN)}) / sum by (run) ({at('gristmill_run_limit_usd', RUN)})", "{{run}}")]),
    ("Alerts of the account", "short", "Such as a provider that bills more than a call's worst case.", [(f"sum by (run) ({at('gristmill_run_alerts', RUN)})", "{{run}}")]),
    ("Rows decided a minute, of all runs", "short", "By verdict, of the whole cluster: rows are not counted by run.",
     [(f"60 * {rate('gristmill_rows_total', 'verdict')}", "{{verdict}}")]),
    ("Share of rows accepted, of all runs", "percentunit", "Over half an hour.",
     [(f"sum(rate({at('gristmill_rows_total', NS, verdict='accepted')}[30m])) / sum(rate(gristmill_rows_total{{{NS},verdict!=\"unasked\"}}[30m]))", "accepted")]),
    ("Why rows are rejected, in an hour, of all runs", "short", "The rule that rejected them.",
     [(f"sum by (reason) (increase({at('gristmill_rows_total', NS, verdict='rejected')}[1h]))", "{{reason}}")]),
]

ENDPOINTS = [
    ("Attempts a second", "ops", "By model.", [(rate("gristmill_attempts_total", "model", MODEL), "{{model}}")]),
    ("Time of an attempt", "s", "Half of them, and 95 in a hundred, take less.",
     [(quantile(0.5, "gristmill_attempt_seconds", "model", MODEL), "{{model}} half"), (quantile(0.95, "gristmill_attempt_seconds", "model", MODEL), "{{model}} 95 %")]),
    ("Failed requests a second", "ops", "By HTTP status, or why there is none.", [(rate("gristmill_call_errors_total", "model, code", MODEL), "{{model}} {{code}}")]),
    ("Left alone", "short", "Workers that leave a model alone because half of the last calls failed.",
     [(f"sum by (model) ({at('gristmill_breaker_open', MODEL)})", "{{model}}")]),
    ("Refused as too many, a second", "ops", "429, and overload.", [(rate("gristmill_throttled_total", "model", MODEL), "{{model}}")]),
    ("Wait for a permit, 95 %", "s", "Because of the limits in the job, or because the provider named a time.",
     [(quantile(0.95, "gristmill_limiter_wait_seconds", "model", MODEL), "{{model}}")]),
    ("Tokens a second", "short", "As they were billed.", [(rate("gristmill_tokens_total", "model, direction", MODEL), "{{model}} {{direction}}")]),
    ("Tasks in batches", "short", "That workers look after.", [(f"sum by (model) ({at('gristmill_batch_tasks', MODEL)})", "{{model}}")]),
    ("Batches in a day", "short", "By what became of them.", [(f"sum by (model, outcome) (increase({at('gristmill_batches_total', MODEL)}[1d]))", "{{model}} {{outcome}}")]),
    ("Burned, of all attempts", "percentunit", "Their cost is not known, and counts at its worst case.",
     [(f"sum by (model) (rate({at('gristmill_attempts_total', MODEL, outcome='burned')}[$__rate_interval])) / {rate('gristmill_attempts_total', 'model', MODEL)}", "{{model}}")]),
]

BUDGET = [
    ("Money by model, in an hour", "currencyUSD", "Counted when results are stored.", [(f"sum by (model) (increase({at('gristmill_spend_usd_total')}[1h]))", "{{model}}")]),
    ("Money by stage, in an hour", "currencyUSD", "", [(f"sum by (stage) (increase({at('gristmill_spend_usd_total')}[1h]))", "{{stage}}")]),
    ("Money by model, in a day", "currencyUSD", "", [(f"sum by (model) (increase({at('gristmill_spend_usd_total')}[1d]))", "{{model}}")]),
    ("Burned, of the money", "percentunit", "Calls whose cost is unknown.",
     [(f"sum(increase({at('gristmill_spend_usd_total', NS, booked='burned')}[1h])) / sum(increase({at('gristmill_spend_usd_total')}[1h]))", "burned")]),
    ("What is used of each budget", "currencyUSD", "Held by calls in flight, spent, or burned.",
     [(f"sum by (run, state) ({at('gristmill_run_used_usd', RUN)})", "{{run}} {{state}}"), (f"sum by (run) ({at('gristmill_run_limit_usd', RUN)})", "{{run}} limit")]),
    ("What is left of each stage's share", "currencyUSD", "Of this round.",
     [(f"sum by (run, stage) ({at('gristmill_run_stage_limit_usd', RUN)}) - sum by (run, stage) ({at('gristmill_run_used_usd', RUN)})", "{{run}} {{stage}}")]),
    ("What is left of each stage's share, in calls", "short", "Of this round.",
     [(f"sum by (run, stage) ({at('gristmill_run_stage_limit_calls', RUN)}) - sum by (run, stage) ({at('gristmill_run_used_calls', RUN)})", "{{run}} {{stage}}")]),
    ("Calls in an hour", "short", "By how they were booked.", [(f"sum by (booked) (increase({at('gristmill_spend_calls_total')}[1h]))", "{{booked}}")]),
    ("Price of an accepted row", "currencyUSD", "Money over accepted rows, over six hours.",
     [(f"sum(increase({at('gristmill_spend_usd_total')}[6h])) / sum(increase({at('gristmill_rows_total', NS, verdict='accepted')}[6h]))", "a row")]),
    ("Runs ended in a day", "short", "By how they ended.", [(f"sum by (state) (increase({at('gristmill_runs_ended_total')}[1d]))", "{{state}}")]),
]

# File, title, the label that is chosen besides the namespace, panels.
DASHBOARDS = [
    ("fleet", "Gristmill: fleet", None, FLEET),
    ("run", "Gristmill: runs", ("run", "gristmill_run_open_tasks"), RUN_PANELS),
    ("endpoints", "Gristmill: endpoints", ("model", "gristmill_attempts_total"), ENDPOINTS),
    ("budget", "Gristmill: budgets", ("run", "gristmill_run_used_usd"), BUDGET),
]


def choice(label, metric, within=""):
    return {"name": label, "label": label, "type": "query", "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "query": {"query": f"label_values({metric}{within}, {label})", "refId": "labels"}, "refresh": 2, "sort": 1,
            "multi": True, "includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}}


def panel(number, title, unit, description, queries):
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "id": number + 1, "type": "timeseries", "title": title, "description": description, "datasource": source,
        "gridPos": {"x": number % 2 * WIDTH, "y": number // 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, "custom": {"fillOpacity": 10, "showPoints": "never"}}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [{"refId": chr(65 + n), "datasource": source, "expr": query, "legendFormat": legend} for n, (query, legend) in enumerate(queries)],
    }


def dashboard(file, title, chosen, panels):
    variables = [{"name": "datasource", "label": "data source", "type": "datasource", "query": "prometheus", "current": {}}, choice("namespace", "gristmill_build_info")]
    if chosen:
        variables.append(choice(*chosen, within=f"{{{NS}}}"))
    return {"uid": f"gristmill-{file}", "title": title, "tags": ["gristmill"], "schemaVersion": 39, "editable": True, "refresh": "30s",
            "time": {"from": "now-3h", "to": "now"}, "templating": {"list": variables},
            "links": [{"type": "dashboards", "tags": ["gristmill"], "asDropdown": True, "title": "Gristmill"}],
            "panels": [panel(number, *one) for number, one in enumerate(panels)]}


def files():
    return {FOLDER / f"{file}.json": json.dumps(dashboard(file, *rest), indent=1, ensure_ascii=False) + "\n" for file, *rest in DASHBOARDS}


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path, file=sys.stderr)
