"""What was measured, as plain records that are kept as JSON; the report is written from these alone."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Training:
    """One contender's measurements of one training job; medians over `runs`.

    Args:
        who: the contender and its variant.
        job: the job's key.
        network: "localhost" or "WAN".
        encrypted: whether the links were; None where it was not asked for.
        steps: how many steps were timed together.
        step_seconds: the median of the runs' times, divided by the steps.
        spread: the fastest and the slowest run, likewise.
        setup_seconds: from the start of the processes to the first step's start.
        online_seconds: all after the set-up; None where a contender has no such notion.
        rounds: a step's rounds; None where not known.
        rounds_how: how `rounds` was found.
        step_bytes: bytes a step and data owner sends; None where not known.
        helper_bytes: bytes a step that a dealer sends beside them.
        accuracy: on the held-out rows.
        difference: max |dw| against the plaintext twin in standardised units.
        log_loss: on the training rows.
        all_rounds: of the whole run after the handshake; None where not known.
        peak_bytes: the most memory that any of its processes held; None where it was not looked at.
        note: what else is to be known.
        failure: why there are no figures; then all others mean nothing.
        each: each run's seconds a step, where they are kept to be put together with later runs'.
    """

    who: str
    job: str
    network: str = "localhost"
    encrypted: bool | None = None
    runs: int = 0
    steps: int = 0
    step_seconds: float | None = None
    spread: tuple[float, float] | None = None
    setup_seconds: float | None = None
    online_seconds: float | None = None
    rounds: float | None = None
    rounds_how: str = ""
    step_bytes: float | None = None
    helper_bytes: float | None = None
    accuracy: float | None = None
    difference: float | None = None
    log_loss: float | None = None
    all_rounds: int | None = None
    peak_bytes: float | None = None
    note: str = ""
    failure: str = ""
    each: tuple[float, ...] = ()
    each_setup: tuple[float, ...] = ()
    each_online: tuple[float, ...] = ()

    def with_later(self, later: Training) -> Training:
        """These runs and later ones of the same, as one series; the later ones' failure, if they failed."""
        if self.failure or later.failure:
            return later if later.failure else self
        each, setups = self.each + later.each, self.each_setup + later.each_setup
        onlines = self.each_online + later.each_online
        step, spread = median_and_spread(each)
        return replace(
            self,
            runs=len(each),
            step_seconds=step,
            spread=spread,
            setup_seconds=statistics.median(setups),
            online_seconds=statistics.median(onlines),
            difference=max(self.difference or 0.0, later.difference or 0.0),
            peak_bytes=max(self.peak_bytes or 0.0, later.peak_bytes or 0.0) or None,
            each=each,
            each_setup=setups,
            each_online=onlines,
        )


@dataclass(frozen=True)
class Micro:
    """One contender's time for one operation.

    Args:
        dealing_seconds: what a dealer does ahead of time, where that is not part of `seconds`.
        error: the largest error of the result.
    """

    who: str
    operation: str
    encrypted: bool | None = None
    runs: int = 0
    seconds: float | None = None
    spread: tuple[float, float] | None = None
    dealing_seconds: float | None = None
    rounds: int | None = None
    error: float | None = None
    note: str = ""
    failure: str = ""


@dataclass(frozen=True)
class Floor:
    """What a step of job A cannot be faster than, in seconds, and the step itself."""

    encrypted: bool
    step: float
    frames_transport: float
    frames_zeromq: float
    plaintext: float
    expansion: float
    frames: tuple[int, ...]
    series: int = 1

    def with_later(self, later: Floor, step: float) -> Floor:
        """The mean of this and of one that was measured later; `step` is that of all runs."""
        count = self.series + later.series

        def mean(one: float, other: float) -> float:
            return (one * self.series + other * later.series) / count

        return replace(
            self,
            step=step,
            frames_transport=mean(self.frames_transport, later.frames_transport),
            frames_zeromq=mean(self.frames_zeromq, later.frames_zeromq),
            plaintext=mean(self.plaintext, later.plaintext),
            expansion=mean(self.expansion, later.expansion),
            series=count,
        )

    @property
    def line(self) -> float:
        """The floor: the frames over our transport, the plaintext step and one public expansion."""
        return self.frames_transport + self.plaintext + self.expansion

    @property
    def bare_line(self) -> float:
        """The same with the frames over bare ZeroMQ sockets."""
        return self.frames_zeromq + self.plaintext + self.expansion


@dataclass(frozen=True)
class SumRound:
    """One round of secure aggregation.

    Args:
        note: how many neighbours, and whose choice that is.
        signed: whether it withstands a server that lies.
        seconds: processor time of all clients and the server.
        up, down: bytes that a client sends and receives, in the mean.
        error: the largest error of the mean.
    """

    who: str
    note: str
    signed: bool = False
    seconds: float | None = None
    up: float | None = None
    down: float | None = None
    error: float | None = None
    failure: str = ""


@dataclass(frozen=True)
class BesidePlan:
    """A job or an operation of ours, what was measured of it and what its plan said.

    Args:
        key: which one.
        seconds: after the handshake; of an operation, from the first owner's beginning to the last one's end.
        command_seconds: from the command to the result.
        planned_seconds: of a job, on the WAN's wire and for handling the messages; of an operation, on the WAN's wire.
        rounds, owner_bytes, helper_bytes: measured; the most of any owner.
        failure: why there are no figures; then all others mean nothing.
    """

    key: str
    network: str = "localhost"
    runs: int = 0
    seconds: float | None = None
    spread: tuple[float, float] | None = None
    command_seconds: float | None = None
    planned_seconds: float | None = None
    rounds: float = 0
    planned_rounds: float = 0
    owner_bytes: float = 0
    planned_owner_bytes: float = 0
    helper_bytes: float = 0
    planned_helper_bytes: float = 0
    failure: str = ""


@dataclass(frozen=True)
class Peer:
    """Whether a peer could be set up: its versions, or why not."""

    title: str
    versions: str = ""
    seconds: float = 0.0
    failure: str = ""


@dataclass
class Results:
    """All of one `make bench`.

    Args:
        document: where the report goes while it is still incomplete; empty if nowhere.
    """

    machine: dict[str, str] = field(default_factory=dict)
    command: str = ""
    commands: dict[str, float] = field(default_factory=dict)
    peers: list[Peer] = field(default_factory=list)
    trainings: list[Training] = field(default_factory=list)
    micros: list[Micro] = field(default_factory=list)
    floors: list[Floor] = field(default_factory=list)
    sums: list[SumRound] = field(default_factory=list)
    comparisons: list[BesidePlan] = field(default_factory=list)
    analyses: list[BesidePlan] = field(default_factory=list)
    document: str = ""

    def write(self, path: Path) -> None:
        """Keep them, whole: what was kept before stays until then."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        part.replace(path)


def read(path: Path) -> Results:
    """Results that were kept."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return Results(
        data["machine"],
        data["command"],
        data["commands"],
        [Peer(**one) for one in data["peers"]],
        [Training(**_tuples(one)) for one in data["trainings"]],
        [Micro(**_tuples(one)) for one in data["micros"]],
        [Floor(**_tuples(one)) for one in data["floors"]],
        [SumRound(**one) for one in data.get("sums", [])],
        [BesidePlan(**_tuples(one)) for one in data.get("comparisons", [])],
        [BesidePlan(**_tuples(one)) for one in data.get("analyses", [])],
    )


def median_and_spread(values: Sequence[float]) -> tuple[float, tuple[float, float]]:
    """The median, the smallest and the largest."""
    return statistics.median(values), (min(values), max(values))


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()}
