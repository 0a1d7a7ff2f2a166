"""Whole runs of the trainer, as processes, on a model of two layers."""

import json
import math
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import Request, Trainer, losses
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from gristmill_trainer import base as bases
from gristmill_trainer.request import parse
from gristmill_trainer.run import Options, build, encode

MakeRequest = Callable[..., Request]


def loss_of(model: Any, tokenizer: Any, rows: list[dict[str, Any]]) -> tuple[float, int]:
    """The mean loss of answers' tokens and their number, one row at a time, with nothing of the trainer's."""
    total, count = 0.0, 0
    model.eval()
    for row in rows:
        prompt = tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
        whole = tokenizer.apply_chat_template(row["prompt"] + row["completion"], tokenize=False)
        start = len(tokenizer(prompt, add_special_tokens=False)["input_ids"])
        ids = torch.tensor(tokenizer(whole, add_special_tokens=False)["input_ids"])
        with torch.no_grad():
            odds = model(ids[None]).logits[0].log_softmax(-1)
        for place in range(start, len(ids)):
            total -= float(odds[place - 1, ids[place]])
            count += 1
    return total / count, count


def rows_of(request: Request, key: str = "rows") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(request[key]).read_text().splitlines()]


def base_of(request: Request) -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(request["base"]), AutoTokenizer.from_pretrained(request["base"])


def of_kind(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["event"] == kind]


def test_losses_are_those_of_the_model_and_the_adapter_fits_it(request_of: MakeRequest, trainer: Trainer) -> None:
    request = request_of()
    events = trainer.run(request)
    model, tokenizer = base_of(request)
    first, tokens = loss_of(model, tokenizer, rows_of(request)[:4])
    step = of_kind(events, "step")[0]
    assert step["loss"] == pytest.approx(first, abs=1e-5)
    assert step["tokens"] == tokens
    before, tokens = loss_of(model, tokenizer, rows_of(request, "validation"))
    assert of_kind(events, "validation")[0] == {"event": "validation", "step": 0, "loss": pytest.approx(before, abs=1e-5), "tokens": tokens}
    assert [event["step"] for event in of_kind(events, "validation")] == [0, 2, 4, 6]
    assert [event["step"] for event in of_kind(events, "checkpoint")] == [2, 4, 6]
    done = events[-1]
    assert (done["event"], done["reason"]) == ("done", "steps")
    assert set(done) == {"event", "best_step", "reason", "seconds", "peak_memory_bytes"}
    tuned = PeftModel.from_pretrained(model, f"{request['out']}/adapter")
    after, _ = loss_of(tuned, tokenizer, rows_of(request, "validation"))
    validated = losses(events, "validation")
    assert after == pytest.approx(validated[done["best_step"]], abs=1e-5)
    assert validated[done["best_step"]] == min(validated.values()) < before
    assert events[0] == {
        "event": "start",
        "resumed": 0,
        "steps": 6,
        "trainable": sum(tensor.numel() for tensor in load_file(f"{request['out']}/adapter/adapter_model.safetensors").values()),
        "tokens": sum(step["tokens"] for step in of_kind(events, "step")),
    }
    # Started again, it only says so.
    assert trainer.run(request) == [events[0], done]


def test_the_learning_rate_rises_and_falls_as_promised(request_of: MakeRequest, trainer: Trainer) -> None:
    events = trainer.run(request_of(steps=8, warmup=0.3, validation=None, learning_rate=1e-3))
    rises = math.ceil(0.3 * 8)
    for event in of_kind(events, "step"):
        taken = event["step"] - 1
        share = taken / rises if taken < rises else 0.5 * (1 + math.cos(math.pi * (taken - rises) / (8 - rises)))
        assert event["learning_rate"] == pytest.approx(1e-3 * share)
    assert events[-1]["best_step"] == 8


LAUNCH = (
    *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2", "--num_machines=1"),
    *("--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0"),
)
"""Two processes."""


