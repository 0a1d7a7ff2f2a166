#!/usr/bin/env python3
"""Follows docs/hosts.md word for word on two hosts, cuts the connection between them while a run is under way, and restores it.

    sudo tests/hosts/installation.py --program target/release/gristmill --sim target/release/gristmill-sim [--calls N]

The hosts are namespaces of this machine (network, mounts, processes, host name), each with a file system that is a copy-on-write layer over this
machine's, so nothing that the commands write stays. What namespaces lack is systemd: a stand-in for `systemctl` starts Debian's services by their
init scripts and Gristmill's by the User, EnvironmentFile and ExecStart of the units that ship. Nothing else of the documentation is replaced but the
teacher's key and the token. Needs root, Debian's `redis-server`, `rabbitmq-server`, `iproute2` and `openssl`.

Prints a line for each thing that it looks at, and ends with 0 only if all hold.
"""

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "hosts.md"
SYSTEMCTL = Path(__file__).with_name("systemctl.py")
ADDRESSES = {"hub": "10.77.0.1", "far": "10.77.0.2"}


def commands():
    """The indented blocks of the document by the number of their section."""
    found, section = {}, None
    for line in DOCUMENT.read_text().splitlines():
        heading = re.match(r"## (\d)\. ", line)
        if line.startswith("## "):
            section = int(heading[1]) if heading else None
        elif section and line.startswith("    "):
            found.setdefault(section, []).append(line[4:])
    return {number: "\n".join(lines) + "\n" for number, lines in found.items()}


