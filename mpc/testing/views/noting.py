"""An owner in a lockstep run that notes what it holds, its messages of declared outputs, and its texts.

Revealed values are sent under zeros that the owners share. An owner here subtracts its share from its message: the rest
must be zeros of its own for every value, or a second value discloses the difference to the first.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from types import coroutine
from typing import Any

import numpy as np

from mpc.errors import BeaverlodgeError, DataError
from mpc.ring.array import Array
from mpc.ring.rings import Z64, Ring
from mpc.runtime.lockstep import Watch
from mpc.runtime.party import PairStreams, Party
from mpc.runtime.round import Round
from mpc.sharing.share import Public, Share
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.cases.programs import Case, results_of
from mpc.testing.views.draws import Dealer, Draws, PairStream, Supply

_ENOUGH = 8  # bytes: no two arrays of so many uniform ones are alike by chance


@dataclass(frozen=True)
class Note:
    """A value that an owner holds, with the same key at all owners for the shares of one value."""

    key: str
    ring: Ring
    value: Array
    peer: str = ""  # of a value that only two owners share
    share: bool = True  # no value that is open to the owner as it is


@dataclass(frozen=True)
class Zeros:
    """The zeros that an owner added to a value before it left: the value's name, and the words."""

    what: str
    ring: Ring
    value: Array

    def marks(self) -> list[bytes]:
        """Its words as bytes, or the whole, where words are so short that they are alike by chance."""
        whole = bytes(self.ring.to_bytes(np.ascontiguousarray(self.value)))
        size = self.ring.word_bytes if self.ring.word_bytes >= _ENOUGH else len(whole)
        return [whole[at : at + size] for at in range(0, len(whole), size)] if size >= _ENOUGH else []


@dataclass
class Diary:
    """One owner's actions, texts and values."""

    rounds: list[tuple[Round, tuple[int, ...]]] = field(default_factory=list)  # with the ids of revealed arrays
    drawn: list[int] = field(default_factory=list)  # of each round: how many correlations were drawn before it is sent
    notes: list[Note] = field(default_factory=list)
    revealing: dict[int, tuple[Array, int]] = field(default_factory=dict)  # by id: the array, and which reveal's it is
    reveals: int = 0
    own: dict[int, Array] = field(default_factory=dict)  # of each reveal to each: the part that the owner sends nobody
    zeros: list[Zeros] = field(default_factory=list)
    inputs: int = 0
    fresh: int = 0
    watch: Watch = field(default_factory=Watch)
    error: BeaverlodgeError | None = None

    def said(self) -> tuple[str, ...]:
        """All text of the program, which reports, progress and other parties may show."""
        texts = [f"revealed {one.what} to {', '.join(one.to)}: {one.why}" for one in self.watch.reveals]
        texts += [f"stage {name} {done} of {total}" for name, done, total in self.watch.stages]
        texts += [f"hint {text}" for text in self.watch.hints]
        return (*texts, *([] if self.error is None else [f"error {_error_text(self.error)}"]))


def _error_text(error: BeaverlodgeError) -> str:
    """An error's text; for a `DataError`, which is about its own owner's data and stays there, the peers' text."""
    return f"{error.code} {error.party}" if isinstance(error, DataError) else f"{error.code} {error.party} {error}"


