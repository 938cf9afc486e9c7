"""What each party sees and knows in a lockstep run, and the randomness of the run, which a check can change by a word.

The owners run with a supply of their own, dealt here from `Draws`: the same kinds and the same functions as the
helper's, but every share of every part is at hand, to be looked at or altered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import prod
from types import coroutine
from typing import Any

import numpy as np

from mpc.correlation import Kind, Spec
from mpc.dealing import as_shares, draw, in_full
from mpc.ghost import Array
from mpc.lockstep import Watch, run_lockstep
from mpc.party import PairStreams, Party
from mpc.prg import Stream, derive
from mpc.ring import B8, Z64, Ring
from mpc.round import Blob, Round
from mpc.share import Public, Share
from mpc.testing.failure import CheckFailed, refusals
from mpc.testing.programs import HELPER, Case

Parts = tuple[tuple[Array, ...], tuple[Array, ...]]


@dataclass(frozen=True)
class Bump:
    """A change of one drawn word: of which correlation, part and entry, at which owner, by how much."""

    number: int
    part: int
    entry: int
    owner: int
    by: int


@dataclass(frozen=True)
class Sending:
    """One array that one owner sent another: its round, its place in it, and whether it is a declared output."""

    round: int
    place: int
    label: str
    sender: str
    receiver: str
    spec: Spec
    value: Array
    revealed: bool

    @property
    def where(self) -> str:
        return f"round {self.round} '{self.label}'"


@dataclass(frozen=True)
class Note:
    """Something that an owner holds: the same key at all owners for the shares of one thing."""

    key: str
    ring: Ring
    value: Array
    peer: str = ""  # of a value that only two owners share


@dataclass(frozen=True)
class Recording:
    """One run: what was sent, and what each owner holds beside it."""

    sendings: tuple[Sending, ...]
    notes: Mapping[str, tuple[Note, ...]]
    kinds: tuple[Kind, ...]


class Draws:
    """All randomness of a run, drawn from a seed when first asked for and the same ever after."""

    def __init__(self, n: int, seed: str) -> None:
        self._n = n
        self._seed = seed
        self._streams: dict[str, Stream] = {}
        self._shares: list[list[Parts]] = []
        self._pairs: dict[tuple[str, int], Array] = {}

    def shares(self, number: int, kind: Kind) -> list[Parts]:
        """Every owner's parts of a correlation; the last owner's dealt parts are left out, as they are no draws."""
        if number == len(self._shares):
            last = self._n - 1
            parts = [draw(kind, self._stream(f"deal/{k}"), corrected=k == last) for k in range(self._n)]
            self._shares.append(parts)
        return self._shares[number]

    def pair(self, label: str, number: int, shape: tuple[int, ...], ring: Ring) -> Array:
        """What two owners draw from a stream that they share."""
        key = (label, number)
        if key not in self._pairs:
            self._pairs[key] = self._stream(f"pair/{label}").uniform(shape, ring)
        return self._pairs[key]

    def _stream(self, label: str) -> Stream:
        if label not in self._streams:
            self._streams[label] = Stream(derive(bytes(32), f"draws/{self._seed}/{label}"))
        return self._streams[label]


class Dealer:
    """Deals the correlations that the owners ask for, perhaps with one drawn word changed."""

    def __init__(self, draws: Draws, bump: Bump | None = None) -> None:
        self.kinds: list[Kind] = []
        self._draws = draws
        self._bump = bump
        self._dealt: list[list[Parts]] = []
        self._book: dict[int, tuple[Array, ...]] = {}

    def parts(self, owner: int, number: int, kind: Kind) -> Parts:
        """An owner's shares of the correlation of this number."""
        if number == len(self._dealt):
            self.kinds.append(kind)
            self._dealt.append(self._deal(number, kind))
        if self.kinds[number] != kind:
            raise CheckFailed(f"the owners ask for different correlations: {self.kinds[number]} and {kind}")
        return self._dealt[number][owner]

    def _deal(self, number: int, kind: Kind) -> list[Parts]:
        shares = list(self._draws.shares(number, kind))
        if self._bump is not None and self._bump.number == number:
            shares[self._bump.owner] = _bumped(shares[self._bump.owner], kind, self._bump)
        drawn = in_full(kind, [own[0] for own in shares])
        if kind.kept:
            self._book[number] = drawn
        full = kind.deal(drawn, self._book)
        last = []
        for part, (spec, value) in enumerate(zip(kind.dealt, full, strict=True)):
            for own in shares[:-1]:
                value = spec.ring.sub(value, own[1][part])
            last.append(value)
        return [*shares[:-1], (shares[-1][0], tuple(last))]


