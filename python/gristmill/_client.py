"""A client of a coordinator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from gristmill import _submission
from gristmill._connection import Metadata, Server, StrPath
from gristmill._errors import translated
from gristmill._progress import Progress
from gristmill._run import Run
from gristmill.v1 import coordinator_pb2, coordinator_pb2_grpc

if TYPE_CHECKING:
    from pandas import DataFrame

Request = TypeVar("Request")
Response = TypeVar("Response")


class Client:
    """Speaks to a coordinator. It can be used from several threads at once; `close` or `with` ends its connection."""

    #: The service as it is, with every call of `coordinator.proto`: `client.call(client.api.ListWorkers, request)`.
    api: coordinator_pb2_grpc.CoordinatorStub

    def __init__(
        self,
        server: str | None = None,
        *,
        token: str | None = None,
        token_file: StrPath | None = None,
        ca: StrPath | None = None,
        client_cert: StrPath | None = None,
        client_key: StrPath | None = None,
        plaintext: bool | None = None,
        timeout: float = 30.0,
    ) -> None:
        """Prepares a client; nothing is sent yet.

        Args:
            server: The coordinator: `http://HOST:PORT`, `https://…` with TLS. The variable GRISTMILL_SERVER when left out.
            token: What the coordinator lets in. The variable GRISTMILL_TOKEN when left out.
            token_file: A file that holds the token, in place of `token`.
            ca: Authority (PEM) that the server's certificate is checked against; the system's when left out.
            client_cert: Certificate (PEM) to show to the server.
            client_key: Key (PEM) of that certificate.
            plaintext: Allows a connection without TLS to another machine. The variable GRISTMILL_PLAINTEXT when left out.
            timeout: Seconds in which a call must be answered. Streams (`watch`, `rows`) and `submit` have no such limit.

        Raises:
            ValueError: An address or a combination of these that cannot be used.
            OSError: A file cannot be read.
        """
        self._server = Server(
            server,
            token=token,
            token_file=token_file,
            ca=ca,
            client_cert=client_cert,
            client_key=client_key,
            plaintext=plaintext,
        )
        self._timeout = timeout
        self._channel = self._server.channel()
        self.api = coordinator_pb2_grpc.CoordinatorStub(self._channel)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<gristmill.Client {self.server}>"

    @property
    def server(self) -> str:
        """The coordinator's address."""
        return self._server.address

    @property
    def metadata(self) -> Metadata:
        """What is sent with every call: the token."""
        return self._server.metadata()

    def close(self) -> None:
        """Ends the connection, and calls that are under way with it."""
        self._channel.close()

    def call(self, method: grpc.UnaryUnaryMultiCallable[Request, Response], request: Request) -> Response:
        """Calls a method of `api` that has one answer.

        Raises:
            GristmillError: What the coordinator says, or that it does not answer.
        """
        try:
            return method(request, timeout=self._timeout, metadata=self.metadata)
        except grpc.RpcError as error:
            raise translated(error, self.server) from error

    def submit(
        self,
        job: StrPath | Mapping[str, Any],
        *,
        seeds: StrPath | Sequence[StrPath] | Iterable[Mapping[str, Any]] | DataFrame | None = None,
        overrides: Mapping[str, Any] | None = None,
        base: StrPath | None = None,
        name: str | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Run:
        """Sends a job with its seeds. The same job with the same seeds is the same run, however often it is sent.

        The program `gristmill` of this package reads the job and the seeds, so what it accepts and what it says of a mistake is what
        `gristmill submit` does. Its warnings go to the logger `gristmill`.

        Args:
            job: A job file, or what such a file holds: `{"seeds": …, "teacher": …, "budget": {"usd": 5}}`.
            seeds: Seeds in place of those that the job names: a file, files, rows (`{"question": …, "answer": …}`), or a DataFrame of them.
            overrides: Settings in place of those of the job, by their paths: `{"budget.usd": 2}`.
            base: Folder where relative paths in a job start that is no file; the current one when left out.
            name: What lists of runs call it; the job file's name when left out.
            request_id: Makes sending the same again safe; the run's id when left out.
            timeout: Seconds for reading and sending all of it; no limit when left out.

        Raises:
            JobError: Something is wrong with the job or its seeds, or the coordinator refuses them.
            ProgramError: The program is missing, or could not send the job.
            TimedOutError: It took too long.
        """
        asked = _submission.Submission(job, seeds, overrides or {}, base, name, request_id)
        return Run(self, _submission.submit(self._server, asked, timeout))

    def run(self, id: str) -> Run:
        """A run by its id. Whether there is one is known once it is asked for something."""
        return Run(self, id)

    def runs(self, *, limit: int = 50, skip: int = 0) -> list[Progress]:
        """The cluster's runs, the newest first.

        Args:
            limit: So many at most, of 500.
            skip: So many of the newest are left out.
        """
        request = coordinator_pb2.ListRunsRequest(limit=limit, skip=skip)
        return [Progress.of(run) for run in self.call(self.api.ListRuns, request).runs]