class NotingParty(Party):
    """An owner that writes a diary."""

    def __init__(self, case: Case, name: str, dealer: Dealer, draws: Draws, diary: Diary) -> None:
        owners = case.owners
        index = owners.index(name)
        self.diary = diary
        self._zero_draws: dict[str, list[Array]] = {}
        self._apart = False  # whether it makes shares fresh by itself, not within a reveal
        pairs = {}
        for k, peer in enumerate(owners):
            if peer != name:
                pair = f"{min(k, index)}-{max(k, index)}"
                zero_draws = self._zero_draws[peer] = []
                pairs[peer] = PairStreams(
                    PairStream(draws, f"inputs {pair}", []), PairStream(draws, f"zeros {pair}", zero_draws)
                )
        declared = frozenset(item.what for item in case.plan.reveals)
        self._source = Supply(dealer, index)
        super().__init__(name, owners, self._source, pairs, diary.watch, declared=declared)

    @property
    def drawn(self) -> int:
        """The number of correlations drawn so far."""
        return self._source.number

    def kept(self, kind: Any) -> tuple[int, tuple[Any, ...]]:
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

    def refreshed(self, share: Share) -> Share:
        """As `Party.refreshed`; the zeros that it adds are noted."""
        fresh = super().refreshed(share)
        self.diary.notes.append(Note(f"fresh share {self.diary.fresh}", fresh.ring, fresh.value))
        self.diary.fresh += 1
        if not self._apart:
            zeros = share.ring.sub(fresh.value, share.value)
            self.diary.zeros.append(Zeros("a share that is made fresh", share.ring, zeros))
        return fresh

    async def reveal(self, *shares: Share, what: str, why: str, label: str) -> tuple[Public, ...]:
        """As `Party.reveal`; its message is marked, and the zeros that it adds are noted."""
        program = super().reveal(*shares, what=what, why=why, label=label)
        given = dict.fromkeys(self.peers, shares)
        opened: tuple[Public, ...] = (await self._marked(program, given, [one.ring for one in shares], label))[0]
        return opened

    async def reveal_to_each(self, parts: Mapping[str, Share], *, what: str, why: str, label: str) -> Public:
        """As `Party.reveal_to_each`, likewise; the owner's own part, which it sends nobody, is noted."""
        program = super().reveal_to_each(parts, what=what, why=why, label=label)
        given = {peer: (parts[peer],) for peer in self.peers}
        number = self.diary.reveals
        rings = [parts[owner].ring for owner in self.owners]
        opened: Public
        opened, got = await self._marked(program, given, rings, label)
        own = opened.value
        for peer in self.peers:
            own = opened.ring.sub(own, got[peer][0][: len(own)])
        longest = opened.ring.zeros(got[self.peers[0]][0].shape)
        longest[: len(own)] = own
        self.diary.own[number] = longest
        return opened

    async def _marked(
        self,
        program: Coroutine[Any, Any, Any],
        given: Mapping[str, Sequence[Share]],
        rings: Sequence[Ring],
        label: str,
    ) -> tuple[Any, Mapping[str, Any]]:
        before = {peer: len(zero_draws) for peer, zero_draws in self._zero_draws.items()}
        self._apart = True
        one = program.send(None)
        self._apart = False
        for peer, zero_draws in self._zero_draws.items():
            sign_first = self.index < self.owners.index(peer)
            for k, drawn in enumerate(zero_draws[before[peer] :]):
                ring = rings[k]
                zero = drawn if sign_first else ring.sub(ring.zeros(drawn.shape), drawn)
                self.diary.notes.append(Note(f"zeros {before[peer] + k}", ring, zero, peer))
        seen: set[int] = set()
        for peer, arrays in one.send.items():
            for k, (array, share) in enumerate(zip(arrays, given[peer], strict=False)):
                if id(array) not in seen:
                    seen.add(id(array))
                    self._note_zeros(f"value {k} in '{label}'", array, share)
            self.diary.revealing |= {id(array): (array, self.diary.reveals) for array in arrays}
        self.diary.reveals += 1
        answer = await one
        try:
            program.send(answer)
        except StopIteration as end:
            return end.value, answer
        raise CheckFailed(f"'{label}' reveals in more than one round")

    def _note_zeros(self, what: str, sent: Array, share: Share) -> None:
        """Note the zeros added to a share before it was sent; a longer message has none at its end."""
        ring, size = share.ring, share.value.size
        data = bytes(np.ascontiguousarray(sent).tobytes())[: size * ring.word_bytes]
        if len(data) == size * ring.word_bytes:
            words = ring.from_bytes(data, share.shape)
            self.diary.zeros.append(Zeros(what, ring, ring.sub(words, share.value)))


def check_zeros(name: str, diary: Diary) -> None:
    """Check that every value that left as a share was under zeros of its own.

    Raises:
        CheckFailed: names the value, and the one whose zeros it has, or says that it has none.
    """
    used: dict[bytes, str] = {}
    for one in diary.zeros:
        for mark in one.marks():
            if not any(mark):
                raise CheckFailed(f"{one.what} leaves {name} as the bare share: it was not made fresh")
            if mark in used:
                raise CheckFailed(f"{one.what} leaves {name} under the zeros of {used[mark]}")
            used[mark] = one.what


def note_results(diary: Diary, result: Any) -> None:
    """Note an owner's results: shares of outputs, and public values."""
    for k, leaf in enumerate(results_of(result)):
        if isinstance(leaf, Share):
            diary.notes.append(Note(f"share of result {k}", leaf.ring, leaf.value))
        elif isinstance(leaf, Public):
            diary.notes.append(Note(f"result {k}", leaf.ring, leaf.value, share=False))
        elif isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.itemsize == 8 and leaf.dtype.kind in "fiu":
            words = np.ascontiguousarray(leaf).reshape(-1).view(np.uint64)
            diary.notes.append(Note(f"result {k}", Z64, words, share=False))


@coroutine
def watched(start: Callable[[], tuple[NotingParty, Any]], diary: Diary) -> Generator[Round, Any, Any]:
    """An owner's program, whose rounds, result and error go into its diary."""
    (party, program), answer = start(), None  # made here: where another owner fails first, it never is
    while True:
        try:
            one = program.send(answer)
        except StopIteration as end:
            note_results(diary, end.value)
            return end.value
        except BeaverlodgeError as error:
            diary.error = error
            raise
        sent = [array for arrays in one.send.values() if not isinstance(arrays, bytes) for array in arrays]
        diary.rounds.append((one, tuple(id(array) for array in sent if id(array) in diary.revealing)))
        diary.drawn.append(party.drawn)
        answer = yield one
