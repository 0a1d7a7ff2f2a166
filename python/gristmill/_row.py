"""A row that a run made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gristmill._progress import Amount
from gristmill.v1 import trace_pb2


@dataclass(frozen=True, slots=True)
class Row:
    """A candidate that was decided, with what it says and where it comes from. Text that a row does not have is empty."""

    id: str
    #: Its place in the run: round from 0, and number of the candidate in it.
    round: int
    index: int
    accepted: bool
    #: The test that it failed, and what that found; empty for an accepted row.
    reason: str
    detail: str
    #: `instruction`, `preference`, `text`, `dialogue` or `tool_use`.
    form: str
    question: str
    reasoning: str
    answer: str
    #: Of a pair, the answer that is not preferred, and the points by which the preferred one leads where both were judged.
    worse_answer: str
    worse_reasoning: str
    margin: float | None
    #: Of a dialogue, its messages and the tools that the assistant may call, as in the dataset's JSON lines.
    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...]
    #: What it counts as: `answer_augmentation`, `rephrasing` or `new_question`.
    strategy: str
    #: The recipe that it was made by, with its version.
    recipe: str
    recipe_version: int | None
    #: The concept that was aimed at, and those that it was found to belong to.
    concept: str
    concepts: tuple[str, ...]
    #: The real row that it was made from.
    seed_id: str
    teacher: str
    #: The exact model that answered, as its provider names it.
    teacher_version: str
    prompts: tuple[str, ...]
    task_ids: tuple[str, ...]
    #: Whether the answer equals the reference; None without one.
    correct: bool | None
    #: Answers that agree with the one that was kept, of those that could be compared; None where none voted.
    votes: int | None
    votes_of: int | None
    #: Chance that the answer is right, where votes were weighed.
    sure: float | None
    #: What the row cost, every attempt counted.
    cost: Amount
    #: The whole message of the coordinator.
    message: trace_pb2.Trace.Row = field(repr=False, compare=False)

    @classmethod
    def of(cls, row: trace_pb2.Trace.Row) -> Row:
        """What a coordinator's message says."""
        checks = row.checks
        votes = checks.votes if checks.HasField("votes") else None
        return cls(
            id=row.id,
            round=row.position.round,
            index=row.position.index,
            accepted=not row.HasField("rejection"),
            reason=row.rejection.reason,
            detail=row.rejection.detail,
            form=row.form if row.HasField("form") else "instruction",
            question=row.question,
            reasoning=row.reasoning,
            answer=row.answer,
            worse_answer=row.worse.answer,
            worse_reasoning=row.worse.reasoning,
            margin=row.worse.margin if row.worse.HasField("margin") else None,
            messages=tuple(_turn(turn) for turn in row.messages),
            tools=tuple(_tool(tool) for tool in row.tools),
            strategy=row.strategy,
            recipe=row.made.recipe,
            recipe_version=row.made.version if row.HasField("made") else None,
            concept=row.concept,
            concepts=tuple(assigned.concept for assigned in row.assigned),
            seed_id=row.seed_id,
            teacher=row.teacher,
            teacher_version=row.teacher_version,
            prompts=tuple(row.prompts),
            task_ids=tuple(row.tasks),
            correct=checks.correct if checks.HasField("correct") else None,
            votes=None if votes is None else votes.votes,
            votes_of=None if votes is None else votes.of,
            sure=checks.weighed.sure if checks.weighed.HasField("sure") else None,
            cost=_cost(row),
            message=row,
        )


def _cost(row: trace_pb2.Trace.Row) -> Amount:
    amounts = [cost.amount for cost in row.costs]
    return Amount(
        sum(amount.usd_micros for amount in amounts),
        sum(amount.calls for amount in amounts),
        sum(amount.input_tokens for amount in amounts),
        sum(amount.output_tokens for amount in amounts),
    )


def _turn(turn: trace_pb2.Trace.Turn) -> Mapping[str, Any]:
    shown: dict[str, Any] = {"role": turn.role, "content": turn.content}
    if turn.tool_calls:
        shown["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}} for call in turn.tool_calls
        ]
    if turn.HasField("tool_call_id"):
        shown["tool_call_id"] = turn.tool_call_id
    if turn.HasField("name"):
        shown["name"] = turn.name
    return shown


def _tool(tool: trace_pb2.Trace.Tool) -> Mapping[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": json.loads(tool.parameters)}
    return {"type": "function", "function": function}
