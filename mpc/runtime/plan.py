"""The plan: the cost and the reveals of a program, from a dry run of the program itself on shapes alone."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from typing import Any

from mpc.errors import InternalError
from mpc.randomness.correlation import Kind, correction_bytes
from mpc.randomness.dealing import WINDOWS_AHEAD, Window, is_little, windows
from mpc.randomness.repeated import KindList, Repeated, listed
from mpc.ring.abstract_array import abstract
from mpc.runtime.dry_run import PlannedRound, Recorder, StepMemory
from mpc.runtime.interfaces import Revealed
from mpc.runtime.party import Party
from mpc.runtime.round import HEADER_BYTES, Blob, Program, Round
from mpc.runtime.speed import LinkSpeed

ProgramFactory = Callable[[Party], Program]

WAY_BYTES = 1
"""The last owner's message to the helper at a fork."""

_ROUND_HANDLING = 4e-4  # seconds: half of it is a message's way through session, encryption and socket
_HANDLED_BYTES = 2e8  # a second: dealt or taken in, encrypted and authenticated


@dataclass(frozen=True)
class Plan:
    """Rounds, bytes, correlations and reveals of one program, exactly.

    A plan that `make_plan` made keeps equal rounds and correlations once: a million steps take some megabytes.
    """

    owners: tuple[str, ...]
    helper: str
    rounds: Sequence[PlannedRound]
    kinds: Sequence[Kind]
    reveals: tuple[Revealed, ...]
    constants: str = ""
    forks: tuple[int, ...] = ()  # how many correlations come before each fork
    ways: tuple[bool, ...] = ()  # that it takes at the first ones; at all others, False
    opened: tuple[tuple[str, int], ...] = ()  # by label: how many masks are used up, and how many values revealed
    _remake: Callable[[tuple[bool, ...]], Plan] | None = field(default=None, compare=False, repr=False)
    _others: dict[tuple[bool, ...], Plan] = field(default_factory=dict, compare=False, repr=False)
    stages: frozenset[str] = field(default=frozenset(), compare=False)  # that the program goes through

    def on(self, ways: Sequence[bool]) -> Plan:
        """The plan of a run that takes these ways at its first forks: the same up to the first that differs."""
        decisions = tuple(ways)
        while decisions and not decisions[-1]:
            decisions = decisions[:-1]
        if decisions == self.ways:
            return self
        if self._remake is None:
            raise InternalError("a plan that was not made from a program has no other ways")
        if decisions not in self._others:
            self._others[decisions] = self._remake(decisions)
        return self._others[decisions]

    @cached_property
    def digest(self) -> str:
        """The digest that the parties compare in the handshake: of every round, correlation, reveal and constant."""
        text = sha256()
        for line in self._rounds.mapped(lambda one: f"{one.label}/{one.payload}\n".encode()):
            text.update(line)
        text.update(self._kinds.digest.encode())
        text.update(repr((self.owners, self.helper, self.reveals, self.constants, self.forks)).encode())
        return text.hexdigest()

    @cached_property
    def _rounds(self) -> Repeated[PlannedRound]:
        return self.rounds if isinstance(self.rounds, Repeated) else Repeated(self.rounds)

    @cached_property
    def _kinds(self) -> KindList:
        return listed(self.kinds)

    @property
    def counted_kinds(self) -> list[tuple[Kind, int]]:
        """The kinds of correlations, one for all with equal parts, and their numbers."""
        return self._kinds.counted()

    @cached_property
    def longest(self) -> int:
        """Bytes of the longest payload that one owner sends another."""
        return max((one.payload for one, _ in self._rounds.counted()), default=0)

    @cached_property
    def windows(self) -> tuple[int, ...]:
        """The sizes in bytes of the windows of corrections that the helper sends to the last owner."""
        return tuple(window.nbytes for window in self._windows)

    def group(self, number: int) -> Sequence[Kind]:
        """The correlations of a window, as it is dealt: made anew each time."""
        window = self._windows[number]
        return self.kinds[window.start : window.stop]

    @cached_property
    def turns(self) -> tuple[int, ...]:
        """For each window: the number of forks before it, whose ways must be known before it is dealt."""
        return tuple(bisect_right(self.forks, window.first) for window in self._windows)

    @cached_property
    def _windows(self) -> tuple[Window, ...]:
        return tuple(windows(self._kinds, self.forks))

    @cached_property
    def small(self) -> bool:
        """Whether all is dealt, and drawn at every owner, with the first need: it is little, and has no forks."""
        return not self.forks and is_little(self.kinds)

    def needs_credit(self, number: int) -> bool:
        """Whether the helper waits for a credit before it sends this window.

        The first `WINDOWS_AHEAD` ones of a run, and after each fork, need none.
        """
        if not WINDOWS_AHEAD <= number < len(self.windows):
            return False
        return not self.forks or self.turns[number] == self.turns[number - WINDOWS_AHEAD]

    @property
    def credits(self) -> int:
        """The number of credits that the last owner sends back to the helper."""
        return sum(1 for number in range(len(self.windows)) if self.needs_credit(number))

    @cached_property
    def bytes_sent(self) -> dict[str, int]:
        """Bytes of our frames (header and payload) that each party sends after the handshake."""
        others = len(self.owners) - 1
        each = sum(count * (HEADER_BYTES + one.payload) for one, count in self._rounds.counted()) * others
        sent = dict.fromkeys(self.owners, each)
        sent[self.owners[-1]] += self.credits * HEADER_BYTES + len(self.forks) * (HEADER_BYTES + WAY_BYTES)
        sent[self.helper] = sum(HEADER_BYTES + size for size in self.windows)
        return sent

    @cached_property
    def messages_sent(self) -> dict[str, int]:
        """Frames that each party sends after the handshake."""
        sent = dict.fromkeys(self.owners, len(self.rounds) * (len(self.owners) - 1))
        sent[self.owners[-1]] += self.credits + len(self.forks)
        sent[self.helper] = len(self.windows)
        return sent

    @cached_property
    def correlations(self) -> dict[str, dict[str, int]]:
        """By kind: the number of correlations, and the bytes of the helper's corrections for them."""
        table: dict[str, dict[str, int]] = {}
        for kind, count in self.counted_kinds:
            row = table.setdefault(type(kind).__name__, {"count": 0, "correction_bytes": 0})
            row["count"] += count
            row["correction_bytes"] += count * correction_bytes(kind)
        return table

    @property
    def handling(self) -> float:
        """Seconds between the messages, on one core a party: what Python, encryption and numpy take for small arrays.

        Of a small job, the dealing and the taking in; of others, those of the first window, and later ones are dealt
        beside the rounds. Products of large matrices come on top.
        """
        waited_for = sum(self.windows if self.small else self.windows[:1])
        return len(self.rounds) * _ROUND_HANDLING + 2 * waited_for / _HANDLED_BYTES

    def seconds(self, round_trip: float, bandwidth: float) -> float:
        """Time on the wire alone, until the last owner is done; computing, and dealing at the helper, come on top.

        Each pair of parties has a link of its own, with the bandwidth each way. In a round, every message takes its
        transfer and one latency, side by side. The helper's windows travel beside the rounds, each after the one
        before it and after the credit for it; the last owner's next round waits for those that it needs. A small job
        is dealt whole before the round ends that needs the first of it.

        A new TCP connection, which comes up to its bandwidth in a few round trips, takes some tenths of a second more.

        Args:
            round_trip: seconds.
            bandwidth: bytes per second of each link, each way.
        """
        latency = round_trip / 2
        windows = self._windows_on_the_way(latency, bandwidth)
        others = last = 0.0  # when they have all that their next round needs
        others_sent = last_sent = 0.0
        drawn = 0
        for one in self.rounds:
            drawn += one.draws
            last = windows.taken(drawn, last)
            transfer = (HEADER_BYTES + one.payload) / bandwidth
            others_sent = max(others, others_sent) + transfer
            last_sent = max(last, last_sent) + transfer
            if self.small and drawn:
                last = windows.taken(len(self.kinds), last)
            among_others = others_sent if len(self.owners) > 2 else 0.0
            others, last = max(others, last_sent + latency, among_others + latency), max(last, others_sent + latency)
        return max(others, windows.taken(len(self.kinds), last))

    def seconds_over(self, link: Callable[[str, str], LinkSpeed]) -> float:
        """As `seconds`, over links that differ: an owner's next round waits for the slowest that it needs.

        Args:
            link: the link of two parties, the same whichever is named first.
        """
        links = {(a, b): link(a, b) for a in self.owners for b in self.owners if a != b}
        if len({*links.values(), link(self.helper, self.owners[-1])}) == 1:
            (same,) = set(links.values())
            return self.seconds(2 * same.latency, same.bandwidth)
        last = self.owners[-1]
        windows = self._windows_on_the_way(*link(self.helper, last))
        ready, sent = dict.fromkeys(self.owners, 0.0), dict.fromkeys(links, 0.0)
        drawn = 0
        for one in self.rounds:
            drawn += one.draws
            ready[last] = windows.taken(drawn, ready[last])
            for pair, speed in links.items():
                sent[pair] = max(ready[pair[0]], sent[pair]) + (HEADER_BYTES + one.payload) / speed.bandwidth
            if self.small and drawn:
                ready[last] = windows.taken(len(self.kinds), ready[last])
            for pair, speed in links.items():
                ready[pair[1]] = max(ready[pair[1]], sent[pair] + speed.latency)
        return max(*ready.values(), windows.taken(len(self.kinds), ready[last]))

    def _windows_on_the_way(self, latency: float, bandwidth: float) -> _Windows:
        transfers = [(HEADER_BYTES + size) / bandwidth for size in self.windows]
        credit = HEADER_BYTES / bandwidth + latency
        return _Windows([window.first for window in self._windows], self.turns, transfers, latency, credit)


