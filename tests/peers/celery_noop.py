"""Celery doing no-op tasks: prints the seconds from the first `delay` to the last result.

    celery_noop.py BROKER_URL REDIS_URL TASKS

Two worker processes, Celery's own queues, results in Redis, late acknowledgement as in the system it stands beside.
"""

import os
import subprocess
import sys
import time

from celery import Celery, group

# The worker is this file again, imported by Celery: it has its arguments from the environment.
broker, backend, tasks = os.environ["CELERY_NOOP"].split("\n") if "CELERY_NOOP" in os.environ else sys.argv[1:4]
tasks = int(tasks)
app = Celery("noop", broker=broker, backend=backend)
app.conf.update(task_acks_late=True, worker_prefetch_multiplier=64, broker_connection_retry_on_startup=True)


@app.task(name="noop")
def noop(number):
    return number


def main():
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "celery_noop", "worker", "--concurrency", "2", "--loglevel", "ERROR"],
        cwd=os.path.dirname(os.path.abspath(__file__)),
        env={**os.environ, "CELERY_NOOP": "\n".join(sys.argv[1:4])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        noop.delay(0).get(timeout=60)
        start = time.monotonic()
        results = group(noop.s(number) for number in range(tasks)).apply_async()
        results.join_native(timeout=1800, interval=0.05) if results.supports_native_join else results.join(timeout=1800)
        print(time.monotonic() - start)
    finally:
        worker.terminate()
        worker.wait()


if __name__ == "__main__":
    main()