class Host:
    """A host in namespaces."""

    def __init__(self, name, folder):
        self.name, self.folder = name, folder / name
        self.root = self.folder / "root"
        self.folder.mkdir()
        # An upper layer may not lie within the lower one.
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g", "tmpfs", self.folder], check=True)
        for part in ("upper", "work", "root"):
            (self.folder / part).mkdir()
        layers = f"lowerdir=/,upperdir={self.folder}/upper,workdir={self.folder}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], check=True)
        namespaces = ["unshare", "--net", "--uts", "--mount", "--pid", "--fork", "--kill-child"]
        inner = f"""
            set -e
            mount --bind /dev {self.root}/dev
            mount -t tmpfs tmpfs {self.root}/run
            mount -t proc proc {self.root}/proc
            hostname {name}
            ip link set lo up
            echo up
            exec chroot {self.root} sleep infinity
        """
        self.process = subprocess.Popen([*namespaces, "sh", "-c", inner], stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "up":
            sys.exit(f"installation.py: the host {name} does not start: is this root, with the right to make namespaces?")
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        self.pid = int(children.split()[0])
        known = "".join(f"{address} {other}\n" for other, address in ADDRESSES.items() if other != name)
        # As Debian's installer writes it.
        self.write("/etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {name}\n{known}")
        for service in ("redis-server", "rabbitmq-server"):
            for state in (f"/var/lib/{service.split('-')[0]}", f"/var/log/{service.split('-')[0]}"):
                self.run(f"find {state} -mindepth 1 -delete")
        self.run("install -d -o redis -g redis /run/redis; install -d -o rabbitmq -g rabbitmq /run/rabbitmq")
        shutil.copy(SYSTEMCTL, self.root / "usr/local/bin/systemctl")

    def enter(self):
        return ["nsenter", "--target", str(self.pid), "--net", "--uts", "--mount", "--pid", "--root", "--wd"]

    def write(self, path, text):
        (self.root / path.lstrip("/")).write_text(text)

    def read(self, path):
        return (self.root / path.lstrip("/")).read_text()

    def run(self, script, check=True, **variables):
        """Runs a script as root would type it, in the repository."""
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "CI": "1", **variables}
        done = subprocess.run([*self.enter(), "bash", "-c", f"cd {ROOT}\n{script}"], env=environment, text=True, capture_output=True)
        if check and done.returncode:
            sys.exit(f"installation.py: on {self.name}:\n{script}\nended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done

    def logs(self):
        """The end of each log that its services wrote."""
        found = sorted((self.folder / "upper/var/log").rglob("*.log"))
        return "\n".join(f"{log.name}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-20:]) for log in found)

    def mount(self, folder, path):
        """Shows a folder of this machine to the host."""
        subprocess.run(["nsenter", "--target", str(self.pid), "--mount", "mount", "--bind", folder, f"{self.root}{path}"], check=True)

    def end(self):
        self.process.kill()
        self.process.wait()
        subprocess.run(["umount", "--recursive", "--lazy", self.folder], check=False)


def connect(hub, far):
    """A cable between the hosts; the end that it is cut at is the far one's."""
    subprocess.run(["ip", "link", "add", "gm-hub", "type", "veth", "peer", "name", "gm-far"], check=True)
    for host in (hub, far):
        subprocess.run(["ip", "link", "set", f"gm-{host.name}", "netns", str(host.pid)], check=True)
        host.run(f"ip address add {ADDRESSES[host.name]}/24 dev gm-{host.name} && ip link set gm-{host.name} up")


class Trial:
    """The installed cluster, as its clients see it, and what was found of it."""

    def __init__(self, hub, far, section_7):
        self.hub, self.far = hub, far
        token = hub.read("/etc/gristmill/tokens").split()[1]
        self.exports = section_7.splitlines()[0].replace("TOKEN=TOKEN", f"TOKEN={token}")
        self.failed = 0

    def ask(self, verb, host=None):
        """Asks with the options of the document; the lines of the answer."""
        script = f"{self.exports}\ngristmill {verb} --ca /etc/gristmill/ca.pem --output json --progress none"
        return [json.loads(line) for line in (host or self.hub).run(script).stdout.splitlines()]

    def status(self, run):
        return self.ask(f"status {run}")[-1]

    def holds(self, what, seen, right):
        self.failed += not right
        print(f"{'ok    ' if right else 'FAILED'} {what}: {seen}", flush=True)

    def wait(self, what, seconds, look):
        """Looks until there is something to see."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            if seen := look():
                self.holds(what, f"{seen}, after {time.monotonic() - begun:.0f} s", True)
                return
            time.sleep(0.5)
        self.holds(what, f"not within {seconds} s", False)


def install(hub, far, shared, section_6):
    """Runs every command of the document but the client's, in its order; returns the client's."""
    blocks = commands()
    for host in (hub, far):
        host.run(f"set -e\n{blocks[1]}")
        # "Mount storage that all hosts share."
        host.mount(shared, "/var/lib/gristmill/store")
        host.run("chown gristmill:gristmill /var/lib/gristmill/store")
    # One shell, as a person has one: PASSWORD is made in section 3 and used in 4 and 5.
    hub.run("set -e\n" + "".join(blocks[number] for number in (2, 3, 4, 5)))
    # "Copy `ca.pem` and `worker.env` from `hub`."
    for name in ("ca.pem", "worker.env"):
        far.write(f"/etc/gristmill/{name}", hub.read(f"/etc/gristmill/{name}"))
    far.run("chgrp gristmill /etc/gristmill/worker.env; chmod 640 /etc/gristmill/worker.env")
    # A worker that is started without a connection: systemd starts it until there is one.
    cable(far, up=False)
    far.run("set -e\n" + section_6(blocks[6]))
    return blocks[7]


def cable(host, up):
    """Plugs the host's cable in, or pulls it out."""
    host.run(f"ip link set gm-{host.name} {'up' if up else 'down'}")


def look_at_ports(trial):
    """What can be reached of each host from elsewhere."""
    for host, expected in ((trial.hub, {"5671", "6379", "7071", "7073"}), (trial.far, set())):
        listening = [line.split()[3] for line in host.run("ss --listening --tcp --numeric --no-header").stdout.splitlines()]
        reachable = {address.rsplit(":", 1)[1] for address in listening if not address.startswith(("127.", "[::1]"))}
        # The simulated model is not part of an installation.
        trial.holds(f"ports of {host.name} that others reach", sorted(reachable), reachable == expected)


def cut(trial, run, seconds):
    """Pulls the cable out while calls are in hand, and plugs it in again."""
    cable(trial.far, up=False)
    time.sleep(seconds)
    status = trial.status(run)
    done = status["tasks"]["done"]
    trial.holds(f"cable out for {seconds} s", f"{status['state']}, {done} calls done, {status['reason'] or 'no reason given'}", status["state"] == "running")
    cable(trial.far, up=True)

    def more():
        now = trial.status(run)["tasks"]["done"]
        return f"from {done} to {now} calls done" if now > done else None

    trial.wait("cable in: the run moves", 120, more)


def balance(trial, run, bill, calls):
    """The ledger against what the simulated model has charged for, and the dataset."""
    status = trial.status(run)
    spent, burned = (status["books"][part]["calls"] for part in ("spent", "burned"))
    charged = bill["total"]["calls"]
    trial.holds("every task has ended", status["tasks"], status["tasks"]["open"] == 0 and status["books"]["started"]["calls"] == 0)
    trial.holds("calls charged <= spent + burned <= budget", f"{charged} <= {spent} + {burned} <= {calls}", charged <= spent + burned <= calls)
    trial.holds("no call that was charged for is lost", f"{charged} charged, {spent} spent", charged == spent)
    manifest = json.loads(trial.hub.run(f"cat /var/lib/gristmill/store/{run}/dataset/manifest.json").stdout)
    trial.holds("the dataset is complete", f"{manifest['rows']['train']} rows to train on", manifest["rows"]["train_synthetic"] > 0)


def main():
    parse = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parse.add_argument("--program", type=lambda path: Path(path).resolve(), default=ROOT / "target/release/gristmill")
    parse.add_argument("--sim", type=lambda path: Path(path).resolve(), default=ROOT / "target/release/gristmill-sim")
    parse.add_argument("--calls", type=int, default=4_000)
    args = parse.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="gristmill-hosts-"))
    shared = folder / "shared"
    shared.mkdir()
    folder.chmod(0o755)
    hosts, failed = [], True
    # Told to stop, it takes its hosts down as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        hub, far = (hosts.append(Host(name, folder)) or hosts[-1] for name in ADDRESSES)
        connect(hub, far)
        for host in hosts:
            shutil.copy(args.program, host.root / "usr/local/bin/gristmill")
        failed = try_out(hub, far, shared, args)
    finally:
        for host in hosts:
            if failed:
                print(f"---- logs of {host.name}\n{host.logs()}", file=sys.stderr)
            host.end()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(bool(failed))


