"""Streams that outlive the coordinator that they come from."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

import grpc

from gristmill._errors import UnreachableError, translated

#: Seconds for which a coordinator is asked again: more than a roll-out of a new version takes.
AWAY_SECONDS_MAX = 120.0
#: Seconds between two attempts, the first and the longest.
_PAUSE_SECONDS = (0.5, 10.0)

T = TypeVar("T", covariant=True)


class Call(Protocol[T]):
    """A call whose answer is a stream."""

    def __iter__(self) -> Iterator[T]: ...
    def cancel(self) -> object: ...


def kept_up(start: Callable[[], Call[T]], server: str) -> Iterator[T]:
    """The messages of a stream. Where it breaks because its coordinator goes away, `start` opens it again: any coordinator answers for all
    runs.

    Raises:
        GristmillError: The first call fails, no coordinator comes back in time, or one refuses.
    """
    heard, away_since, pause = False, 0.0, _PAUSE_SECONDS[0]
    while True:
        call = start()
        try:
            for message in call:
                heard, away_since, pause = True, 0.0, _PAUSE_SECONDS[0]
                yield message
            return
        except grpc.RpcError as error:
            told = translated(error, server)
            now = time.monotonic()
            away_since = away_since or now
            if not heard or not isinstance(told, UnreachableError) or now - away_since > AWAY_SECONDS_MAX:
                raise told from error
        finally:
            # Whoever stops reading ends the call, too.
            call.cancel()
        time.sleep(pause * random.uniform(0.5, 1.5))
        pause = min(2 * pause, _PAUSE_SECONDS[1])
