"""Sending a job: the program reads it with all that it names, and this hands it what is in memory."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from gristmill._connection import Server, StrPath
from gristmill._errors import JobError, ProgramError, TimedOutError
from gristmill._program import program

if TYPE_CHECKING:
    from pandas import DataFrame

_LOG = logging.getLogger("gristmill")
#: Exit codes of the program: the command line is wrong, and the job or its seeds are.
_USAGE, _INPUT = 2, 3


@dataclass(frozen=True)
class Submission:
    """What `Client.submit` is asked for."""

    job: StrPath | Mapping[str, Any]
    seeds: StrPath | Sequence[StrPath] | Iterable[Mapping[str, Any]] | DataFrame | None
    overrides: Mapping[str, Any]
    base: StrPath | None
    name: str | None
    request_id: str | None


def submit(server: Server, asked: Submission, timeout: float | None) -> str:
    """Sends a job and returns the run's id."""
    with tempfile.TemporaryDirectory(prefix="gristmill-") as folder:
        overrides = dict(asked.overrides)
        if asked.seeds is not None:
            overrides["seeds.path"] = _seeds(asked.seeds, Path(folder))
        job, text = _job(asked)
        command = [str(program()), "submit", job, "--output", "json", "--progress", "none", *server.arguments()]
        for path, value in overrides.items():
            command += ["--set", f"{path}={_json(value)}"]
        if asked.name is not None:
            command += ["--name", asked.name]
        if asked.request_id is not None:
            command += ["--request-id", asked.request_id]
        return _ask(command, text, server.environment(), asked.base, timeout)


def _job(asked: Submission) -> tuple[str, str]:
    """The job as the program is given it: a path, or `-` and a text."""
    if isinstance(asked.job, Mapping):
        # YAML reads JSON. Over several lines, so that the line of a mistake says something.
        return "-", _json(dict(asked.job), indent=2)
    if asked.base is not None:
        raise ValueError("`base` is for a job that is no file: the paths in a job file start at its folder")
    return os.fspath(asked.job), ""


def _seeds(seeds: StrPath | Sequence[StrPath] | Iterable[Mapping[str, Any]] | DataFrame, folder: Path) -> str | list[str]:
    """Where the seeds are: rows are written to a file in the folder."""
    if isinstance(seeds, (str, os.PathLike)):
        return _absolute(seeds)
    file = folder / "seeds.jsonl"
    to_json = getattr(seeds, "to_json", None)
    if to_json is not None:
        to_json(file, orient="records", lines=True, force_ascii=False)
        return str(file)
    given = list(seeds)
    paths = [seed for seed in given if isinstance(seed, (str, os.PathLike))]
    if given and len(paths) == len(given):
        return [_absolute(path) for path in paths]
    rows = [seed for seed in given if isinstance(seed, Mapping)]
    if not rows or len(rows) != len(given):
        raise TypeError("`seeds` is a file, a list of files, a list of rows (`{'question': …, 'answer': …}`), or a DataFrame")
    with file.open("w", encoding="utf-8") as out:
        for row in rows:
            out.write(_json(dict(row)) + "\n")
    return str(file)


def _absolute(path: StrPath) -> str:
    return str(Path(path).absolute())


def _json(value: object, indent: int | None = None) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    except (TypeError, ValueError) as error:
        raise ValueError(f"what a job or a seed holds must be JSON: {error}") from error


def _ask(command: list[str], text: str, environment: dict[str, str], base: StrPath | None, timeout: float | None) -> str:
    try:
        ended = subprocess.run(
            command,
            input=text,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            cwd=base,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimedOutError(
            f"the job was not sent within {timeout} s\nhelp: a longer `timeout`; sending the same job again takes up the same run"
        ) from error
    except OSError as error:
        raise ProgramError(f"{command[0]} cannot be started: {error}") from error
    complaint = _told(ended.stderr)
    if ended.returncode != 0:
        _fail(ended.returncode, complaint)
    try:
        answer = json.loads(ended.stdout)
        return str(answer["run"])
    except (ValueError, KeyError, TypeError) as error:
        raise ProgramError(f"{command[0]} answered something else than a run: {ended.stdout[:200]!r}") from error


def _told(stderr: str) -> str:
    """What the program says of its end; its warnings are logged."""
    complaint: list[str] = []
    for line in stderr.splitlines():
        if line.startswith("warning: "):
            _LOG.warning("%s", line.removeprefix("warning: "))
            continue
        try:
            told = json.loads(line)
            complaint.append(str(told["message"]).rstrip())
        except (ValueError, KeyError, TypeError):
            complaint.append(line)
    return "\n".join(complaint)


def _fail(code: int, complaint: str) -> NoReturn:
    if code in (_USAGE, _INPUT):
        raise JobError(complaint)
    raise ProgramError(complaint or f"the program ended with {code} and said nothing", code)
