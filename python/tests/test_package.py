"""What the package does without a coordinator."""

import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gristmill
from gristmill._connection import Server
from gristmill._frame import COLUMNS, frame_of
from gristmill.v1 import amount_pb2, coordinator_pb2, task_pb2, trace_pb2

NO_SERVER = "http://127.0.0.1:1"


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("GRISTMILL_"):
            monkeypatch.delenv(name)


def server(address: str | None, token: str | None = None, token_file: Path | None = None) -> Server:
    return Server(address, token=token, token_file=token_file, ca=None, client_cert=None, client_key=None, plaintext=None)


def test_an_address_and_a_token_come_from_the_same_variables_as_for_the_command_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="GRISTMILL_SERVER"):
        server(None)
    monkeypatch.setenv("GRISTMILL_SERVER", NO_SERVER)
    assert server(None).metadata() == ()
    monkeypatch.setenv("GRISTMILL_TOKEN", "of-the-environment\n")
    assert server(None).metadata() == (("authorization", "Bearer of-the-environment"),)
    file = tmp_path / "token"
    file.write_text("of-the-file\n")
    with_file = server(None, token_file=file)
    assert with_file.token == "of-the-file"
    assert "of-the-file" not in with_file.arguments()
    assert with_file.environment()["GRISTMILL_TOKEN"] == "of-the-file"
    with pytest.raises(ValueError, match="pass one of them"):
        server(None, token="a", token_file=file)


@pytest.mark.parametrize("address", ["http://10.0.0.1:7071", "http://127.0.0.1.example.com", "http://localhost@gristmill:7071"])
def test_nothing_leaves_this_machine_without_tls_unless_a_person_says_so(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="plaintext=True"):
        server(address)
    monkeypatch.setenv("GRISTMILL_PLAINTEXT", "true")
    assert server(address).environment()["GRISTMILL_PLAINTEXT"] == "true"


@pytest.mark.parametrize("address", ["http://[::1]:7071", "http://localhost", "https://gristmill.example.com"])
def test_this_machine_and_tls_need_no_word(address: str) -> None:
    assert server(address).address == address


@pytest.mark.parametrize("address", ["gristmill:7071", "grpc://gristmill:7071", "127.0.0.1:7071", "http://"])
def test_what_is_no_address_is_told_with_one(address: str) -> None:
    with pytest.raises(ValueError, match="write `http://"):
        server(address)


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with gristmill.Client(NO_SERVER) as client:
        run = client.run("0" * 64)
        for ask in (run.status, lambda: list(run.iter_rows()), lambda: list(run.watch()), run.wait):
            with pytest.raises(gristmill.UnreachableError, match=r"127\.0\.0\.1:1"):
                ask()


def test_a_state_that_a_newer_coordinator_knows_is_unknown() -> None:
    run = coordinator_pb2.Run()
    run.ParseFromString(coordinator_pb2.Run(state=coordinator_pb2.RUN_STATE_PAUSED).SerializeToString().replace(b"\x18\x03", b"\x18\x63"))
    assert gristmill.Progress.of(run).state == gristmill.RunState.UNKNOWN
    names = coordinator_pb2.RunState.keys()
    words = {name.removeprefix("RUN_STATE_").lower() for name in names} - {"unspecified"}
    assert words == {state.value for state in gristmill.RunState} - {"unknown"}


def a_row() -> trace_pb2.Trace.Row:
    costs = [
        trace_pb2.Trace.StageCost(stage=task_pb2.STAGE_GENERATE, amount=amount_pb2.Amount(usd_micros=5, calls=1, input_tokens=3)),
        trace_pb2.Trace.StageCost(stage=task_pb2.STAGE_JUDGE, amount=amount_pb2.Amount(usd_micros=2, calls=1, output_tokens=4)),
    ]
    call = trace_pb2.Trace.ToolCall(id="c", name="add", arguments='{"a": 1}')
    return trace_pb2.Trace.Row(
        id="r",
        position=trace_pb2.Trace.Position(round=1, index=7),
        form="tool_use",
        messages=[
            trace_pb2.Trace.Turn(role="assistant", tool_calls=[call]),
            trace_pb2.Trace.Turn(role="tool", content="2", tool_call_id="c", name="add"),
        ],
        tools=[trace_pb2.Trace.Tool(name="add", description="adds", parameters='{"type": "object"}')],
        costs=costs,
        rejection=trace_pb2.Trace.Rejection(reason="wrong", detail="3, not 2"),
        checks=trace_pb2.Trace.Checks(correct=False, votes=trace_pb2.Trace.Votes(votes=2, of=3)),
    )