class _Windows:
    """The helper's windows on their way to the last owner, in an estimate of time.

    Args:
        needed: for each window, the number of the correlation that it is fetched for.
        turns: for each window, how many forks come before it.
        transfers: for each window, the seconds that its transfer takes.
        latency: seconds.
        credit: seconds from the sending of a credit, or of what a fork's way is, to its arrival.
    """

    def __init__(
        self,
        needed: Sequence[int],
        turns: Sequence[int],
        transfers: Sequence[float],
        latency: float,
        credit: float,
    ) -> None:
        self._needed = needed
        self._turns = turns
        self._way_known = 0.0  # when the helper knew of the last fork's way
        self._transfers = transfers
        self._latency = latency
        self._credit = credit
        self._sent = 0.0
        self._taken: list[float] = []

    def taken(self, drawn: int, now: float) -> float:
        """The time at which the last owner has the windows for the first `drawn` correlations, if it asks `now`."""
        while (number := len(self._taken)) < len(self._needed) and self._needed[number] < drawn:
            if number and self._turns[number] > self._turns[number - 1]:
                self._way_known = now + self._credit
            allowed = self._way_known
            if number >= WINDOWS_AHEAD and self._turns[number] == self._turns[number - WINDOWS_AHEAD]:
                allowed = max(allowed, self._taken[number - WINDOWS_AHEAD] + self._credit)
            self._sent = max(self._sent, allowed) + self._transfers[number]
            now = max(now, self._sent + self._latency)
            self._taken.append(now)
        return now


