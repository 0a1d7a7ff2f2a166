"""A run at a coordinator."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from gristmill._errors import RunStoppedError, TimedOutError
from gristmill._frame import frame_of, pandas
from gristmill._progress import Progress, RunState
from gristmill._row import Row
from gristmill._streams import Call, kept_up
from gristmill.v1 import coordinator_pb2, trace_pb2

if TYPE_CHECKING:
    from pandas import DataFrame

    from gristmill._client import Client


class Run:
    """A run of a cluster. It is made by `Client.submit` and `Client.run`, and holds nothing but the run's id."""

    def __init__(self, client: Client, id: str) -> None:
        self._client = client
        self.id = id

    def __repr__(self) -> str:
        return f"<gristmill.Run {self.id} at {self._client.server}>"

    def status(self) -> Progress:
        """Where the run stands now."""
        request = coordinator_pb2.GetRunRequest(run=self.id)
        return Progress.of(self._client.call(self._client.api.GetRun, request))

    def watch(self) -> Iterator[Progress]:
        """Where the run stands whenever that changes, until it has finished; the last one says how it ended.

        A coordinator that goes away is waited for, for two minutes, and so is another in its place.

        Raises:
            RunStoppedError: The run does not go on until a person acts: it is paused, frozen, failed or cancelled. That state is yielded
                before.
        """
        yield from self._watched(None)

    def wait(self, timeout: float | None = None) -> Progress:
        """Waits until the run has finished, and says how it ended: `short` is not empty where it has less than its job wants.

        Args:
            timeout: Seconds to wait at most; without end when left out.

        Raises:
            RunStoppedError: As `watch`.
            TimedOutError: It goes on still.
        """
        last = None
        try:
            for progress in self._watched(timeout):
                last = progress
        except TimedOutError as error:
            way_out = "help: it goes on; wait again, with a longer `timeout`"
            raise TimedOutError(f"run {self.id} has not finished within {timeout} s\n{way_out}") from error
        return last or self.status()

    def _watched(self, timeout: float | None) -> Iterator[Progress]:
        client, until = self._client, None if timeout is None else time.monotonic() + timeout
        request = coordinator_pb2.WatchRunRequest(run=self.id)

        def start() -> Call[coordinator_pb2.Run]:
            left = None if until is None else max(until - time.monotonic(), 0.0)
            return client.api.WatchRun(request, timeout=left, metadata=client.metadata)

        progress = None
        for run in kept_up(start, client.server):
            progress = Progress.of(run)
            yield progress
            # A paused run is still there: its stream has no end.
            if progress.state in (RunState.PAUSED, RunState.FROZEN):
                break
        if progress is not None and progress.needs_a_person:
            raise RunStoppedError(_stopped(progress), progress)

    def iter_rows(self, *, rejected: bool = False, after: Row | None = None, limit: int | None = None) -> Iterator[Row]:
        """The rows that the run made and decided, in the order of rounds and candidates. They come as they are read: however many there are,
        few are in memory.

        Of a run that goes on, these are the rows that are stored by now. `after` reads on later, from the last row on:

            rows = list(run.iter_rows())
            ...
            rows += run.iter_rows(after=rows[-1])

        Real rows are not among them; the dataset has both.

        Args:
            rejected: Rows that were rejected, too; `reason` says why.
            after: Only rows after this one.
            limit: So many rows at most.
        """
        client, left = self._client, limit
        position = None if after is None else trace_pb2.Trace.Position(round=after.round, index=after.index)
        if left is not None and left <= 0:
            return

        def start() -> Call[coordinator_pb2.ReadRowsResponse]:
            request = coordinator_pb2.ReadRowsRequest(run=self.id, rejected=rejected, after=position, limit=left or 0)
            return client.api.ReadRows(request, metadata=client.metadata)

        for message in kept_up(start, client.server):
            for row in message.rows:
                yield Row.of(row)
            position = message.rows[-1].position
            if left is not None:
                left -= len(message.rows)
                if left <= 0:
                    return

    def rows(self, *, rejected: bool = False, after: Row | None = None, limit: int | None = None) -> DataFrame:
        """The same rows as `iter_rows`, as a pandas DataFrame.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        # Nothing is read for nothing.
        pandas()
        return frame_of(self.iter_rows(rejected=rejected, after=after, limit=limit))

    def pause(self, reason: str = "") -> Progress:
        """Stops the run from beginning anything new. Calls in flight are still paid and stored.

        Args:
            reason: Why, for whoever finds it paused.
        """
        request = coordinator_pb2.PauseRunRequest(run=self.id, reason=reason)
        return Progress.of(self._client.call(self._client.api.PauseRun, request))

    def resume(self) -> Progress:
        """Lets a paused run go on."""
        request = coordinator_pb2.ResumeRunRequest(run=self.id)
        return Progress.of(self._client.call(self._client.api.ResumeRun, request))

    def cancel(self, *, keep: bool = False) -> Progress:
        """Ends the run for good.

        Args:
            keep: Make a dataset of the rows that are accepted by then, also of a run that was cancelled before.
        """
        request = coordinator_pb2.CancelRunRequest(run=self.id, keep=keep)
        return Progress.of(self._client.call(self._client.api.CancelRun, request))


def _stopped(progress: Progress) -> str:
    text = f"run {progress.run} is {progress.state}"
    if progress.reason:
        text += f": {progress.reason}"
    if progress.state == RunState.PAUSED:
        return f"{text}\nhelp: `resume()` lets it go on"
    if progress.state == RunState.FAILED:
        return f"{text}\nhelp: once that is mended, submitting the job again takes the run up"
    if progress.state == RunState.CANCELLED and progress.accepted and not progress.dataset:
        return f"{text}\nhelp: `cancel(keep=True)` makes a dataset of the {progress.accepted} rows that it had accepted"
    return text
