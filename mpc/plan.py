"""The plan: what a program will cost and reveal, from a dry run of the program itself on shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from mpc.correlation import WINDOWS_AHEAD, Kind, correction_bytes, kinds_digest, windows
from mpc.errors import InternalError
from mpc.ghost import Array, ghost
from mpc.party import Party, Revealed
from mpc.round import Blob, Program, Round
from mpc.slow_start import Way
from mpc.wire import HEADER_BYTES

ProgramFactory = Callable[[Party], Program]


@dataclass(frozen=True)
class PlannedRound:
    """One round: its label, and the bytes of payload from one owner to each other owner.

    `drawn` is how many of the plan's correlations an owner draws before it sends.
    """

    label: str
    stage: str
    payload: int
    drawn: int


@dataclass(frozen=True)
class Plan:
    """Rounds, bytes, correlations and reveals of one program, exactly."""

    owners: tuple[str, ...]
    helper: str
    rounds: tuple[PlannedRound, ...]
    kinds: tuple[Kind, ...]
    reveals: tuple[Revealed, ...]
    constants: str = ""

    @cached_property
    def digest(self) -> str:
        """What the parties compare in the handshake: it covers every round, correlation, reveal and constant."""
        text = sha256()
        for one in self.rounds:
            text.update(f"{one.label}/{one.payload}\n".encode())
        text.update(kinds_digest(self.kinds).encode())
        text.update(repr((self.owners, self.helper, self.reveals, self.constants)).encode())
        return text.hexdigest()

    @cached_property
    def windows(self) -> tuple[int, ...]:
        """The sizes in bytes of the windows of corrections that the helper sends to the last owner."""
        return tuple(size for _, size in windows(self.kinds))

    @property
    def dealt_first(self) -> int:
        """How many windows the last owner waits for before it begins: all of a small job, none of a large one."""
        return len(self.windows) if len(self.windows) <= WINDOWS_AHEAD else 0

    @property
    def credits(self) -> int:
        """How many credits the last owner sends back to the helper."""
        return max(0, len(self.windows) - WINDOWS_AHEAD)

    @cached_property
    def bytes_sent(self) -> dict[str, int]:
        """Bytes of our frames (header and payload) that each party sends after the handshake."""
        others = len(self.owners) - 1
        each = sum(HEADER_BYTES + one.payload for one in self.rounds) * others
        sent = dict.fromkeys(self.owners, each)
        sent[self.owners[-1]] += self.credits * HEADER_BYTES
        sent[self.helper] = sum(HEADER_BYTES + size for size in self.windows)
        return sent

    @cached_property
    def messages_sent(self) -> dict[str, int]:
        """Frames that each party sends after the handshake."""
        sent = dict.fromkeys(self.owners, len(self.rounds) * (len(self.owners) - 1))
        sent[self.owners[-1]] += self.credits
        sent[self.helper] = len(self.windows)
        return sent

    @cached_property
    def correlations(self) -> dict[str, dict[str, int]]:
        """By kind: how many, and the bytes of corrections they cost the helper."""
        table: dict[str, dict[str, int]] = {}
        for kind in self.kinds:
            row = table.setdefault(type(kind).__name__, {"count": 0, "correction_bytes": 0})
            row["count"] += 1
            row["correction_bytes"] += correction_bytes(kind)
        return table

    def seconds(self, round_trip: float, bandwidth: float, *, slow_start: bool = False) -> float:
        """Time on the wire alone, until the last owner is done; computing, and dealing at the helper, come on top.

        Each pair of parties has a link of its own, with the bandwidth each way. In a round, every message takes its
        transfer and one latency, side by side. The helper's windows travel beside the rounds, each after the one
        before it and after the credit for it; the last owner's next round waits for those that it needs. A small job
        is dealt whole before the first round.

        Args:
            round_trip: seconds.
            bandwidth: bytes per second of each link, each way.
            slow_start: whether the links are new TCP connections, which come up to their bandwidth only by and by.
        """
        latency, windows = round_trip / 2, self._windows_on_the_way(round_trip, bandwidth, slow_start)
        way = Way(round_trip, bandwidth, slow_start=slow_start)  # from any owner to any other: all carry the same
        others, last = 0.0, windows.all_here(self.dealt_first)  # when they have all that their next round needs
        others_sent = last_sent = 0.0
        for one in self.rounds:
            last = windows.taken(one.drawn, last)
            transfer = way.transfer(HEADER_BYTES + one.payload)
            others_sent = max(others, others_sent) + transfer
            last_sent = max(last, last_sent) + transfer
            among_others = others_sent if len(self.owners) > 2 else 0.0
            others, last = max(others, last_sent + latency, among_others + latency), max(last, others_sent + latency)
        return max(others, windows.taken(len(self.kinds), last))

    def _windows_on_the_way(self, round_trip: float, bandwidth: float, slow_start: bool) -> _Windows:
        way, latency = Way(round_trip, bandwidth, slow_start=slow_start), round_trip / 2
        first, needed = 0, []
        for group, _ in windows(self.kinds):
            # A window is fetched for the first correlation in it that has a correction.
            needed.append(first + next(at for at, kind in enumerate(group) if correction_bytes(kind)))
            first += len(group)
        transfers = [way.transfer(HEADER_BYTES + size) for size in self.windows]
        return _Windows(needed, transfers, latency, HEADER_BYTES / bandwidth + latency)


class _Windows:
    """The helper's windows on their way to the last owner, in an estimate of time.

    Args:
        needed: for each window, the number of the correlation that it is fetched for.
        transfers: for each window, the seconds that its transfer takes.
        latency: seconds.
        credit: seconds from the sending of a credit to its arrival.
    """

    def __init__(self, needed: list[int], transfers: list[float], latency: float, credit: float) -> None:
        self._needed = needed
        self._transfers = transfers
        self._latency = latency
        self._credit = credit
        self._sent = 0.0
        self._taken: list[float] = []

    def all_here(self, count: int) -> float:
        """When the first `count` windows, which need no credit, have arrived."""
        return sum(self._transfers[:count]) + self._latency if count else 0.0

    def taken(self, drawn: int, now: float) -> float:
        """When the last owner has all windows for the first `drawn` correlations, if it asks for them `now`."""
        while (number := len(self._taken)) < len(self._needed) and self._needed[number] < drawn:
            allowed = self._taken[number - WINDOWS_AHEAD] + self._credit if number >= WINDOWS_AHEAD else 0.0
            self._sent = max(self._sent, allowed) + self._transfers[number]
            now = max(now, self._sent + self._latency)
            self._taken.append(now)
        return now


@dataclass
class _Recorder:
    """A dry run's supply and observer: it writes down what it is asked for."""

    kinds: list[Kind] = field(default_factory=list)
    reveals: list[Revealed] = field(default_factory=list)
    at: str = ""

    def next(self, kind: Kind) -> tuple[int, tuple[Array, ...], tuple[Array, ...]]:
        self.kinds.append(kind)
        drawn = tuple(ghost(spec.shape) for spec in kind.drawn)
        return len(self.kinds) - 1, drawn, tuple(ghost(spec.shape) for spec in kind.dealt)

    def stage(self, name: str, done: int, total: int) -> None:
        self.at = name

    def revealed(self, item: Revealed) -> None:
        self.reveals.append(item)

    def hinted(self, text: str) -> None:
        """A dry run has nothing to say."""


