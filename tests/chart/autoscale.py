"""Tries the numbers that the chart ships for KEDA: real RabbitMQ, Redis, coordinator and workers, and bursts of jobs on a simulated model.

    scripts/chart.sh python tests/chart/autoscale.py [--speed N] [--slots N] [--max N] [--bursts LIST] [--out FOLDER]

Plays KEDA and the HorizontalPodAutoscaler: reads queue depths from RabbitMQ's management API as KEDA's trigger does, follows the rendered
ScaledObject, and starts and stops worker processes with the arguments of the rendered Deployment. All of its times are divided by --speed, so that an
hour passes in minutes; workers' --grace, the model's answers and the five seconds for which RabbitMQ's management API is behind are not. Slots and the
largest number of workers are set small enough for one machine. The last of the default bursts goes on with few calls when most workers are not needed
any more, so that workers are told to stop with calls in hand.

Writes FOLDER/autoscale.csv and FOLDER/autoscale.svg, and fails when work was lost: calls that burned, or a run that did not get all that it may spend.
"""

import argparse
import csv
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

import yaml

HERE = pathlib.Path(__file__).resolve().parents[2]
# What Kubernetes has and no ScaledObject says: the time between two looks of the HorizontalPodAutoscaler, and the change it does not care about.
SYNC_SECONDS = 15
TOLERANCE = 0.1


def rendered(sets):
    """The ScaledObject of the pool `default`, and the arguments of its workers."""
    values = ["redis.existingSecret=r", "broker.existingSecret=b", "store.url=s3://b/p", "coordinator.tokensSecret=t", *sets]
    words = [word for value in values for word in ("--set", value)]
    helm = [str(HERE / "scripts/chart.sh"), "helm", "template", "trial", str(HERE / "deploy/chart"), *words]
    manifests = [one for one in yaml.safe_load_all(subprocess.run(helm, check=True, capture_output=True, text=True).stdout) if one]
    [scaled] = [one["spec"] for one in manifests if one["kind"] == "ScaledObject"]
    [pod] = [one["spec"]["template"]["spec"] for one in manifests
             if one["kind"] == "Deployment" and one["metadata"]["name"] == scaled["scaleTargetRef"]["name"]]
    return scaled, [word for word in pod["containers"][0]["args"] if not word.startswith("--http")]