def make_plan(
    factory: ProgramFactory, owners: tuple[str, ...], helper: str, constants: str = "", ways: tuple[bool, ...] = ()
) -> Plan:
    """Dry-run the program of the first owner, which stands for all owners.

    Args:
        factory: party -> the program; with a dry party it must get by without data.
        constants: a digest of the public numbers that the program multiplies shares with.
        ways: that the program takes at its first forks; False at all others.

    Raises:
        InternalError: the program's control flow depends on data, or a round is not the same for every owner.
    """
    recorder = Recorder(ways)
    rounds = recorder.rounds
    party = Party(owners[0], owners, recorder, {}, recorder, declared=None, dry=True, repeats=StepMemory(recorder))
    program = factory(party)
    answer: Mapping[str, Any] | None = None
    while True:
        try:
            one = program.send(answer)  # type: ignore[arg-type]  # None starts a coroutine
        except StopIteration:
            break
        rounds.append(PlannedRound(one.label, recorder.at, _payload(one), len(recorder.kinds) - recorder.drawn))
        recorder.drawn = len(recorder.kinds)
        answer = {peer: tuple(abstract(spec.shape) for spec in specs) for peer, specs in one.recv.items()}  # type: ignore[union-attr]
    return Plan(
        owners,
        helper,
        rounds,
        recorder.kinds,
        tuple(recorder.reveals),
        constants,
        tuple(recorder.forks),
        ways,
        tuple(party.opened.items()),
        lambda other: make_plan(factory, owners, helper, constants, other),
        stages=frozenset(recorder.stages),
    )


def groups_to_deal(
    plan: Plan, next_way: Callable[[], bool], wait: Callable[[int], None] = lambda number: None
) -> Iterator[Sequence[Kind]]:
    """The correlations of each window, as the helper deals them.

    Args:
        next_way: gives the way at the next fork; called when a window that comes after it is due, or at the end.
        wait: called with a window's number where it needs a credit.
    """
    ways: list[bool] = []
    number = 0
    while True:
        due = plan.turns[number] if number < len(plan.windows) else len(plan.forks)
        if len(ways) < due:
            ways.append(next_way())
            plan = plan.on(ways)
            continue
        if number == len(plan.windows):
            return
        if plan.needs_credit(number):
            wait(number)
        yield plan.group(number)
        number += 1


def _payload(one: Round) -> int:
    sizes = set()
    for specs in one.recv.values():
        if isinstance(specs, Blob):
            raise InternalError(f"round '{one.label}' has no fixed length and cannot be planned")
        sizes.add(sum(spec.nbytes for spec in specs))
    if not one.everyone or len(sizes) != 1:
        raise InternalError(f"round '{one.label}' is not the same for every owner and cannot be planned")
    return sizes.pop()
