"""Rows: JSON lines, each a prompt and what the model should answer, or two answers of which one is better."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import RequestError
from .request import unknown_key

Message = dict[str, Any]

ANSWERS = {"sft": ("completion",), "dpo": ("chosen", "rejected")}
"""The keys of a row that hold answers, for each objective."""


@dataclass(frozen=True)
class Row:
    id: str
    prompt: list[Message]
    answers: tuple[list[Message], ...]
    """One for `sft`, the chosen and the rejected one for `dpo`."""
    place: str
    """File and line, for errors."""


def _messages(value: Any, key: str, place: str) -> list[Message]:
    if not isinstance(value, list) or not value:
        raise RequestError(f"{place}: `{key}` must be a list of messages that is not empty")
    for message in value:
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise RequestError(f"{place}: each message of `{key}` must be an object with a `role`")
        content = message.get("content")
        if not isinstance(content, str) and not (content is None and message.get("tool_calls")):
            raise RequestError(f"{place}: the `content` of each message of `{key}` must be a text")
    return value


def _row(line: str, objective: str, place: str) -> Row:
    try:
        given = json.loads(line)
    except json.JSONDecodeError as error:
        raise RequestError(f"{place}:{error.colno}: not JSON: {error.msg}") from error
    if not isinstance(given, dict):
        raise RequestError(f"{place}: a row must be a JSON object")
    keys = ("id", "prompt", *ANSWERS[objective])
    for key in given:
        if key not in keys:
            raise RequestError(f"{place}: {unknown_key(key, keys)}")
    for key in keys:
        if key not in given:
            raise RequestError(f'{place}: `{key}` is missing, which rows of objective "{objective}" need')
    if not isinstance(given["id"], str):
        raise RequestError(f"{place}: `id` must be a text")
    answers = tuple(_messages(given[key], key, place) for key in ANSWERS[objective])
    return Row(given["id"], _messages(given["prompt"], "prompt", place), answers, place)


def read(path: Path, objective: str) -> Iterator[tuple[bytes, Row | None]]:
    """The digest of each line of a file with the row that it holds, or with `None` where an equal line came before."""
    seen: set[bytes] = set()
    try:
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                text = line.strip()
                if not text:
                    continue
                digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
                if digest in seen:
                    yield digest, None
                else:
                    seen.add(digest)
                    yield digest, _row(text, objective, f"{path}:{number}")
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"{path}: not UTF-8: {error}") from error