def make_plan(factory: ProgramFactory, owners: tuple[str, ...], helper: str, constants: str = "") -> Plan:
    """Dry-run the program of the first owner, which stands for all owners.

    Args:
        factory: party -> the program; with a dry party it must get by without data.
        constants: a digest of the public numbers that the program multiplies shares with.

    Raises:
        InternalError: the program's control flow depends on data, or a round is not the same for every owner.
    """
    recorder = _Recorder()
    party = Party(owners[0], owners, recorder, {}, recorder, declared=None, dry=True)
    rounds: list[PlannedRound] = []
    program = factory(party)
    answer: Mapping[str, Any] | None = None
    while True:
        try:
            one = program.send(answer)  # type: ignore[arg-type]  # None starts a coroutine
        except StopIteration:
            break
        rounds.append(PlannedRound(one.label, recorder.at, _payload(one), len(recorder.kinds)))
        answer = {peer: tuple(ghost(spec.shape) for spec in specs) for peer, specs in one.recv.items()}  # type: ignore[union-attr]
    return Plan(owners, helper, tuple(rounds), tuple(recorder.kinds), tuple(recorder.reveals), constants)


def _payload(one: Round) -> int:
    sizes = set()
    for specs in one.recv.values():
        if isinstance(specs, Blob):
            raise InternalError(f"round '{one.label}' has no fixed length and cannot be planned")
        sizes.add(sum(spec.nbytes for spec in specs))
    if not one.everyone or len(sizes) != 1:
        raise InternalError(f"round '{one.label}' is not the same for every owner and cannot be planned")
    return sizes.pop()