def test_a_row_says_what_its_message_says() -> None:
    row = gristmill.Row.of(a_row())
    assert (row.round, row.index, row.accepted, row.reason, row.detail) == (1, 7, False, "wrong", "3, not 2")
    assert row.cost == gristmill.Amount(usd_micros=7, calls=2, input_tokens=3, output_tokens=4)
    assert (row.correct, row.votes, row.votes_of, row.sure, row.margin, row.recipe_version) == (False, 2, 3, None, None, None)
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert row.messages == (
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c", "type": "function", "function": function}]},
        {"role": "tool", "content": "2", "tool_call_id": "c", "name": "add"},
    )
    assert row.tools[0]["function"]["parameters"] == {"type": "object"}


def test_a_frame_has_the_same_columns_with_and_without_rows() -> None:
    row = gristmill.Row.of(a_row())
    empty, full = frame_of([]), frame_of([row, gristmill.Row.of(trace_pb2.Trace.Row(id="s"))])
    assert list(empty.columns) == list(full.columns) == list(COLUMNS)
    assert list(empty.dtypes.astype(str)) == list(full.dtypes.astype(str)) == list(COLUMNS.values())
    assert list(full["accepted"]) == [False, True]
    assert list(full["usd_micros"]) == [7, 0]
    assert list(full["correct"].isna()) == [False, True]


def test_without_pandas_it_is_named_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with gristmill.Client(NO_SERVER) as client, pytest.raises(gristmill.MissingDependencyError, match=r"gristmill\[pandas\]"):
        client.run("0" * 64).rows()
    with pytest.raises(ImportError, match=r"gristmill\[pandas\]"):
        gristmill.load("out/run")


def test_the_package_is_imported_without_pandas() -> None:
    code = "import sys; sys.modules['pandas'] = sys.modules['pyarrow'] = None; import gristmill"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_program_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRISTMILL_BIN", "/no/such/program")
    with pytest.raises(gristmill.ProgramError, match="GRISTMILL_BIN") as caught:
        gristmill.program()
    assert caught.value.code is None


def seeds() -> Iterator[object]:
    yield [{"question": "q"}, "seeds.jsonl"]
    yield []
    yield 7


@pytest.mark.parametrize("wrong", list(seeds()))
def test_seeds_that_are_none_are_refused(wrong: object) -> None:
    with gristmill.Client(NO_SERVER) as client, pytest.raises(TypeError):
        client.submit("job.yaml", seeds=wrong)  # type: ignore[arg-type]


def test_what_is_no_json_is_refused() -> None:
    with gristmill.Client(NO_SERVER) as client, pytest.raises(ValueError, match="JSON"):
        client.submit({"budget": {"usd": float("nan")}})


def test_a_run_without_a_dataset_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="neither a run's folder"):
        gristmill.load(tmp_path)
    (tmp_path / "state").mkdir()
    with pytest.raises(FileNotFoundError, match="no dataset yet"):
        gristmill.load(tmp_path)


def test_all_public_names_are_documented() -> None:
    for name in gristmill.__all__:
        assert getattr(gristmill, name).__doc__, name


def test_the_oldest_dependencies_that_are_allowed_are_those_that_are_tried() -> None:
    project = Path(__file__).parents[1] / "pyproject.toml"
    [needed] = [line for line in project.read_text().splitlines() if line.startswith("dependencies")]
    grpcio, protobuf = (importlib.metadata.version(name) for name in ("grpcio", "protobuf"))
    assert needed == f'dependencies = ["grpcio>={grpcio.removesuffix(".0")}", "protobuf>={protobuf},<8"]'
