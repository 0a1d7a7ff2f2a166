"""The client with a real coordinator, real workers and a simulated model; tests/tests/python.rs starts them."""

import json
import logging
import os
from pathlib import Path
from typing import Any

import pandas
import pytest

import gristmill
from gristmill import RunState

SERVER = os.environ["TRY_SERVER"]
#: The coordinator's address for metrics, which is not that of its API.
HTTP = os.environ["TRY_HTTP"]
JOB = Path(os.environ["TRY_JOB"])
STORE = Path(os.environ["TRY_STORE"])
OPERATOR, VIEWER = os.environ["TRY_OPERATOR"], os.environ["TRY_VIEWER"]
#: Seconds in which a run must end.
LONG = 120.0


@pytest.fixture
def client() -> Any:
    with gristmill.Client(SERVER, token=OPERATOR) as client:
        yield client


@pytest.fixture(scope="module")
def finished() -> gristmill.Run:
    """A run that has finished."""
    with gristmill.Client(SERVER, token=OPERATOR) as client:
        run = client.submit(JOB, name="watched")
        run.wait(LONG)
    return gristmill.Client(SERVER, token=VIEWER).run(run.id)


def test_a_run_is_submitted_watched_and_its_rows_are_read(client: gristmill.Client) -> None:
    run = client.submit(JOB, overrides={"generate.seed": 2})
    seen = list(run.watch())
    last = seen[-1]
    assert last.state == RunState.FINISHED and last.is_over
    assert [progress.accepted for progress in seen] == sorted(progress.accepted for progress in seen)
    assert last.name == JOB.name and last.ended is not None and last.ended >= last.submitted
    frame = run.rows()
    assert len(frame) == last.accepted > 0
    everything = run.rows(rejected=True)
    assert len(everything) == last.decided
    assert dict(everything.loc[~everything["accepted"], "reason"].value_counts()) == last.rejected
    assert everything["calls"].sum() == last.spent.calls + last.burned.calls
    print(frame.head().to_string())


def test_rows_are_those_of_the_dataset(finished: gristmill.Run) -> None:
    rows = {row.id: row for row in finished.iter_rows()}
    train = gristmill.load(STORE / finished.id)
    made = {row["id"]: row for row in train.to_dict("records") if row["provenance"]["origin"] == "synthetic"}
    assert set(rows) == set(made) and len(made) < len(train)
    for row in rows.values():
        question, answer = (message["content"] for message in made[row.id]["messages"])
        assert row.question == question
        assert answer == f"{row.reasoning}\n\n{row.answer}" if row.reasoning else row.answer
        assert row.cost.usd_micros == made[row.id]["provenance"]["cost_usd_micros"]
    rejected = gristmill.load(STORE / finished.id / "dataset", "rejected")
    assert set(rejected["id"]) == {row.id for row in finished.iter_rows(rejected=True) if not row.accepted}
    with pytest.raises(FileNotFoundError, match="rejected, test, train, validation"):
        gristmill.load(STORE / finished.id, "preference")


def test_rows_come_in_order_and_from_any_place_on(finished: gristmill.Run) -> None:
    rows = list(finished.iter_rows(rejected=True))
    places = [(row.round, row.index) for row in rows]
    assert places == sorted(set(places)) and len({row.round for row in rows}) > 1
    middle = len(rows) // 2
    rest = finished.iter_rows(rejected=True, after=rows[middle])
    assert [row.id for row in rest] == [row.id for row in rows[middle + 1 :]]
    assert [row.id for row in finished.iter_rows(rejected=True, limit=3)] == [row.id for row in rows[:3]]
    assert list(finished.iter_rows(after=rows[-1])) == [] == list(finished.iter_rows(limit=0))


