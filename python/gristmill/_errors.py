"""What can go wrong. Each error says what failed and how to mend it; what the coordinator says stands in it word for word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

if TYPE_CHECKING:
    from gristmill._progress import Progress


class GristmillError(Exception):
    """The base of all errors of this package."""


class UnreachableError(GristmillError):
    """No coordinator answers at the address."""


class TimedOutError(GristmillError):
    """The answer did not come in time. A call that changes something may have been carried out all the same."""


class UnauthenticatedError(GristmillError):
    """The coordinator asks for a token, or does not know the one that it was shown."""


class ForbiddenError(GristmillError):
    """The token is one of a viewer, who may not change anything."""


class NotFoundError(GristmillError):
    """There is no such run."""


class RefusedError(GristmillError):
    """The coordinator refuses the request as it is: something in it is wrong, or the run is not in a state for it."""


class ServerError(GristmillError):
    """The coordinator could not answer."""


class JobError(GristmillError):
    """The job or something that it names cannot be used. The message names file, line and column."""


class ProgramError(GristmillError):
    """The program `gristmill` could not be started, or ended with an error.

    `code` is its exit code, and None where it did not start.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class RunStoppedError(GristmillError):
    """The run does not go on until a person acts: it is paused, frozen, failed or cancelled. `progress` says where it stands."""

    def __init__(self, message: str, progress: Progress) -> None:
        super().__init__(message)
        self.progress = progress


class MissingDependencyError(GristmillError, ImportError):
    """A package that is not installed with `gristmill` alone is needed for this."""


_REFUSED = (
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)


def translated(error: grpc.RpcError, server: str) -> GristmillError:
    """The error of a call as one of this package."""
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
    said = (error.details() if isinstance(error, grpc.Call) else None) or str(error)
    if code == grpc.StatusCode.UNAVAILABLE:
        return UnreachableError(
            f"no coordinator answers at {server}: {said}\n"
            "help: the address is that of its `--listen`, port 7071 unless set, and `https://…` where it has a certificate; `ca` names the "
            "authority that signed that"
        )
    if code == grpc.StatusCode.UNKNOWN:
        # No coordinator says so: it is the client's word for an answer that is none of gRPC.
        return UnreachableError(
            f"what answers at {server} is not the API of a coordinator: {said}\n"
            "help: its port is that of `--listen`, 7071 unless set; the one of `--http`, 7070 unless set, is for the dashboard and metrics"
        )
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return TimedOutError(f"{server} did not answer in time: {said}\nhelp: give the client a longer `timeout`, in seconds")
    if code == grpc.StatusCode.UNAUTHENTICATED:
        return UnauthenticatedError(f"{server}: {said}\nhelp: give the client `token` or `token_file`, or set GRISTMILL_TOKEN")
    if code == grpc.StatusCode.PERMISSION_DENIED:
        return ForbiddenError(f"{server}: {said}\nhelp: this needs the token of an operator")
    if code == grpc.StatusCode.NOT_FOUND:
        return NotFoundError(said)
    if code == grpc.StatusCode.UNIMPLEMENTED:
        return ServerError(f"{server} does not know this call: {said}\nhelp: it is older than this package, or its port is not that of `--listen`")
    if code in _REFUSED:
        return RefusedError(said)
    return ServerError(f"{server}: {code.name.lower()}: {said}")
