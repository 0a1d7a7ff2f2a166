#!/usr/bin/python3
"""Stands in for `systemctl` on a host that has no systemd: see installation.py.

Debian's services are started by their init scripts. A unit of /etc/systemd/system is run as its User, with its EnvironmentFile and ExecStart, and again
after RestartSec when it ends, unless by an exit code of RestartPreventExitStatus. Its log is /var/log/UNIT.log.
"""

import configparser
import os
import pathlib
import pwd
import shlex
import subprocess
import sys
import time


def keep_running(name):
    """What systemd does with such a unit."""
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str
    unit.read(f"/etc/systemd/system/{name}.service")
    service = unit["Service"]
    user = pwd.getpwnam(service["User"])
    lines = pathlib.Path(service["EnvironmentFile"]).read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    log = open(f"/var/log/{name}.log", "ab")
    while True:
        done = subprocess.run(
            shlex.split(service["ExecStart"]), env={"PATH": "/usr/bin:/bin", "HOME": user.pw_dir, **environment}, cwd=service["WorkingDirectory"],
            user=user.pw_uid, group=user.pw_gid, extra_groups=[], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if str(done.returncode) in service.get("RestartPreventExitStatus", "").split():
            return
        time.sleep(float(service["RestartSec"]))


def main():
    verb, *names = [word for word in sys.argv[1:] if not word.startswith("--")]
    if verb == "daemon-reload":
        return
    for name in names:
        if pathlib.Path(f"/etc/systemd/system/{name}.service").exists():
            if verb != "enable" or "--now" not in sys.argv:
                sys.exit(f"systemctl.py: `{verb} {name}` is not known")
            if os.fork() == 0:
                os.setsid()
                # Whoever called reads until its output ends.
                nowhere = os.open(os.devnull, os.O_RDWR)
                for stream in range(3):
                    os.dup2(nowhere, stream)
                keep_running(name)
                os._exit(0)
        else:
            subprocess.run(["service", name, verb], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


main()
