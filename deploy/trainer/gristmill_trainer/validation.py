"""Validation rows, dealt out to processes in micro-batches."""

from dataclasses import dataclass

from .encode import Examples


@dataclass(frozen=True)
class MicroBatch:
    rows: list[dict[str, list[int]]]
    weight: int
    """What its mean loss counts: answers' tokens for `sft`, rows for `dpo`, and nothing where it only keeps processes in step."""


@dataclass(frozen=True)
class Validation:
    batches: list[MicroBatch]
    """Those of this process. Each process has as many."""
    tokens: int
    """Tokens of answers, of all processes."""


def deal(examples: Examples, objective: str, micro_batch: int, process: int, processes: int) -> Validation:
    """Rows of like length together, so that little is padded. The loss does not depend on their order."""
    places = sorted(range(len(examples)), key=lambda place: -examples[place].length)
    batches = []
    for start in range(0, len(places), micro_batch):
        chosen = places[start : start + micro_batch]
        weight = examples.tokens(chosen) if objective == "sft" else len(chosen)
        rows = [{name: ids.tolist() for name, ids in examples[place].columns.items()} for place in chosen]
        batches.append(MicroBatch(rows, weight))
    while len(batches) % processes:
        batches.append(MicroBatch(batches[-1].rows, 0))
    return Validation(batches[process::processes], examples.tokens(places))