def test_a_job_and_seeds_may_be_in_memory(client: gristmill.Client, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    teacher = {"base_url": os.environ["TRY_MODEL"], "model": "sim"}
    job = {
        "seeds": {"path": "mine.jsonl", "max_bad_share": 0.1},
        "teacher": teacher,
        "embed": {"model": "off"},
        "generate": {"pilot": 0, "rounds": 1},
        "filter": {"validator": {"kind": "number"}},
        "budget": {"calls": 40},
    }
    lines = (JOB.parent / "seeds.jsonl").read_text().splitlines()[:20]
    (tmp_path / "mine.jsonl").write_text("\n".join([*lines, '{"question": "And then?", "answer": ""}']))
    with caplog.at_level(logging.WARNING, "gristmill"):
        by_file = client.submit(job, base=tmp_path, name="in memory")
    [warning] = caplog.messages
    assert "mine.jsonl:21" in warning
    rows = [json.loads(line) for line in lines]
    assert client.submit(job, seeds=rows, name="in memory").id == by_file.id, "the same seeds are the same run"
    assert client.submit(job, seeds=pandas.DataFrame(rows), name="in memory").id == by_file.id
    assert client.submit(job, seeds=[tmp_path / "mine.jsonl"], name="in memory").id == by_file.id
    assert by_file.wait(LONG).name == "in memory"
    assert by_file.id in [progress.run for progress in client.runs()]


def test_a_run_is_paused_resumed_and_cancelled(client: gristmill.Client) -> None:
    # No worker has the key, so the run goes on until it is stopped.
    run = client.submit(JOB, overrides={"generate.seed": 3, "teacher.key_env": "NOBODY_HAS_THIS"})
    waiting = next(progress for progress in run.watch() if progress.obstacles)
    assert "NOBODY_HAS_THIS" in waiting.obstacles[0]
    with pytest.raises(gristmill.TimedOutError, match="has not finished within"):
        run.wait(0.5)
    assert run.pause("a look").reason.startswith("a look (by token ")
    with pytest.raises(gristmill.RunStoppedError, match=r"a look \(by token \w+\)\nhelp: `resume") as stopped:
        list(run.watch())
    assert stopped.value.progress.state == RunState.PAUSED
    assert run.resume().state == RunState.RUNNING
    assert run.cancel().state == RunState.CANCELLED
    with pytest.raises(gristmill.RunStoppedError, match="is cancelled"):
        run.wait(LONG)
    assert list(run.iter_rows()) == []


def test_errors_say_what_to_do(client: gristmill.Client, finished: gristmill.Run, tmp_path: Path) -> None:
    with pytest.raises(gristmill.NotFoundError, match="there is no run"):
        client.run("0" * len(finished.id)).status()
    with pytest.raises(gristmill.NotFoundError, match="there is no run"):
        next(client.run("0" * len(finished.id)).iter_rows())
    with pytest.raises(gristmill.NotFoundError, match="there is no run `nonsense`"):
        client.run("nonsense").status()
    with pytest.raises(gristmill.ForbiddenError, match="operator"):
        finished.pause()
    with gristmill.Client(SERVER, token="") as nobody:
        for ask in (lambda: nobody.runs(), lambda: list(nobody.run(finished.id).iter_rows())):
            with pytest.raises(gristmill.UnauthenticatedError, match=r"asks for a token\nhelp: give the client `token`.*GRISTMILL_TOKEN") as refused:
                ask()
            assert "--" not in str(refused.value), "an option of the command line is of no use here"
        with pytest.raises(gristmill.JobError, match="asks for a token"):
            nobody.submit(JOB)
    with gristmill.Client(f"http://{HTTP}", token=OPERATOR) as elsewhere, pytest.raises(gristmill.GristmillError, match="--listen"):
        elsewhere.runs()
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(JOB.read_text().replace("budget: {calls:", "budget: {call:"))
    with pytest.raises(gristmill.JobError, match=r"(?s)wrong\.yaml:\d+.*calls"):
        client.submit(wrong)
    with pytest.raises(gristmill.JobError, match=r"(?s)standard input:\d+.*seeds"):
        client.submit({"seed": {}})
    with pytest.raises(gristmill.JobError, match="base_url"):
        client.submit(JOB, overrides={"teacher.base_ur": "x"})


def test_a_token_may_be_in_a_file(finished: gristmill.Run, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{VIEWER}\n")
    with gristmill.Client(SERVER, token_file=file) as client:
        assert client.run(finished.id).status().is_over
