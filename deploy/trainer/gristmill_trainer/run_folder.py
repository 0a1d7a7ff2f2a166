"""What a run leaves in its folder, written so that a kill at any moment leaves whole checkpoints only.

    lock               held while a trainer works here
    request.json       what is trained here, to refuse another request
    checkpoints/step-N what training goes on from: weights, optimizer, schedule, random numbers, progress
    best/step-N        the weights of the best validation so far, until the run is done
    adapter | model    the result
    done.json          the last event of a run that is done

Each folder is written under another name, flushed to disk, and renamed.
"""

import contextlib
import errno
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import RequestError, RunError

_STEP = re.compile(r"step-(\d+)")
PROGRESS = "progress.json"
_UMASK = os.umask(0)
os.umask(_UMASK)


@dataclass
class Progress:
    """What validations brought, up to a step."""

    best_step: int | None = None
    best_loss: float | None = None
    misses: int = 0
    """Validations in a row that brought no improvement."""
    validated_step: int | None = None
    """The step of the last validation."""
    stopped_early: bool = False


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(written: Path, final: Path) -> None:
    """Make a folder that is complete appear under its final name, replacing the one that has it."""
    for folder, _, files in os.walk(written):
        for name in files:
            # Weights are written for their owner alone, but folders of models are read by servers of other users.
            Path(folder, name).chmod(0o666 & ~_UMASK)
            _flush(Path(folder, name))
        _flush(Path(folder))
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.exists():
        remove(final)
    written.rename(final)
    _flush(final.parent)


def remove(folder: Path) -> None:
    """Remove a folder so that a half-removed one is never taken for a whole one."""
    doomed = folder.with_name(f".removed-{folder.name}")
    shutil.rmtree(doomed, ignore_errors=True)
    with contextlib.suppress(FileNotFoundError):
        folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _write_json(path: Path, content: Any) -> None:
    written = path.with_name(f".partial-{path.name}")
    written.write_text(json.dumps(content), encoding="utf-8")
    _flush(written)
    written.rename(path)
    _flush(path.parent)


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def _steps(folder: Path) -> dict[int, Path]:
    found = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        match = _STEP.fullmatch(path.name)
        if match:
            found[int(match[1])] = path
    return dict(sorted(found.items()))


class RunFolder:
    def __init__(self, path: Path, method: str) -> None:
        self.path = path
        self.result = path / ("adapter" if method == "lora" else "model")
        self._checkpoints = path / "checkpoints"
        self._best = path / "best"
        self.staging = self._checkpoints / ".partial"
        """Where the next checkpoint is written."""

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep other trainers out of the folder. The lock ends with the process, however it ends."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / "lock").open("a")
        except OSError as error:
            raise RequestError(f"`out`: cannot write to {self.path}: {error.strerror}") from error
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EACCES):
                    raise RunError(f"`out`: another trainer works in {self.path}: wait for it, or choose another folder") from error
                # File systems without locks exist. There is nothing to hold then.
            yield

    def claim(self, fingerprint: str) -> None:
        """Take the folder for a request, and clear away what an earlier process left unfinished."""
        claimed = self.path / "request.json"
        if claimed.exists():
            earlier = json.loads(claimed.read_text(encoding="utf-8"))
            wanted = json.loads(fingerprint)
            differing = sorted(key for key in {*earlier, *wanted} if earlier.get(key) != wanted.get(key))
            if differing:
                names = ", ".join(f"`{key}`" for key in differing)
                raise RequestError(f"`out`: {self.path} holds the run of a request with another {names}: choose another folder, or remove it")
        else:
            _write_json(claimed, json.loads(fingerprint))
        for folder in (self.path, self._checkpoints, self._best):
            for path in folder.iterdir() if folder.is_dir() else ():
                if path.name.startswith((".partial", ".removed-")):
                    shutil.rmtree(path, ignore_errors=True)
                    path.unlink(missing_ok=True)

    def newest_checkpoint(self) -> Path | None:
        steps = _steps(self._checkpoints)
        return steps[max(steps)] if steps else None

    def step(self, checkpoint: Path | None) -> int:
        """The step that a checkpoint was written behind; 0 without one."""
        return 0 if checkpoint is None else int(checkpoint.name.removeprefix("step-"))

    def progress(self, checkpoint: Path | None) -> Progress:
        if checkpoint is None:
            return Progress()
        return Progress(**json.loads((checkpoint / PROGRESS).read_text(encoding="utf-8")))

    def finish_checkpoint(self, step: int, progress: Progress, keep: int) -> None:
        """Make what is in `staging` the checkpoint of a step, and remove the ones that are no longer kept."""
        (self.staging / PROGRESS).write_text(json.dumps(asdict(progress)), encoding="utf-8")
        publish(self.staging, self._checkpoints / f"step-{step}")
        for path in list(_steps(self._checkpoints).values())[:-keep]:
            remove(path)
        self._drop_unneeded_best(progress)

    def best(self, step: int) -> Path:
        return self._best / f"step-{step}"

    def staging_best(self) -> Path:
        return self._best / ".partial"

    def _drop_unneeded_best(self, progress: Progress) -> None:
        """Training can go on from any checkpoint, so the best of each must stay."""
        needed = {progress.best_step, *(self.progress(path).best_step for path in _steps(self._checkpoints).values())}
        for step, path in _steps(self._best).items():
            if step not in needed:
                remove(path)

    def publish_best(self, step: int) -> None:
        """Make the weights of the best validation the result."""
        written = self.path / f".partial-{self.result.name}"
        shutil.rmtree(written, ignore_errors=True)
        shutil.copytree(self.best(step), written, copy_function=_link_or_copy)
        publish(written, self.result)

    def done(self) -> dict[str, Any] | None:
        """The last event of this folder's run, if it is done."""
        path = self.path / "done.json"
        if not path.exists() or not self.result.is_dir():
            return None
        event: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return event

    def finish(self, event: dict[str, Any]) -> None:
        _write_json(self.path / "done.json", event)
        shutil.rmtree(self._best, ignore_errors=True)
