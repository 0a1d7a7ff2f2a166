"""Where a run stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum

from gristmill.v1 import amount_pb2, coordinator_pb2


class RunState(str, Enum):
    """What a run is doing."""

    UNKNOWN = "unknown"
    #: Entered; no coordinator has taken it up yet.
    WAITING = "waiting"
    RUNNING = "running"
    #: By a person, or because an endpoint refuses.
    PAUSED = "paused"
    #: Its account needs a person.
    FROZEN = "frozen"
    #: It has ended, and its dataset is being written.
    ASSEMBLING = "assembling"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    #: It cannot go on until a person acts; submitting the job again takes it up.
    FAILED = "failed"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True)
class Amount:
    """Money in micro-dollars, and what it was paid for."""

    usd_micros: int = 0
    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def usd(self) -> float:
        """The money in dollars, for people to read. Sums are exact in `usd_micros`."""
        return self.usd_micros / 1_000_000

    @classmethod
    def of(cls, message: amount_pb2.Amount) -> Amount:
        return cls(message.usd_micros, message.calls, message.input_tokens, message.output_tokens)


@dataclass(frozen=True, slots=True)
class Limit:
    """A ceiling on money, on calls, or on both; None is unlimited."""

    usd_micros: int | None = None
    calls: int | None = None

    @classmethod
    def of(cls, message: amount_pb2.Limit) -> Limit:
        return cls(
            message.usd_micros if message.HasField("usd_micros") else None,
            message.calls if message.HasField("calls") else None,
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """A run as it stood when the coordinator was asked."""

    #: The run's id.
    run: str
    #: What lists of runs call it.
    name: str
    state: RunState
    #: Why it is paused, frozen or failed, or does not go on; empty where nothing keeps it.
    reason: str
    #: What keeps its tasks waiting, as workers say; what most of them say comes first.
    obstacles: tuple[str, ...]
    #: What is being done: `pilot`, `round 2`, `ended`.
    phase: str
    #: Rows that were accepted, and candidates that were decided.
    accepted: int
    decided: int
    #: Accepted rows that are expected in the end, and the interval that they will lie in nine times in ten; 0 where nothing is known yet.
    #: Of a run that has ended, the rows that it has, and no interval.
    expected_rows: int
    expected_rows_low: int
    expected_rows_high: int
    #: Rejected rows by reason.
    rejected: Mapping[str, int]
    #: Attempts in flight and tasks that are open, by stage.
    running: Mapping[str, int]
    open: Mapping[str, int]
    #: The budget, what was paid, what counts at its worst case because its cost is unknown, and what is reserved for calls in flight.
    limit: Limit
    spent: Amount
    burned: Amount
    held: Amount
    submitted: datetime
    ended: datetime | None
    #: Why the run ended, and what it has where that is less than its job wants; empty else.
    end: str
    short: str
    #: What a person should know of the run.
    alerts: tuple[str, ...]
    #: Where its dataset is, in the words of the coordinator's store; empty until it is there.
    dataset: str
    #: The whole answer of the coordinator.
    message: coordinator_pb2.Run = field(repr=False, compare=False)

    @property
    def is_over(self) -> bool:
        """Whether it has ended for good."""
        return self.state in (RunState.FINISHED, RunState.CANCELLED)

    @property
    def needs_a_person(self) -> bool:
        """Whether it does not go on by itself, or was cancelled."""
        return self.state in (RunState.PAUSED, RunState.FROZEN, RunState.FAILED, RunState.CANCELLED)

    @classmethod
    def of(cls, run: coordinator_pb2.Run) -> Progress:
        """What a coordinator's answer says."""
        progress = run.progress
        alerts = [*progress.alerts, *(alert.text for alert in run.account.alerts)]
        return cls(
            run=run.run,
            name=run.name,
            state=_state(run.state),
            reason=run.reason,
            obstacles=tuple(_obstacle(obstacle) for obstacle in run.obstacles),
            phase=progress.phase,
            # Rows that wait for others before them are decided too.
            accepted=max(progress.accepted, progress.settled_accepted),
            decided=max(progress.decided, progress.settled),
            expected_rows=progress.expected_rows,
            expected_rows_low=progress.expected_rows_low,
            expected_rows_high=progress.expected_rows_high,
            rejected=dict(progress.rejected),
            running=dict(progress.running),
            open=dict(progress.open),
            limit=Limit.of(run.limit),
            spent=Amount.of(run.spent),
            burned=Amount.of(run.burned),
            held=Amount.of(run.held),
            submitted=_time(run.submitted_ms),
            ended=_time(run.ended_ms) if run.HasField("ended_ms") else None,
            end=progress.end,
            short=progress.short,
            alerts=tuple(alerts),
            dataset=run.dataset,
            message=run,
        )


def _state(state: coordinator_pb2.RunState.ValueType) -> RunState:
    try:
        return RunState(coordinator_pb2.RunState.Name(state).removeprefix("RUN_STATE_").lower())
    except ValueError:
        # A newer coordinator may know more states than this package.
        return RunState.UNKNOWN


def _obstacle(obstacle: coordinator_pb2.Obstacle) -> str:
    if obstacle.of == 0:
        return obstacle.reason
    told = f"{obstacle.workers} of {obstacle.of} workers: {obstacle.reason}"
    more = obstacle.workers - len(obstacle.names)
    if not obstacle.names:
        return told
    return f"{told} ({', '.join(obstacle.names)}{f' and {more} more' if more > 0 else ''})"


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
