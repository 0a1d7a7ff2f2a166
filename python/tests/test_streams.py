"""Streams whose coordinator goes away in the middle."""

from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest

import gristmill
from gristmill import _streams
from gristmill.v1 import coordinator_pb2, trace_pb2

ROWS = 10
#: Rows that are sent before the coordinator goes away.
BROKEN_AFTER = 4


def row(index: int) -> trace_pb2.Trace.Row:
    return trace_pb2.Trace.Row(id=f"r{index}", position=trace_pb2.Trace.Position(round=0, index=index))


class Leaving:
    """Sends a few rows and leaves, until it is asked often enough; what it was asked is kept."""

    def __init__(self, leaves: int, code: grpc.StatusCode) -> None:
        self.leaves, self.code = leaves, code
        self.asked: list[coordinator_pb2.ReadRowsRequest] = []

    def read_rows(self, request: coordinator_pb2.ReadRowsRequest, context: grpc.ServicerContext) -> Iterator[coordinator_pb2.ReadRowsResponse]:
        self.asked.append(request)
        first = request.after.index + 1 if request.HasField("after") else 0
        last = min(ROWS, first + request.limit) if request.limit else ROWS
        leaves = len(self.asked) <= self.leaves
        for index in range(first, min(last, first + BROKEN_AFTER) if leaves else last):
            yield coordinator_pb2.ReadRowsResponse(rows=[row(index)])
        if leaves:
            context.abort(self.code, "this coordinator stops")


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_streams, "_PAUSE_SECONDS", (0.01, 0.02))


@pytest.fixture
def serve() -> Iterator["Serve"]:
    serving = Serve()
    yield serving
    serving.stop()


class Serve:
    def __init__(self) -> None:
        self.server = grpc.server(futures.ThreadPoolExecutor(2))
        self.address = f"http://127.0.0.1:{self.server.add_insecure_port('127.0.0.1:0')}"

    def __call__(self, leaves: int, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> Leaving:
        service = Leaving(leaves, code)
        read_rows = grpc.unary_stream_rpc_method_handler(
            service.read_rows,
            request_deserializer=coordinator_pb2.ReadRowsRequest.FromString,
            response_serializer=coordinator_pb2.ReadRowsResponse.SerializeToString,
        )
        handlers = grpc.method_handlers_generic_handler("gristmill.v1.Coordinator", {"ReadRows": read_rows})
        self.server.add_generic_rpc_handlers((handlers,))
        self.server.start()
        return service

    def stop(self) -> None:
        self.server.stop(None)


@pytest.mark.parametrize(("limit", "read", "limits"), [(None, 10, [0, 0, 0]), (9, 9, [9, 5, 1])])
def test_rows_are_read_on_from_the_last_one(serve: Serve, limit: int | None, read: int, limits: list[int]) -> None:
    service = serve(leaves=2)
    with gristmill.Client(serve.address) as client:
        rows = list(client.run("r").iter_rows(limit=limit))
    assert [row.index for row in rows] == list(range(read))
    assert [asked.limit for asked in service.asked] == limits
    assert [asked.after.index if asked.HasField("after") else None for asked in service.asked] == [None, 3, 7]


def test_what_another_attempt_would_not_mend_is_told(serve: Serve) -> None:
    service = serve(leaves=1, code=grpc.StatusCode.UNAUTHENTICATED)
    rows = []
    with gristmill.Client(serve.address) as client, pytest.raises(gristmill.UnauthenticatedError, match="GRISTMILL_TOKEN"):
        for row in client.run("r").iter_rows():
            rows.append(row)
    assert (len(rows), len(service.asked)) == (BROKEN_AFTER, 1)


def test_who_stays_away_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_streams, "AWAY_SECONDS_MAX", 0.1)
    serve(leaves=1)
    with gristmill.Client(serve.address) as client, pytest.raises(gristmill.UnreachableError):
        for _row in client.run("r").iter_rows():
            serve.stop()
