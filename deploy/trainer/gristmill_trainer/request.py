"""The request: what to train, on which rows, and where to leave the result.

Unknown keys, missing keys and values of the wrong kind are errors that name the key. Only keys that cannot change a loss may be left out.
"""

import difflib
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import RequestError

FORMAT = 1


@dataclass(frozen=True)
class Lora:
    rank: int
    alpha: float
    dropout: float


@dataclass(frozen=True)
class Request:
    objective: str
    method: str
    base: str
    lora: Lora | None
    """Set when `method` is `lora`."""
    initial_adapter: Path | None
    beta: float | None
    """Set when `objective` is `dpo`."""
    learning_rate: float
    weight_decay: float
    warmup: float
    schedule: str
    max_grad_norm: float
    batch_rows: int
    micro_batch_rows: int
    max_tokens: int
    steps: int
    seed: int
    precision: str
    rows: Path
    validation: Path | None
    validate_every: int | None
    patience: int | None
    checkpoint_every: int
    keep_checkpoints: int
    out: Path
    fingerprint: str
    """Equal for requests that train the same, wherever they leave the result."""


Check = Callable[[str, Any], Any]
REQUIRED = object()


def _wrong(key: str, value: object, wanted: str) -> RequestError:
    return RequestError(f"`{key}` must be {wanted}, not {json.dumps(value)}")


def _number(wanted: str, holds: Callable[[float], bool]) -> Check:
    def check(key: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not holds(value):
            raise _wrong(key, value, wanted)
        return float(value)

    return check


def _whole(least: int) -> Check:
    def check(key: str, value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise _wrong(key, value, f"a whole number, at least {least}")
        return value

    return check


def _one_of(*names: str) -> Check:
    def check(key: str, value: Any) -> str:
        if value not in names:
            raise _wrong(key, value, "one of " + ", ".join(f'"{name}"' for name in names))
        return str(value)

    return check


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(key, value, "a text that is not empty")
    return value


def _path(key: str, value: Any) -> Path:
    return Path(_text(key, value)).expanduser()


def _maybe(check: Check) -> Check:
    return lambda key, value: None if value is None else check(key, value)


def _object(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(key, value, "an object")
    return value


_POSITIVE = _number("a number above 0", lambda value: 0 < value < float("inf"))
_NOT_NEGATIVE = _number("a number that is not negative", lambda value: 0 <= value < float("inf"))
_SHARE = _number("a number from 0 to 1", lambda value: 0 <= value <= 1)
_BELOW_ONE = _number("a number from 0 to below 1", lambda value: 0 <= value < 1)

# Each key with its check, and what it is when it is left out.
_KEYS: dict[str, tuple[Check, object]] = {
    "format": (_whole(1), REQUIRED),
    "objective": (_one_of("sft", "dpo"), REQUIRED),
    "method": (_one_of("lora", "full"), REQUIRED),
    "base": (_text, REQUIRED),
    "lora": (_maybe(_object), None),
    "initial_adapter": (_maybe(_path), None),
    "dpo": (_maybe(_object), None),
    "learning_rate": (_POSITIVE, REQUIRED),
    "weight_decay": (_NOT_NEGATIVE, REQUIRED),
    "warmup": (_SHARE, REQUIRED),
    "schedule": (_one_of("cosine"), REQUIRED),
    "max_grad_norm": (_POSITIVE, REQUIRED),
    "batch_rows": (_whole(1), REQUIRED),
    "micro_batch_rows": (_whole(1), REQUIRED),
    "max_tokens": (_whole(2), REQUIRED),
    "steps": (_whole(1), REQUIRED),
    "seed": (_whole(0), REQUIRED),
    "precision": (_one_of("f32", "bf16"), REQUIRED),
    "rows": (_path, REQUIRED),
    "validation": (_maybe(_path), None),
    "validate_every": (_maybe(_whole(1)), None),
    "patience": (_maybe(_whole(1)), None),
    "checkpoint_every": (_whole(1), 100),
    "keep_checkpoints": (_whole(1), 2),
    "out": (_path, REQUIRED),
}
_LORA: dict[str, tuple[Check, object]] = {
    "rank": (_whole(1), REQUIRED),
    "alpha": (_POSITIVE, REQUIRED),
    "dropout": (_BELOW_ONE, REQUIRED),
}
_DPO: dict[str, tuple[Check, object]] = {"beta": (_POSITIVE, REQUIRED)}

# Where the result goes and how often it is saved changes nothing that is trained. The rows count by their content.
_NOT_IN_FINGERPRINT = {"out", "checkpoint_every", "keep_checkpoints", "rows", "validation"}


def unknown_key(key: str, known: Iterable[str]) -> str:
    """Names an unknown key, and the known one that it was probably meant to be."""
    names = sorted(known)
    near = difflib.get_close_matches(key, names, n=1, cutoff=0.0)
    return f"unknown key `{key}`; the nearest known one is `{near[0]}`" if near else f"unknown key `{key}`"


def _read(keys: Mapping[str, tuple[Check, object]], given: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    for key in given:
        if key not in keys:
            raise RequestError(unknown_key(within + key, [within + name for name in keys]))
    read: dict[str, Any] = {}
    for key, (check, default) in keys.items():
        if key not in given and default is REQUIRED:
            raise RequestError(f"`{within}{key}` is missing")
        read[key] = check(within + key, given[key]) if key in given else default
    return read


def _section(keys: Mapping[str, tuple[Check, object]], name: str, values: Mapping[str, Any], needed_by: str | None) -> dict[str, Any] | None:
    given = values[name]
    if given is None:
        if needed_by:
            raise RequestError(f"`{name}` is missing, which {needed_by} needs")
        return None
    return _read(keys, given, f"{name}.")


def _digest(path: Path, key: str) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise RequestError(f"`{key}`: cannot read {path}: {error.strerror}") from error


def _fingerprint(given: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    kept = {key: given[key] for key in sorted(given) if key not in _NOT_IN_FINGERPRINT and given[key] is not None}
    for key in ("rows", "validation"):
        if values[key] is not None:
            kept[key] = _digest(values[key], key)
    return json.dumps(kept, sort_keys=True)


def parse(given: object) -> Request:
    """Check a request that was read from JSON."""
    if not isinstance(given, dict):
        raise RequestError("the request must be a JSON object")
    # The format comes first: keys of another one would only be reported as unknown.
    if given.get("format", FORMAT) != FORMAT:
        raise RequestError(f"`format` is {json.dumps(given['format'])}, and this trainer reads format {FORMAT}: use the trainer of that release")
    values = _read(_KEYS, given)
    lora = _section(_LORA, "lora", values, '`method` "lora"' if values["method"] == "lora" else None)
    dpo = _section(_DPO, "dpo", values, '`objective` "dpo"' if values["objective"] == "dpo" else None)
    if values["method"] == "full" and values["initial_adapter"] is not None:
        raise RequestError('`initial_adapter` needs `method` "lora"')
    if values["validation"] is not None and values["validate_every"] is None:
        raise RequestError("`validate_every` is missing, which `validation` needs")
    for key in ("format", "lora", "dpo"):
        del values[key]
    return Request(
        **values,
        lora=Lora(**lora) if lora and values["method"] == "lora" else None,
        beta=dpo["beta"] if dpo and values["objective"] == "dpo" else None,
        fingerprint=_fingerprint(given, values),
    )


def read(path: Path) -> Request:
    """Read and check the request in a file."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read the request {path}: {error}") from error
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise RequestError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from error
    try:
        return parse(given)
    except RequestError as error:
        raise RequestError(f"{path}: {error}") from error