def try_out(hub, far, shared, args):
    seeds = ROOT / "tests/data/questions/gsm8k/train.jsonl"
    model = ["--listen", "127.0.0.1:8000", "--gsm8k", str(seeds), "--api-key", "teachers-key", "--latency-ms-mean", "1500", "--latency-ms-spread", "0.5"]
    # Beside the worker: what it has asked for is answered and charged while the cable is out.
    sim = subprocess.Popen([*far.enter(), str(args.sim), *model], stdout=subprocess.PIPE, text=True)
    sim.stdout.readline()
    client = install(hub, far, shared, lambda block: block.replace("=KEY", "=teachers-key").replace("@api.openai.com", "@127.0.0.1:8000"))
    trial = Trial(hub, far, client)
    trial.wait("coordinator ready", 60, lambda: hub.run("gristmill health http://127.0.0.1:7070/readyz", check=False).stdout.strip())
    trial.holds("worker without a cable", "not there", not trial.ask("workers"))
    cable(far, up=True)
    trial.wait("worker after its cable is plugged in", 60, lambda: [worker["worker"] for worker in trial.ask("workers")])
    look_at_ports(trial)
    job = (f"seeds: {{path: {seeds}}}\nteacher: {{base_url: http://127.0.0.1:8000/v1, model: sim, key_env: TEACHER_KEY}}\nembed: {{model: off}}\n"
           f"generate: {{pilot: 0, rounds: 1}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: {args.calls}}}\n")
    hub.write("/root/job.yaml", job)
    run = trial.ask("submit /root/job.yaml")[0]["run"]
    trial.wait("the run begins", 60, lambda: trial.status(run)["tasks"]["done"])
    for seconds in (5, 60):
        cut(trial, run, seconds)
    trial.wait("the run ends", 600, lambda: trial.status(run)["state"] == "finished" or None)
    balance(trial, run, json.loads(far.run("curl --silent http://127.0.0.1:8000/sim/bill").stdout), args.calls)
    return trial.failed


main()
