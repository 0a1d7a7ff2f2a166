"""Rows as a pandas DataFrame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from gristmill._errors import MissingDependencyError
from gristmill._row import Row

if TYPE_CHECKING:
    import types

    from pandas import DataFrame

#: Columns in their order, with pandas' types: those that hold a missing value for what a row does not have.
COLUMNS: dict[str, str] = {
    "id": "string",
    "round": "int64",
    "index": "int64",
    "accepted": "bool",
    "reason": "string",
    "detail": "string",
    "form": "string",
    "question": "string",
    "reasoning": "string",
    "answer": "string",
    "worse_answer": "string",
    "worse_reasoning": "string",
    "margin": "Float64",
    "messages": "object",
    "tools": "object",
    "strategy": "string",
    "recipe": "string",
    "recipe_version": "Int64",
    "concept": "string",
    "concepts": "object",
    "seed_id": "string",
    "teacher": "string",
    "teacher_version": "string",
    "prompts": "object",
    "task_ids": "object",
    "correct": "boolean",
    "votes": "Int64",
    "votes_of": "Int64",
    "sure": "Float64",
    "usd_micros": "int64",
    "calls": "int64",
    "input_tokens": "int64",
    "output_tokens": "int64",
}
#: What a row has of its cost.
_COST = ("usd_micros", "calls", "input_tokens", "output_tokens")


def pandas() -> types.ModuleType:
    """The package pandas.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise MissingDependencyError(
            "a DataFrame needs pandas, which is not installed: `pip install 'gristmill[pandas]'`, or read rows with `iter_rows`"
        ) from error
    return pandas


def frame_of(rows: Iterable[Row]) -> DataFrame:
    """A DataFrame with a line for each row. An empty one has the columns too."""
    pd = pandas()
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for row in rows:
        for name, values in columns.items():
            value = getattr(row.cost if name in _COST else row, name)
            values.append(list(value) if isinstance(value, tuple) else value)
    series = {name: pd.Series(values, dtype=COLUMNS[name]) for name, values in columns.items()}
    frame: DataFrame = pd.DataFrame(series)
    return frame