def _bumped(parts: Parts, kind: Kind, bump: Bump) -> Parts:
    drawn, dealt = list(parts[0]), parts[1]
    ring = kind.drawn[bump.part].ring
    change = ring.zeros(drawn[bump.part].shape)
    change.reshape(-1)[bump.entry] = ring.reduce(np.array([bump.by], dtype=object))[0]
    drawn[bump.part] = ring.add(drawn[bump.part], change)
    return tuple(drawn), dealt


class _Supply:
    """One owner's way to the dealer."""

    def __init__(self, dealer: Dealer, owner: int) -> None:
        self._dealer = dealer
        self._owner = owner
        self._number = 0

    def next(self, kind: Kind) -> tuple[int, tuple[Share, ...]]:
        """The next correlation."""
        number = self._number
        self._number += 1
        return number, as_shares(kind, *self._dealer.parts(self._owner, number, kind))

    def fork(self, way: bool) -> bool:
        """The program's way; all owners ask for the same correlations after it, or `Dealer.parts` says so."""
        return way


class _PairStream(Stream):
    """A stream that two owners share, from the run's draws; what it gives is noted."""

    def __init__(self, draws: Draws, label: str, told: list[Array]) -> None:
        self._draws = draws
        self._label = label
        self._told = told

    def uniform(self, shape: tuple[int, ...], ring: Ring) -> Array:
        """Elements of `ring`, uniform."""
        drawn = self._draws.pair(self._label, len(self._told), shape, ring)
        self._told.append(drawn)
        return drawn


@dataclass
class _Diary:
    """What one owner did and holds."""

    rounds: list[tuple[Round, tuple[int, ...]]] = field(default_factory=list)  # with the ids of revealed arrays
    notes: list[Note] = field(default_factory=list)
    revealing: dict[int, Array] = field(default_factory=dict)
    inputs: int = 0


class _NotingParty(Party):
    """An owner that writes down what it holds, and which arrays are declared outputs."""

    def __init__(self, case: Case, name: str, dealer: Dealer, draws: Draws, diary: _Diary) -> None:
        owners = case.owners
        index = owners.index(name)
        self.diary = diary
        self._zero_draws: dict[str, list[Array]] = {}
        pairs = {}
        for k, peer in enumerate(owners):
            if peer != name:
                pair = f"{min(k, index)}-{max(k, index)}"
                told = self._zero_draws[peer] = []
                pairs[peer] = PairStreams(
                    _PairStream(draws, f"inputs {pair}", []), _PairStream(draws, f"zeros {pair}", told)
                )
        declared = frozenset(item.what for item in case.plan.reveals)
        super().__init__(name, owners, _Supply(dealer, index), pairs, Watch(), declared=declared)

    def kept(self, kind: Kind) -> tuple[int, tuple[Any, ...]]:
        """As `Party.kept`; the shares are noted."""
        number, parts = super().kept(kind)
        for k, part in enumerate(parts):
            what = f"mask {k}" if k < len(kind.drawn) else f"dealt part {k - len(kind.drawn)}"
            self.diary.notes.append(
                Note(f"{what} of correlation {number} ({type(kind).__name__})", part.ring, part.value)
            )
        return number, parts

    def input(self, owner: str, value: Array | None, shape: tuple[int, ...], scale: int, ring: Ring = Z64) -> Share:
        """As `Party.input`; the share is noted."""
        share = super().input(owner, value, shape, scale, ring)
        key = f"share of input {self.diary.inputs} from {owner}"
        self.diary.inputs += 1
        self.diary.notes.append(Note(key, ring, share.value))
        return share

    async def reveal(self, *shares: Share, what: str, why: str, label: str) -> tuple[Public, ...]:
        """As `Party.reveal`; what it sends is marked, and the zeros that it adds are noted."""
        program = super().reveal(*shares, what=what, why=why, label=label)
        opened: tuple[Public, ...] = await self._marked(program, [share.ring for share in shares], label)
        return opened

    async def reveal_to_each(self, parts: Mapping[str, Share], *, what: str, why: str, label: str) -> Public:
        """As `Party.reveal_to_each`, likewise."""
        program = super().reveal_to_each(parts, what=what, why=why, label=label)
        opened: Public = await self._marked(program, [parts[owner].ring for owner in self.owners], label)
        return opened

    async def _marked(self, program: Coroutine[Any, Any, Any], rings: Sequence[Ring], label: str) -> Any:
        before = {peer: len(told) for peer, told in self._zero_draws.items()}
        one = program.send(None)
        for peer, told in self._zero_draws.items():
            sign_first = self.index < self.owners.index(peer)
            for k, drawn in enumerate(told[before[peer] :]):
                ring = rings[k]
                zero = drawn if sign_first else ring.sub(ring.zeros(drawn.shape), drawn)
                self.diary.notes.append(Note(f"zeros {before[peer] + k}", ring, zero, peer))
        for arrays in one.send.values():
            self.diary.revealing |= {id(array): array for array in arrays}
        answer = await one
        try:
            program.send(answer)
        except StopIteration as end:
            return end.value
        raise CheckFailed(f"'{label}' reveals in more than one round")


