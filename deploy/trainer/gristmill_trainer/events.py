"""Events on standard output, one JSON object a line, and nothing else there."""

import json
import os
import sys
from typing import IO


class Events:
    """Writes events. Only the first of several processes does."""

    def __init__(self, stream: IO[str], *, muted: bool) -> None:
        self._stream = stream
        self._muted = muted

    def emit(self, event: str, **fields: int | float | str) -> None:
        if not self._muted:
            self._stream.write(json.dumps({"event": event, **fields}, allow_nan=False) + "\n")
            self._stream.flush()


def claim_standard_output() -> IO[str]:
    """Take standard output for events. What libraries print from here on goes to standard error."""
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return stream


def log(text: str) -> None:
    """One line for people, on standard error."""
    print(f"gristmill-trainer: {text}", file=sys.stderr, flush=True)