class Autoscaler:
    """KEDA's part (none and some) and the HorizontalPodAutoscaler's (how many), in seconds of the ScaledObject."""

    def __init__(self, scaled):
        self.scaled = scaled
        self.values = {trigger["metadata"]["queueName"]: float(trigger["metadata"]["value"]) for trigger in scaled["triggers"]}
        self.behavior = scaled["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        self.idle = scaled.get("idleReplicaCount", scaled["minReplicaCount"])
        self.replicas = self.idle
        self.active_at = -math.inf
        self.synced_at = -math.inf
        self.wanted = []
        self.changes = []

    def look(self, now, depths):
        """How many workers there shall be, for these depths."""
        active = any(depths[queue] > 0 for queue in self.values)
        if active:
            self.active_at = now
        if not active and now - self.active_at > self.scaled["cooldownPeriod"]:
            self.change(now, self.idle)
        elif active and self.replicas < self.scaled["minReplicaCount"]:
            self.change(now, self.scaled["minReplicaCount"])
        elif self.replicas > 0 and now - self.synced_at >= SYNC_SECONDS:
            self.synced_at = now
            self.sync(now, depths)
        return self.replicas

    def sync(self, now, depths):
        ratios = [depths[queue] / value for queue, value in self.values.items()]
        wanted = math.ceil(max(ratios))
        if self.replicas and abs(max(ratios) / self.replicas - 1) <= TOLERANCE:
            wanted = self.replicas
        wanted = min(max(wanted, self.scaled["minReplicaCount"]), self.scaled["maxReplicaCount"])
        down, up = self.behavior["scaleDown"], self.behavior["scaleUp"]
        self.wanted = [(at, of) for at, of in self.wanted if now - at <= down["stabilizationWindowSeconds"]] + [(now, wanted)]
        if wanted > self.replicas:
            self.change(now, min(wanted, self.replicas + self.room(now, up["policies"][0], 1)))
        else:
            highest = min(self.replicas, max(of for _, of in self.wanted))
            self.change(now, max(highest, self.replicas - self.room(now, down["policies"][0], -1)))

    def room(self, now, policy, sign):
        """How many may still come or go in the policy's period."""
        done = sum(by * sign for at, by in self.changes if now - at < policy["periodSeconds"] and by * sign > 0)
        return max(policy["value"] - done, 0)

    def change(self, now, replicas):
        if replicas != self.replicas:
            self.changes.append((now, replicas - self.replicas))
            self.replicas = replicas


class Workers:
    """Worker processes, started and told to stop as a Deployment's pods are."""

    def __init__(self, program, arguments, servers, folder):
        self.command = [program, *arguments, "--http=127.0.0.1:0", *servers]
        self.log = open(folder / "workers.log", "w")
        self.running, self.stopping, self.killed = [], [], 0

    def scale(self, replicas):
        while len(self.running) < replicas:
            self.running.append(subprocess.Popen(self.command, stdout=self.log, stderr=self.log))
        while len(self.running) > replicas:
            worker = self.running.pop()
            worker.terminate()
            self.stopping.append(worker)
        self.stopping = [worker for worker in self.stopping if worker.poll() is None]

    def end(self):
        self.scale(0)
        for worker in self.stopping:
            worker.wait(timeout=180)


class Cluster:
    """`scripts/cluster.sh`, and a simulated model."""

    def __init__(self, program, sim, folder):
        self.program, self.folder = program, folder
        questions = HERE / "tests/data/questions/gsm8k/train.jsonl"
        self.sim = subprocess.Popen([sim, "--listen", "127.0.0.1:0", "--gsm8k", str(questions), "--latency-ms-mean", "1500", "--latency-ms-spread", "0.5"],
                                    stdout=subprocess.PIPE, text=True)
        self.model = self.sim.stdout.readline().strip()
        # Its one worker does nothing: no job of the trial has anything to embed.
        command = [str(HERE / "scripts/cluster.sh"), "--workers", "1", "--stages", "embed", "--program", program, "--folder", str(folder / "cluster")]
        self.servers = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)
        said = ""
        while "Ctrl-C" not in said:
            line = self.servers.stdout.readline()
            if not line:
                sys.exit(f"the cluster does not start: {said}")
            said += line
        find = lambda pattern: re.search(pattern, said).group(1)
        self.redis, self.broker = find(r"Redis (\S+)"), find(r"RabbitMQ (amqp\S+)")
        self.management, self.api = find(r"management page (\S+),"), find(r"GRISTMILL_SERVER=(\S+)")
        self.runs = []

    def arguments(self):
        return ["--redis", self.redis, "--broker", self.broker, "--store", str(self.folder / "cluster/store")]

    def depths(self):
        """Messages by queue, waiting and in hand: the number that KEDA's trigger reads with `protocol: http`."""
        request = urllib.request.Request(f"{self.management}/api/queues/%2F", headers={"Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return {queue["name"]: queue.get("messages", 0) for queue in json.load(answer)}

    def ask(self, *words):
        done = subprocess.run([self.program, *words, "--server", self.api, "--output", "json", "--progress", "none"], capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def submit(self, calls, together):
        """A run of so many calls, of which at most so many are open at once."""
        job = self.folder / f"job-{len(self.runs)}.yaml"
        job.write_text(f"seeds: {{path: {HERE / 'tests/data/questions/gsm8k/train.jsonl'}}}\nteacher: {{base_url: {self.model}, model: sim, concurrency: 1000}}\n"
                       f"embed: {{model: off}}\ngenerate: {{pilot: 0, rounds: 1, seed: {len(self.runs)}}}\nfilter: {{validator: {{kind: number}}}}\n"
                       f"budget: {{calls: {calls}, at_risk: {together / calls}}}\n")
        [said] = self.ask("submit", str(job))[:1]
        self.runs.append((said["run"], calls))

    def outcomes(self):
        for run, calls in self.runs:
            [status] = self.ask("status", run)[:1]
            yield run, calls, status

    def end(self):
        self.servers.terminate()
        self.servers.wait(timeout=60)
        self.sim.terminate()


def picture(path, samples, bursts, title):
    """Depth and workers over time, one above the other."""
    width, height, left, gap = 900, 170, 60, 40
    end = max(sample["seconds"] for sample in samples)
    x = lambda seconds: left + (width - left - 20) * seconds / end
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {2 * height + 3 * gap}" font-family="sans-serif" font-size="12">',
             f'<rect width="100%" height="100%" fill="#fff"/><text x="{left}" y="22" font-size="14">{title}</text>']
    for row, (name, label, color) in enumerate([("depth", "messages, waiting and in hand", "#1f6fb2"), ("workers", "workers", "#b2541f")]):
        top = gap + row * (height + gap)
        most = max(max(sample[name] for sample in samples), 1)
        y = lambda value: top + height - (height - 20) * value / most
        points, before = [], None
        for sample in samples:
            if before is not None:
                points.append(f"{x(sample['seconds']):.1f},{y(before):.1f}")
            before = sample[name]
            points.append(f"{x(sample['seconds']):.1f},{y(before):.1f}")
        parts += [f'<text x="{left}" y="{top + 8}" fill="{color}">{label}, at most {most}</text>',
                  f'<line x1="{left}" y1="{top + height}" x2="{width - 20}" y2="{top + height}" stroke="#999"/>',
                  f'<polyline points="{" ".join(points)}" fill="none" stroke="{color}" stroke-width="1.5"/>']
        parts += [f'<line x1="{x(at):.1f}" y1="{top + 14}" x2="{x(at):.1f}" y2="{top + height}" stroke="#999" stroke-dasharray="3 3"/>' for at in bursts]
        for tick in range(0, int(end) + 1, 600):
            parts.append(f'<text x="{x(tick):.1f}" y="{top + height + 15}" fill="#555" text-anchor="middle">{tick // 60} min</text>')
    path.write_text("\n".join([*parts, "</svg>\n"]))


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--speed", type=float, default=20)
    parse.add_argument("--slots", type=int, default=8)
    parse.add_argument("--max", type=int, default=6)
    parse.add_argument("--bursts", default="0:300:30,600:800:80,700:800:16",
                       help="SECONDS:CALLS:OPEN, joined by commas: when, in the ScaledObject's time, how many, and how many of them at once")
    parse.add_argument("--program", default=str(HERE / "target/debug/gristmill"))
    parse.add_argument("--sim", default=str(HERE / "target/debug/gristmill-sim"))
    parse.add_argument("--out", type=pathlib.Path, default=HERE / "target/autoscale")
    args = parse.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    bursts = [tuple(int(number) for number in burst.split(":")) for burst in args.bursts.split(",")]
    scaled, arguments = rendered([f"workerDefaults.slots={args.slots}", f"workerDefaults.autoscaling.max={args.max}", "workerDefaults.autoscaling.kind=keda"])
    scaler = Autoscaler(scaled)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="autoscale-"))
    os.chmod(folder, 0o755)
    cluster = Cluster(args.program, args.sim, folder)
    workers = Workers(args.program, arguments, cluster.arguments(), folder)
    samples, left, started = [], list(bursts), time.monotonic()
    try:
        while True:
            now = (time.monotonic() - started) * args.speed
            while left and left[0][0] <= now:
                cluster.submit(*left.pop(0)[1:])
            depths = cluster.depths()
            workers.scale(scaler.look(now, depths))
            depth = sum(depths[queue] for queue in scaler.values)
            samples.append({"seconds": round(now), "depth": depth, "workers": len(workers.running), "stopping": len(workers.stopping)})
            if not left and scaler.replicas == scaler.idle and now - scaler.active_at > scaled["cooldownPeriod"] and now > bursts[-1][0] + 60:
                break
            if now > bursts[-1][0] + 7_200:
                sys.exit("it has not come to rest within two hours after the last burst")
            time.sleep(max(0, scaled["pollingInterval"] / args.speed - (time.monotonic() - started - now / args.speed)))
        outcomes = list(cluster.outcomes())
    finally:
        workers.end()
        cluster.end()
    report(args, scaled, samples, bursts, outcomes)
    # After a failure, its logs stay.
    shutil.rmtree(folder, ignore_errors=True)


def report(args, scaled, samples, bursts, outcomes):
    with open(args.out / "autoscale.csv", "w", newline="") as file:
        table = csv.DictWriter(file, samples[0].keys())
        table.writeheader()
        table.writerows(samples)
    title = f"{len(bursts)} bursts, {args.slots} slots a worker, time × {args.speed:g}"
    picture(args.out / "autoscale.svg", samples, [burst[0] for burst in bursts], title)
    lost = []
    for run, calls, status in outcomes:
        spent, burned = status["books"]["spent"]["calls"], status["books"]["burned"]["calls"]
        print(f"{run}: {status['state']}, {spent} of {calls} calls paid, {burned} lost")
        if burned or status["state"] != "finished":
            lost.append(run)
    most = max(sample["workers"] for sample in samples)
    print(f"workers: {samples[0]['workers']} to {most} (at most {scaled['maxReplicaCount']}), {samples[-1]['workers']} in the end; "
          f"{len(samples)} looks in {samples[-1]['seconds'] / 60:.0f} minutes of the ScaledObject's time: {args.out}/autoscale.svg")
    if lost:
        sys.exit(f"work was lost or left in {', '.join(lost)}")


if __name__ == "__main__":
    main()
