"""Gristmill turns real examples and a hard budget into a synthetic dataset for fine-tuning. This package carries the program `gristmill`, and a
client of its coordinators:

    import gristmill

    with gristmill.Client("http://127.0.0.1:7071") as client:
        run = client.submit("job.yaml")
        for progress in run.watch():
            print(progress.phase, progress.accepted)
        frame = run.rows()

`gristmill.load("out/RUN")` reads the dataset of a run of this machine.
"""

from importlib.metadata import PackageNotFoundError, version

from gristmill._client import Client
from gristmill._dataset import load
from gristmill._errors import (
    ForbiddenError,
    GristmillError,
    JobError,
    MissingDependencyError,
    NotFoundError,
    ProgramError,
    RefusedError,
    RunStoppedError,
    ServerError,
    TimedOutError,
    UnauthenticatedError,
    UnreachableError,
)
from gristmill._program import program
from gristmill._progress import Amount, Limit, Progress, RunState
from gristmill._row import Row
from gristmill._run import Run

try:
    __version__ = version("gristmill")
except PackageNotFoundError:
    # The sources themselves, without an installation.
    __version__ = "0"

__all__ = [
    "Amount",
    "Client",
    "ForbiddenError",
    "GristmillError",
    "JobError",
    "Limit",
    "MissingDependencyError",
    "NotFoundError",
    "ProgramError",
    "Progress",
    "RefusedError",
    "Row",
    "Run",
    "RunState",
    "RunStoppedError",
    "ServerError",
    "TimedOutError",
    "UnauthenticatedError",
    "UnreachableError",
    "load",
    "program",
]
