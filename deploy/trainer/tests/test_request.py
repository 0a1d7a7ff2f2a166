"""What is refused before anything is loaded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Request, Trainer, build_tokenizer, says, sft_row, write_rows

from gristmill_trainer import rows
from gristmill_trainer.encode import Encoder
from gristmill_trainer.errors import RequestError
from gristmill_trainer.request import parse
from gristmill_trainer.run import encode, micro_batch


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learnin_rate": 1e-4}, "unknown key `learnin_rate`; the nearest known one is `learning_rate`"),
        ({"lora": {"rank": 4, "alpa": 8, "dropout": 0.0}}, "unknown key `lora.alpa`; the nearest known one is `lora.alpha`"),
        ({"steps": "ten"}, '`steps` must be a whole number, at least 1, not "ten"'),
        ({"steps": True}, "`steps` must be a whole number, at least 1, not true"),
        ({"batch_rows": 0}, "`batch_rows` must be a whole number, at least 1, not 0"),
        ({"lora": {"rank": 4, "alpha": 8, "dropout": 1.0}}, "`lora.dropout` must be a number from 0 to below 1, not 1.0"),
        ({"lora": None}, '`lora` is missing, which `method` "lora" needs'),
        ({"objective": "dpo", "dpo": None}, '`dpo` is missing, which `objective` "dpo" needs'),
        ({"objective": "ppo"}, '`objective` must be one of "sft", "dpo", not "ppo"'),
        ({"method": "full", "initial_adapter": "a"}, '`initial_adapter` needs `method` "lora"'),
        ({"format": 2}, "`format` is 2, and this trainer reads format 1"),
        ({"validate_every": None}, "`validate_every` is missing, which `validation` needs"),
        ({"rows": "/nowhere/rows.jsonl"}, "`rows`: cannot read /nowhere/rows.jsonl"),
    ],
)
def test_a_wrong_key_is_named(request_of: Callable[..., Request], changes: dict[str, Any], message: str) -> None:
    with pytest.raises(RequestError) as caught:
        parse(request_of() | changes)
    assert message in str(caught.value)


@pytest.mark.parametrize("key", ["seed", "rows", "precision", "out", "base"])
def test_a_missing_key_is_named(request_of: Callable[..., Request], key: str) -> None:
    request = request_of()
    del request[key]
    with pytest.raises(RequestError, match=f"`{key}` is missing"):
        parse(request)


def test_requests_that_train_the_same_have_one_fingerprint(request_of: Callable[..., Request], tmp_path: Path) -> None:
    request = request_of()
    moved = Path(request["rows"]).rename(tmp_path / "moved.jsonl")
    write_rows(Path(request["rows"]), [sft_row(number % 16) for number in range(24)])
    elsewhere = request | {"rows": str(moved), "out": "elsewhere", "checkpoint_every": 1, "initial_adapter": None}
    assert parse(elsewhere).fingerprint == parse(request).fingerprint
    assert parse(request | {"seed": 4}).fingerprint != parse(request).fingerprint
    write_rows(moved, [sft_row(1)])
    assert parse(elsewhere).fingerprint != parse(request).fingerprint


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", ":2:2: not JSON"),
        ('{"id": "x", "prompt": [], "completion": []}', ":2: `completion` must be a list of messages that is not empty"),
        ('{"id": "x", "promt": []}', ":2: unknown key `promt`; the nearest known one is `prompt`"),
        ('{"id": "x", "prompt": [{"role": "user", "content": "q"}]}', ":2: `completion` is missing"),
        ('{"id": 1, "prompt": [], "completion": []}', ":2: `id` must be a text"),
        ('{"id": "x", "prompt": [], "completion": [{"role": "assistant"}]}', ":2: the `content` of each message of `completion`"),
    ],
)
def test_a_bad_row_is_named_by_file_and_line(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(sft_row(1)) + "\n" + line + "\n")
    with pytest.raises(RequestError) as caught:
        list(rows.read(path, "sft"))
    assert f"{path}{message}" in str(caught.value)


def test_rows_that_are_too_long_are_named_all_at_once(tmp_path: Path) -> None:
    long = [sft_row(number) | {"completion": [says("assistant", "x" * 200)]} for number in range(12)]
    path = write_rows(tmp_path / "rows.jsonl", [sft_row(20), *long])
    with pytest.raises(RequestError) as caught:
        Encoder(build_tokenizer(), "sft", 128).encode_file(path)
    assert f"r0 ({path}:2, " in str(caught.value)
    assert "r9" in str(caught.value) and "and 2 more" in str(caught.value)


def test_rows_must_be_as_many_as_steps_take(request_of: Callable[..., Request]) -> None:
    request = parse(request_of(steps=6, batch_rows=4) | {"steps": 7})
    with pytest.raises(RequestError, match="has 24 rows, and 7 steps of 4 rows need 28"):
        encode(request, build_tokenizer())


def test_processes_share_a_batch_evenly(request_of: Callable[..., Request]) -> None:
    request = parse(request_of(batch_rows=12) | {"micro_batch_rows": 4})
    assert micro_batch(request, 1) == 4
    assert micro_batch(request, 2) == 3
    with pytest.raises(RequestError, match="`batch_rows` is 12, which 5 processes cannot share evenly"):
        micro_batch(request, 5)


def test_a_bad_request_ends_with_code_2(request_of: Callable[..., Request], trainer: Trainer) -> None:
    code, err = trainer.fail(request_of() | {"stepps": 3})
    assert code == 2
    assert "unknown key `stepps`; the nearest known one is `steps`" in err
    code, err = trainer.fail(request_of() | {"base": "/nowhere/model.gguf"})
    assert code == 2
    assert "`base`: there is no file /nowhere/model.gguf" in err
