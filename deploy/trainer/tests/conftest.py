"""A tiny model, rows, and a way to run the trainer as a process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

Request = dict[str, Any]


def build_tokenizer() -> Any:
    """Bytes, no merges, and two special tokens."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE({letter: index for index, letter in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|im_end|>")
    fast.chat_template = TEMPLATE
    return fast


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers, drawn with a seed."""
    folder = tmp_path_factory.mktemp("model")
    tokenizer = build_tokenizer()
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.3,
        # Must be ignored: only the adapter's dropout is the request's.
        attention_dropout=0.5,
        tie_word_embeddings=False,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def says(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def sft_row(number: int) -> dict[str, Any]:
    answer = f"{number + number}" * (1 + number % 3)
    return {"id": f"r{number}", "prompt": [says("user", f"Twice {number}?")], "completion": [says("assistant", answer)]}


def dpo_row(number: int) -> dict[str, Any]:
    row = sft_row(number)
    return {"id": row["id"], "prompt": row["prompt"], "chosen": row["completion"], "rejected": [says("assistant", "no idea")]}


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def request_of(tmp_path: Path, model_folder: Path) -> Iterator[Callable[..., Request]]:
    """A request for a few steps on the tiny model, with changes."""

    def make(**changes: Any) -> Request:
        objective = changes.get("objective", "sft")
        row = sft_row if objective == "sft" else dpo_row
        steps, batch = changes.get("steps", 6), changes.get("batch_rows", 4)
        request: Request = {
            "format": 1,
            "objective": objective,
            "method": "lora",
            "base": str(model_folder),
            "lora": {"rank": 4, "alpha": 8, "dropout": 0.1},
            "dpo": {"beta": 0.1},
            "learning_rate": 5e-3,
            "weight_decay": 0.0,
            "warmup": 0.2,
            "schedule": "cosine",
            "max_grad_norm": 1.0,
            "batch_rows": batch,
            "micro_batch_rows": 2,
            "max_tokens": 128,
            "steps": steps,
            "seed": 3,
            "precision": "f32",
            "rows": str(write_rows(tmp_path / "rows.jsonl", [row(number % 16) for number in range(steps * batch)])),
            "validation": str(write_rows(tmp_path / "validation.jsonl", [row(number) for number in range(100, 105)])),
            "validate_every": 2,
            "patience": None,
            "checkpoint_every": 2,
            "keep_checkpoints": 2,
            "out": str(tmp_path / "out"),
        }
        return request | changes

    yield make


class Trainer:
    """The trainer as a process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def start(self, request: Request, *options: str, launcher: tuple[str, ...] = (sys.executable,)) -> "subprocess.Popen[str]":
        path = self._folder / "request.json"
        path.write_text(json.dumps(request))
        environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path(__file__).parent.parent)}
        command = [*launcher, "-m", "gristmill_trainer", str(path), *options]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def run(self, request: Request, *options: str, launcher: tuple[str, ...] = (sys.executable,)) -> list[dict[str, Any]]:
        """The events of a run that succeeds."""
        process = self.start(request, *options, launcher=launcher)
        out, err = process.communicate()
        assert process.returncode == 0, err
        return [json.loads(line) for line in out.splitlines()]

    def fail(self, request: Request) -> tuple[int, str]:
        """Exit code and standard error of a run that fails."""
        process = self.start(request)
        out, err = process.communicate()
        assert out == ""
        return process.returncode, err


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return Trainer(tmp_path)


def losses(events: list[dict[str, Any]], kind: str = "step") -> dict[int, float]:
    return {event["step"]: event["loss"] for event in events if event["event"] == kind}
