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
from mpc.wire import HEADER_BYTES

ProgramFactory = Callable[[Party], Program]


@dataclass(frozen=True)
class PlannedRound:
    """One round: its label, and the bytes of payload from one owner to each other owner."""

    label: str
    stage: str
    payload: int


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

    def seconds(self, round_trip: float, bandwidth: float) -> float:
        """Time on the wire alone: one-way latency and transfer of every round, the helper's dealing beside it.

        Args:
            round_trip: seconds.
            bandwidth: bytes per second of each party's link.
        """
        others = len(self.owners) - 1
        rounds = sum(round_trip / 2 + others * (HEADER_BYTES + one.payload) / bandwidth for one in self.rounds)
        dealing = self.bytes_sent[self.helper] / bandwidth
        return max(rounds, dealing) + round_trip / 2


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
        rounds.append(PlannedRound(one.label, recorder.at, _payload(one)))
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