def record(case: Case, draws: Draws, bump: Bump | None = None) -> Recording:
    """One run of a case in one thread.

    Raises:
        CheckFailed: the runtime refuses the protocol, or the helper is sent something.
    """
    dealer = Dealer(draws, bump)
    diaries = {name: _Diary() for name in case.owners}

    def factory(p: Party) -> Any:
        diary = diaries[p.name]
        party = _NotingParty(case, p.name, dealer, draws, diary)
        return _watched(lambda: case.program(party), diary)

    plan = replace(case.plan, kinds=(), opened=())  # what its parties draw is the dealer's, not the driver's
    with refusals(f"a run with {case.n} owners"):
        run_lockstep(dict.fromkeys(case.owners, factory), plan, entropy=case.entropy(0))
    for k, name in enumerate(case.owners):
        for number, (one, parts) in enumerate(zip(case.inputs, case.values, strict=True)):
            if one.private or case.giver(number) == k:
                value = parts[k] if one.private else parts[0]
                diaries[name].notes.append(Note(f"input {number} of {name}", one.ring, value))
    sendings = tuple(_sendings(diaries))
    return Recording(sendings, {name: tuple(diary.notes) for name, diary in diaries.items()}, tuple(dealer.kinds))


@coroutine
def _watched(start: Callable[[], Any], diary: _Diary) -> Generator[Round, Any, Any]:
    program, answer = start(), None  # made here: where another owner fails first, it never is
    while True:
        try:
            one = program.send(answer)
        except StopIteration as end:
            return end.value
        sent = [array for arrays in one.send.values() if not isinstance(arrays, bytes) for array in arrays]
        diary.rounds.append((one, tuple(id(array) for array in sent if id(array) in diary.revealing)))
        answer = yield one


def _sendings(diaries: Mapping[str, _Diary]) -> list[Sending]:
    found = []
    for sender, diary in diaries.items():
        for number, (one, revealed) in enumerate(diary.rounds):
            for receiver, arrays in one.send.items():
                if receiver == HELPER:
                    raise CheckFailed(
                        f"round {number} '{one.label}': {sender} sends to the helper, which dealt the masks and so "
                        f"could take them off"
                    )
                for place, array in enumerate(
                    (np.frombuffer(arrays, np.uint8),) if isinstance(arrays, bytes) else arrays
                ):
                    spec = _declared(diaries[receiver], number, sender, place, array)
                    value = spec.ring.from_bytes(np.ascontiguousarray(array).tobytes(), spec.shape)
                    is_output = id(array) in revealed
                    found.append(Sending(number, place, one.label, sender, receiver, spec, value, is_output))
    return found


def _declared(receiver: _Diary, number: int, sender: str, place: int, array: Array) -> Spec:
    """What the receiver takes an array for; bytes, where it does not say."""
    if number < len(receiver.rounds):
        specs = receiver.rounds[number][0].recv.get(sender, ())
        if not isinstance(specs, Blob) and place < len(specs) and specs[place].nbytes == array.nbytes:
            return specs[place]
    return Spec((array.nbytes,), 0, B8)


def same_to_all(sendings: Sequence[Sending]) -> list[list[Sending]]:
    """The arrays of one round, each with all its receivers together: what differs between receivers stays apart."""
    groups: list[list[Sending]] = []
    for one in sendings:
        for group in groups:
            first = group[0]
            alike = (first.round, first.place, first.sender) == (one.round, one.place, one.sender)
            if alike and first.spec == one.spec and np.array_equal(first.value, one.value):
                group.append(one)
                break
        else:
            groups.append([one])
    return groups


def words_in(kind: Kind) -> int:
    """How many words a kind draws."""
    return sum(prod(spec.shape) for spec in kind.drawn)


def round_labels(recording: Recording) -> dict[int, str]:
    """Each round's label."""
    return {one.round: one.label for one in recording.sendings}


def counted(names: Sequence[str]) -> str:
    """Names in a sentence; alike ones once, with their number."""
    return ", ".join(name if k == 1 else f"{name} (x{k})" for name, k in Counter(names).items())