@pytest.mark.parametrize(("objective", "method"), [("sft", "lora"), ("dpo", "lora"), ("sft", "full")])
def test_killed_and_started_again_it_trains_the_same(request_of: MakeRequest, trainer: Trainer, tmp_path: Path, objective: str, method: str) -> None:
    request = request_of(objective=objective, method=method, steps=10, checkpoint_every=3)
    unbroken = trainer.run(request | {"out": str(tmp_path / "unbroken")})
    process = trainer.start(request)
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(json.loads(line))
        if seen[-1].get("step") == 8:
            process.send_signal(signal.SIGKILL)
            break
    assert process.wait() == -signal.SIGKILL
    # As if it had been killed while it wrote, and while it removed.
    for leftover in (".partial", ".removed-step-3"):
        (tmp_path / "out/checkpoints" / leftover).mkdir()
    rest = trainer.run(request)
    assert min(losses(rest)) == 7, "it resumes from step 6"
    assert losses(seen) | losses(rest) == losses(unbroken)
    assert losses(seen, "validation") | losses(rest, "validation") == losses(unbroken, "validation")
    assert rest[-1]["best_step"] == unbroken[-1]["best_step"]
    weights = "adapter/adapter_model.safetensors" if method == "lora" else "model/model.safetensors"
    one, other = (load_file(tmp_path / out / weights) for out in ("out", "unbroken"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert sorted(path.name for path in (tmp_path / "out/checkpoints").iterdir()) == ["step-6", "step-9"]


@pytest.mark.parametrize("launcher", [(sys.executable,), LAUNCH], ids=["one", "two"])
def test_asked_to_stop_it_writes_a_checkpoint(request_of: MakeRequest, trainer: Trainer, tmp_path: Path, launcher: tuple[str, ...]) -> None:
    request = request_of(steps=200, checkpoint_every=1000, validate_every=50)
    unbroken = trainer.run(request | {"out": str(tmp_path / "unbroken")}, launcher=launcher)
    process = trainer.start(request, launcher=launcher)
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(json.loads(line))
        if seen[-1].get("step") == 3:
            process.send_signal(signal.SIGTERM)
    code = process.wait()
    assert code == 143 if launcher == (sys.executable,) else code != 0
    assert seen[-1]["event"] == "checkpoint"
    assert seen[-1]["step"] < 200
    rest = trainer.run(request, launcher=launcher)
    assert min(losses(rest)) == seen[-1]["step"] + 1
    assert losses(seen) | losses(rest) == losses(unbroken)
    assert losses(seen, "validation") | losses(rest, "validation") == losses(unbroken, "validation")


def test_micro_batches_do_not_change_the_loss(request_of: MakeRequest, trainer: Trainer, tmp_path: Path) -> None:
    request = request_of(lora={"rank": 4, "alpha": 8, "dropout": 0.0})
    one = trainer.run(request | {"micro_batch_rows": 1, "out": str(tmp_path / "one")})
    four = trainer.run(request | {"micro_batch_rows": 4, "out": str(tmp_path / "four")}, "--gradient-checkpointing")
    assert losses(one) == pytest.approx(losses(four), abs=1e-5)
    assert losses(one, "validation") == pytest.approx(losses(four, "validation"), abs=1e-5)


@pytest.mark.parametrize("objective", ["sft", "dpo"])
def test_two_processes_train_as_one(request_of: MakeRequest, trainer: Trainer, tmp_path: Path, objective: str) -> None:
    request = request_of(objective=objective, lora={"rank": 4, "alpha": 8, "dropout": 0.0}, steps=4)
    alone = trainer.run(request | {"out": str(tmp_path / "alone")})
    both = trainer.run(request, launcher=LAUNCH)
    assert losses(both) == pytest.approx(losses(alone), abs=1e-5)
    assert losses(both, "validation") == pytest.approx(losses(alone, "validation"), abs=1e-5)
    assert [event["event"] for event in both] == [event["event"] for event in alone]
    # Random numbers of each.
    assert sorted(path.name for path in Path(request["out"]).glob("checkpoints/step-4/rng_state*")) == ["rng_state_0.pth", "rng_state_1.pth"]


def test_preferences_start_at_the_loss_of_a_coin(request_of: MakeRequest, trainer: Trainer, tmp_path: Path) -> None:
    request = request_of(objective="dpo")
    events = trainer.run(request)
    assert losses(events)[1] == pytest.approx(math.log(2), abs=1e-6)
    assert losses(events, "validation")[6] < losses(events, "validation")[0]
    # What training starts from is what it is compared with.
    still = {"lora": {"rank": 4, "alpha": 8, "dropout": 0.0}}
    again = trainer.run(request | still | {"initial_adapter": f"{request['out']}/adapter", "out": str(tmp_path / "again")})
    assert losses(again)[1] == pytest.approx(math.log(2), abs=1e-6)


def test_the_copy_that_preferences_are_compared_with_has_no_dropout(request_of: MakeRequest, trainer: Trainer, tmp_path: Path) -> None:
    drawn = str(tmp_path / "drawn")
    trainer.run(request_of(), "--write-initial-adapter", drawn)
    request = parse(request_of(objective="dpo", initial_adapter=drawn))
    base = bases.locate(request.base)
    tokenizer = bases.load_tokenizer(base)
    training, _ = encode(request, tokenizer)
    model = build(request, Options(None), base, tokenizer, training, processes=1).model
    kinds = {(name, type(kind)) for module in model.modules() for name, kind in getattr(module, "lora_dropout", {}).items()}
    assert kinds == {("default", torch.nn.Dropout), ("ref", torch.nn.Identity)}


def test_it_stops_when_validation_gets_no_better(request_of: MakeRequest, trainer: Trainer) -> None:
    request = request_of(steps=12, learning_rate=3.0, validate_every=1, patience=3)
    events = trainer.run(request)
    done, validated = events[-1], losses(events, "validation")
    assert done["reason"] == "early_stopping"
    assert max(validated) == done["best_step"] + 3 < 12
    assert validated[done["best_step"]] == min(validated.values())
    model, tokenizer = base_of(request)
    tuned = PeftModel.from_pretrained(model, f"{request['out']}/adapter")
    assert loss_of(tuned, tokenizer, rows_of(request, "validation"))[0] == pytest.approx(min(validated.values()), abs=1e-5)


@pytest.mark.parametrize("objective", ["sft", "dpo"])
def test_a_whole_model(request_of: MakeRequest, trainer: Trainer, objective: str) -> None:
    request = request_of(objective=objective, method="full", learning_rate=1e-3)
    events = trainer.run(request)
    validated = losses(events, "validation")
    assert validated[6] < validated[0]
    if objective == "sft":
        tuned = AutoModelForCausalLM.from_pretrained(f"{request['out']}/model")
        tokenizer = AutoTokenizer.from_pretrained(f"{request['out']}/model")
        assert loss_of(tuned, tokenizer, rows_of(request, "validation"))[0] == pytest.approx(min(validated.values()), abs=1e-5)


def test_half_precision_gives_nearly_the_same_losses(request_of: MakeRequest, trainer: Trainer, tmp_path: Path) -> None:
    request = request_of(lora={"rank": 4, "alpha": 8, "dropout": 0.0})
    exact = trainer.run(request | {"out": str(tmp_path / "exact")})
    halved = trainer.run(request | {"precision": "bf16"})
    assert losses(halved) == pytest.approx(losses(exact), rel=0.02)
    saved = load_file(f"{request['out']}/adapter/adapter_model.safetensors")
    assert {tensor.dtype for tensor in saved.values()} == {torch.float32}


def test_a_whole_model_in_half_precision(request_of: MakeRequest, trainer: Trainer) -> None:
    request = request_of(method="full", precision="bf16", learning_rate=1e-3)
    validated = losses(trainer.run(request), "validation")
    folder = f"{request['out']}/model"
    tuned = AutoModelForCausalLM.from_pretrained(folder)
    assert {parameter.dtype for parameter in tuned.parameters()} == {torch.bfloat16}
    loss, _ = loss_of(tuned.float(), AutoTokenizer.from_pretrained(folder), rows_of(request, "validation"))
    assert loss == pytest.approx(min(validated.values()), rel=0.02)


def test_another_trainer_can_start_from_the_same_adapter(request_of: MakeRequest, trainer: Trainer, tmp_path: Path) -> None:
    request = request_of()
    drawn = str(tmp_path / "drawn")
    assert trainer.run(request, "--write-initial-adapter", drawn) == []
    weights = load_file(f"{drawn}/adapter_model.safetensors")
    assert all(bool(tensor.any()) == ("lora_A" in name) for name, tensor in weights.items())
    given = trainer.run(request | {"initial_adapter": drawn, "out": str(tmp_path / "given")})
    assert losses(given)[1] == pytest.approx(losses(trainer.run(request))[1], abs=1e-6)
    code, err = trainer.fail(request | {"initial_adapter": drawn, "lora": request["lora"] | {"rank": 8}, "out": str(tmp_path / "wider")})
    assert code == 2
    assert "has rank 4 and alpha 8, and the request rank 8 and alpha 8" in err


def test_a_folder_holds_one_run(request_of: MakeRequest, trainer: Trainer, tmp_path: Path) -> None:
    request = request_of(steps=2, validation=None)
    trainer.run(request)
    code, err = trainer.fail(request | {"seed": 4, "warmup": 0.5})
    assert code == 2
    assert "holds the run of a request with another `seed`, `warmup`" in err


def test_a_loss_that_is_not_a_number_ends_the_run(request_of: MakeRequest, trainer: Trainer, tmp_path: Path) -> None:
    process = trainer.start(request_of(learning_rate=1e30, warmup=0.0, max_grad_norm=1e30, validation=None))
    _, err = process.communicate()
    assert process.returncode == 1
    assert "lower `learning_rate`" in err
