"""Rows as tokens, and which of them count in the loss.

A row is rendered twice with the model's chat template: the prompt alone, with what opens the model's turn, and prompt and answer together.
The answer's tokens are those that the second rendering has after the beginning that both share. They include the end of the turn.
"""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import rows as row_files
from .errors import RequestError
from .events import log
from .rows import Message, Row

IGNORED = -100
"""The label of tokens that do not count."""


@dataclass(frozen=True)
class Example:
    """A row, encoded. `columns` is what the trainer's collator reads, in 4 bytes a token, since all rows are held."""

    columns: "dict[str, array[int]]"
    length: int
    """Tokens of the longest sequence."""
    tokens: int
    """Tokens of answers: those that count in the loss."""


@dataclass(frozen=True)
class Examples:
    """Distinct examples, and the order in which they come, some of them more than once."""

    distinct: list[Example]
    order: list[int]

    def __len__(self) -> int:
        return len(self.order)

    def __getitem__(self, place: int) -> Example:
        return self.distinct[self.order[place]]

    def tokens(self, places: Iterable[int]) -> int:
        return sum(self[place].tokens for place in places)

    def longest(self) -> int:
        return max(example.length for example in self.distinct)

    def highest_token(self) -> int:
        return max(max(ids) for example in self.distinct for ids in example.columns.values())


def _shared(one: Sequence[int], other: Sequence[int]) -> int:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


class Encoder:
    def __init__(self, tokenizer: Any, objective: str, max_tokens: int) -> None:
        if not tokenizer.chat_template:
            raise RequestError("the base has no chat template, so messages cannot be rendered: add `chat_template.jinja` to its folder")
        self._tokenizer = tokenizer
        self._objective = objective
        self._max_tokens = max_tokens
        self._warned = False

    def _render(self, messages: list[Message], place: str, *, opens_turn: bool) -> list[int]:
        try:
            text = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=opens_turn)
        except Exception as error:  # Templates raise whatever they like.
            raise RequestError(f"{place}: the chat template cannot render the messages: {error}") from error
        # The template writes special tokens itself.
        return list(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def encode(self, row: Row) -> Example:
        prompt = self._render(row.prompt, row.place, opens_turn=True)
        wholes = [self._render(row.prompt + answer, row.place, opens_turn=False) for answer in row.answers]
        start = min(_shared(prompt, whole) for whole in wholes)
        if start == 0 or any(len(whole) == start for whole in wholes):
            raise RequestError(f"{row.place}: the chat template renders no {'prompt' if start == 0 else 'answer'} for row {row.id}")
        if start < len(prompt) and not self._warned:
            self._warned = True
            log(f"{row.place}: with an answer the end of the prompt is rendered differently; what differs counts as the answer's")
        tokens = sum(len(whole) - start for whole in wholes)
        if self._objective == "sft":
            columns = {"input_ids": wholes[0], "labels": [IGNORED] * start + wholes[0][start:]}
        else:
            columns = {"prompt_ids": prompt[:start], "chosen_ids": wholes[0][start:], "rejected_ids": wholes[1][start:]}
        return Example({name: array("i", ids) for name, ids in columns.items()}, max(len(whole) for whole in wholes), tokens)

    def encode_file(self, path: Path) -> Examples:
        """Encode all rows of a file. Rows that are too long are an error that names them."""
        distinct: list[Example] = []
        order: list[int] = []
        known: dict[bytes, int] = {}
        too_long: list[str] = []
        for digest, row in row_files.read(path, self._objective):
            if row is not None:
                example = self.encode(row)
                if example.length > self._max_tokens:
                    too_long.append(f"{row.id} ({row.place}, {example.length} tokens)")
                known[digest] = len(distinct)
                distinct.append(example)
            order.append(known[digest])
        if too_long:
            shown = ", ".join(too_long[:10]) + (f" and {len(too_long) - 10} more" if len(too_long) > 10 else "")
            raise RequestError(f"rows are longer than `max_tokens` ({self._max_tokens}): {shown}; leave them out, or raise `max_tokens`")
        if not order:
            raise RequestError(f"{path} has no rows")
        return Examples(distinct, order)
