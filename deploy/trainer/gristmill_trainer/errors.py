"""What ends a run early, each with the exit code of the process."""


class RunError(Exception):
    """Training failed, and the message says why."""

    exit_code = 1


class RequestError(RunError):
    """The request, its rows or its model cannot be used as they are. Nothing was trained."""

    exit_code = 2


class Terminated(Exception):
    """The process was asked to stop (SIGTERM) and has done so."""

    exit_code = 143
