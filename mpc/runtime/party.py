"""A protocol's party: its shares, its correlations and the few operations that communicate."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod
from typing import Any
from weakref import ref

import numpy as np

from mpc.errors import BeaverlodgeError, InternalError
from mpc.randomness.correlation import Kind
from mpc.randomness.streams import Stream, derive
from mpc.ring.abstract_array import abstract
from mpc.ring.array import Array
from mpc.ring.rings import Z64, Ring
from mpc.ring.specs import Spec
from mpc.runtime.interfaces import Observer, Repeats, Revealed, Supply
from mpc.runtime.round import Deferred, Round, T
from mpc.sharing.share import Mask, Masked, Public, Share


def lengthened(p: Party, share: Share, rows: int) -> Share:
    """A share (m, ...) with rows of zeros after it, `rows` in all."""
    shape = (rows, *share.shape[1:])
    if share.shape == shape:
        return share

    def filled() -> Array:
        value = share.ring.zeros(shape)
        value[: share.shape[0]] = share.value
        return value

    return Share(p.compute(filled, shape=shape), share.scale, share.ring)


def _nobody() -> None:
    """The reference to a masked value that is gone."""


MOST_WORDS = 1 << 21
"""The largest number of words that `Party.open_rows` opens in one round."""


@dataclass(frozen=True)
class PairStreams:
    """The two streams that a pair of owners share, from a seed that the helper does not have."""

    inputs: Stream
    zeros: Stream


def pair_streams(seed: bytes, context: bytes) -> PairStreams:
    """The streams of a pair of owners, from the seed that one of them drew."""
    return PairStreams(Stream(derive(seed, "inputs", context)), Stream(derive(seed, "zeros", context)))


class Party:
    """One data owner inside a protocol.

    Args:
        name: this owner.
        owners: all owners, in the scenario's order.
        supply: its correlated randomness.
        pairs: the streams shared with each other owner.
        declared: the reveals that are allowed; None (in a dry run) allows all, and they are collected.
        observer: takes stages and reveals.
        dry: whether this is a dry run on shapes.
        repeats: a dry run's memory of its steps.
    """

    def __init__(
        self,
        name: str,
        owners: tuple[str, ...],
        supply: Supply,
        pairs: Mapping[str, PairStreams],
        observer: Observer,
        *,
        declared: frozenset[str] | None,
        dry: bool = False,
        repeats: Repeats | None = None,
    ) -> None:
        self.name = name
        self.owners = owners
        self.index = owners.index(name)
        self.peers = tuple(owner for owner in owners if owner != name)
        self.dry = dry
        self._supply = supply
        self._pairs = pairs
        self._observer = observer
        self._declared = declared
        self._opened: dict[str, int] = {}
        self._left: list[Deferred[Any]] = []
        self._repeats = repeats

    @property
    def opened(self) -> Mapping[str, int]:
        """By label: the numbers of masks used and of values revealed so far."""
        return self._opened

    def correlation(self, kind: Kind) -> tuple[Any, ...]:
        """The next correlation from the helper: its drawn parts as `Mask`s, then its dealt parts as `Share`s."""
        return self._supply.next(kind)[1]

    def kept(self, kind: Kind) -> tuple[int, tuple[Any, ...]]:
        """As `correlation`, with the number under which later kinds refer to its drawn parts."""
        return self._supply.next(kind)

    def defer(self, function: Callable[[], T]) -> Deferred[T]:
        """The result of `function`, computed while the next round's messages travel; it must not depend on them."""
        left = Deferred(function)
        self._left.append(left)
        return left

    async def step(self, key: Hashable, place: int, run: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run one of many steps that draw and open the same, but for their own rows of a public list.

        A dry run runs only a few of them, so that a plan of a million steps takes seconds. For the others it returns
        the result of an earlier step, so results must have the same shapes each time.

        Args:
            key: equal for steps that are alike; two of them are compared, and each live run is with its plan.
            place: the place of the step's rows in their list.
            run: the step.
        """
        if self._repeats is None:
            return await run()
        before = self._repeats.mark(place, self._opened)
        known = None if before is None else self._repeats.again(key, before, self._opened)
        if known is not None:
            result: T = known.result
            return result
        result = await run()
        if before is not None:
            self._repeats.ran(key, before, self._repeats.mark(place, self._opened), result)
        return result

    async def open(self, *masked: Masked, label: str) -> tuple[Public, ...]:
        """Open masked values to all owners. 1 round; reveals nothing: each is uniform over its ring.

        Raises:
            InternalError: a value is not masked, or its mask was used before.
        """
        for value in masked:
            self._spend(value, label)
        return await self._combine(masked, label)

    async def open_rows(self, masked: Masked, *, label: str) -> Public:
        """As `open`, for one value (m, ...) that may be large: in rounds of whole rows, of `MOST_WORDS` words at most.

        So no message is larger, and messages take little memory beside the value itself. A value that is opened in
        several rounds is used up: the opened value takes its memory.
        """
        self._spend(masked, label)
        rows = masked.shape[0]
        step = max(1, MOST_WORDS // max(1, prod(masked.shape[1:])))
        if rows <= step:
            return (await self._combine((masked,), label))[0]
        opened = masked.value
        masked.use.opened = _nobody
        for start in range(0, rows, step):
            part = slice(start, start + step)
            (piece,) = await self._combine((Share(masked.value[part], masked.scale, masked.ring),), label)
            if not self.dry:
                opened[part] = piece.value
        return Public(opened, masked.scale, masked.ring)

    async def open_own(self, masked: Masked, sizes: Sequence[int], *, label: str) -> Public:
        """Each owner's own rows to all owners, one owner's after another's: of owner k the first `sizes[k]`.

        `masked` (m, d) is this owner's, under a mask that nobody else has a part of. In rounds as `open_rows` has them;
        reveals nothing: every row is uniform over its ring.
        """
        self._spend(masked, label)
        rows, columns = masked.shape
        opened = self.compute(np.empty, (sum(sizes), columns), masked.ring.dtype, shape=(sum(sizes), columns))
        step = max(1, MOST_WORDS // max(1, columns))

        def place(owner: str, start: int, words: Array) -> None:
            k = self.owners.index(owner)
            count, first = min(len(words), sizes[k] - start), sum(sizes[:k]) + start
            if count > 0:
                opened[first : first + count] = words[:count]

        for start in range(0, rows, step):
            words = masked.value[start : start + step]
            if not self.dry:
                self.defer(partial(place, self.name, start, words))
            got = await self._to_all((words,), (Spec(words.shape, masked.scale, masked.ring),), label)
            if not self.dry:
                for owner in self.peers:
                    place(owner, start, got[owner][0])
        return Public(opened, masked.scale, masked.ring)

    def _spend(self, value: Masked, label: str) -> None:
        """Note that a value is opened under its mask; no other value may be opened under it from now on."""
        if not isinstance(value, Masked):
            raise InternalError(f"{value!r} is not masked and cannot be opened in '{label}'")
        opened = value.use.opened
        if opened is None:
            value.use.opened = ref(value)
            self._count(label)
        elif opened() is not value:
            raise InternalError(f"a mask was used twice, the second time in '{label}'")

    def _count(self, label: str) -> None:
        """Note that one more value was opened in this round."""
        self._opened[label] = self._opened.get(label, 0) + 1

    async def reveal(self, *shares: Share, what: str, why: str, label: str) -> tuple[Public, ...]:
        """Open agreed outputs to all owners. 1 round; reveals the values and nothing else.

        The shares are made uniform first, by adding a sharing of zero, so that they disclose only their sum.

        Raises:
            InternalError: `what` is not among the declared outputs.
        """
        if self._declared is not None and what not in self._declared:
            raise InternalError(f"'{what}' is not declared as an output and cannot be revealed")
        for share in shares:
            if isinstance(share, Mask | Masked):
                raise InternalError(f"a mask cannot be revealed, in '{label}'")
            self._observer.revealed(Revealed(what, self.owners, share.shape, why))
            self._count(label)
        return await self._combine(
            tuple(share + self._zero(share.shape, share.scale, share.ring) for share in shares), label
        )

    async def reveal_to_each(self, parts: Mapping[str, Share], *, what: str, why: str, label: str) -> Public:
        """Open each owner's part (m_k,) to that owner alone; returns this owner's own.

        1 round; reveals parts[k] to owner k, and to nobody else. The shares are made uniform first, as in `reveal`.
        Every message is as long as the longest part, with zeros at its end, so that all owners send alike.

        Raises:
            InternalError: `what` is not among the declared outputs, or an owner has no part.
        """
        if self._declared is not None and what not in self._declared:
            raise InternalError(f"'{what}' is not declared as an output and cannot be revealed")
        if set(parts) != set(self.owners):
            raise InternalError(
                f"'{label}' has parts for {', '.join(parts) or 'nobody'}, not for each of {', '.join(self.owners)}: "
                "one of no entries, x[:0], tells nothing"
            )
        fresh: dict[str, Share] = {}
        for owner in self.owners:
            part = parts[owner]
            if isinstance(part, Mask | Masked):
                raise InternalError(f"a mask cannot be revealed, in '{label}'")
            if part.shape[0]:
                self._observer.revealed(Revealed(what, (owner,), part.shape, why))
                self._count(label)
            fresh[owner] = self.refreshed(part)
        mine, longest = fresh[self.name], max(part.shape[0] for part in fresh.values())
        spec = Spec((longest,), mine.scale, mine.ring)
        words = {peer: (spec.ring.words(lengthened(self, fresh[peer], longest).value),) for peer in self.peers}
        got = await Round(words, dict.fromkeys(self.peers, (spec,)), label, everyone=True)
        value = mine.value
        for peer in self.peers:
            value = spec.ring.add(value, got[peer][0][: mine.shape[0]])
        return Public(value, mine.scale, mine.ring)

    def refreshed(self, share: Share) -> Share:
        """The same secret in shares that are independent of all that came before: 0 rounds."""
        return Share(share.value, share.scale, share.ring) + self._zero(share.shape, share.scale, share.ring)

    async def _combine(self, shares: tuple[Share, ...], label: str) -> tuple[Public, ...]:
        words = tuple([share.ring.words(share.value) for share in shares])
        specs = tuple([Spec(share.value.shape, share.scale, share.ring) for share in shares])
        got = await self._to_all(words, specs, label)
        opened = []
        for k, share in enumerate(shares):
            value = share.value
            for peer in self.peers:
                value = share.ring.add(value, got[peer][k])
            opened.append(Public(value, share.scale, share.ring))
        return tuple(opened)

    def _to_all(self, words: tuple[Array, ...], specs: tuple[Spec, ...], label: str) -> Round:
        """Send these words to every other owner, which sends as many; deferred work is done meanwhile."""
        work, self._left = tuple(self._left), []
        peers = self.peers
        return Round(dict.fromkeys(peers, words), dict.fromkeys(peers, specs), label, everyone=True, meanwhile=work)

    def input(self, owner: str, value: Array | None, shape: tuple[int, ...], scale: int, ring: Ring = Z64) -> Share:
        """Share `owner`'s ring elements among all owners. 0 rounds: the others' shares come from pair seeds.

        Args:
            owner: the input's owner, which gives `value`; the others give None.
            value: ring elements at `scale`, of `shape`.
        """
        if self.dry:
            return Share(abstract(shape), scale, ring)
        if owner != self.name:
            return Share(self._pairs[owner].inputs.uniform(shape, ring), scale, ring)
        if value is None or value.shape != shape or value.dtype != ring.dtype:
            raise InternalError(f"{owner}'s input is missing, or not ring elements of shape {shape}")
        for peer in self.peers:
            value = ring.sub(value, self._pairs[peer].inputs.uniform(shape, ring))
        return Share(value, scale, ring)

    def _zero(self, shape: tuple[int, ...], scale: int, ring: Ring) -> Share:
        """A fresh sharing of zero: each pair of owners adds and subtracts the same uniform value."""
        if self.dry:
            return Share(abstract(shape), scale, ring)
        value = ring.zeros(shape)
        for peer in self.peers:
            part = self._pairs[peer].zeros.uniform(shape, ring)
            value = ring.add(value, part) if self.index < self.owners.index(peer) else ring.sub(value, part)
        return Share(value, scale, ring)

    def public(self, value: Public) -> Share:
        """A public value as a share: the first owner holds it, the others hold zero."""
        if self.index == 0 or self.dry:
            return Share(value.value, value.scale, value.ring)
        return Share(value.ring.zeros(value.shape), value.scale, value.ring)

    def plus(self, share: Share, value: Public) -> Share:
        """[x] plus a public value: the first owner adds it."""
        if self.index == 0 or self.dry:
            return share + Share(value.value, value.scale, value.ring)
        return share

    def compute(self, function: Callable[..., Array], *values: Any, shape: tuple[int, ...]) -> Array:
        """`function(*values)` on public values, which must give the same bits at every owner; a dry run skips it."""
        return abstract(shape) if self.dry else function(*values)

    def insist(self, condition: Callable[[], bool], error: Callable[[], BeaverlodgeError]) -> None:
        """Stop with `error` unless the condition, on public values, holds; a dry run takes it to hold."""
        if not self.dry and not condition():
            raise error()

    def insist_jointly(self, condition: Callable[[], bool], error: Callable[[], BeaverlodgeError]) -> None:
        """As `insist`, for a condition on values that all owners see alike: its error is about no single owner."""
        try:
            self.insist(condition, error)
        except BeaverlodgeError as problem:
            problem.joint = True
            raise

    def fork(self, condition: Callable[[], bool]) -> bool:
        """Take one of two ways, by a condition on values that were revealed.

        This is the one place where a program's flow may follow a value: a declared output, so that the way discloses
        nothing more. The plan of a run is that of the ways that it took. A dry run takes `condition` = False unless
        its plan is made for other ways. The helper deals nothing that comes after a fork until it knows the way.
        """
        way = self._supply.fork(not self.dry and condition())
        self._observer.forked(way)
        return way

    def stage(self, name: str, done: int = 0, total: int = 0) -> None:
        """Tell the observer where the program is; no effect on the protocol."""
        self._observer.stage(name, done, total)

    def watch(self, label: str, *values: Share | Public) -> None:
        """Name values for who looks at a recorded run under a test seed; no effect on the protocol, and no round.

        A plaintext reference that names its values alike is compared with their sums: see docs/trace.md.
        """

    def hint(self, text: str) -> None:
        """Tell this owner, at once, what follows from the values that are open to it; no effect on the protocol."""
        self._observer.hinted(text)

    def constant(self, value: int, shape: tuple[int, ...], scale: int = 0, ring: Ring = Z64) -> Public:
        """A public array of one integer."""
        if ring.native:
            return Public(np.full(shape, value % (1 << ring.bits), dtype=ring.dtype), scale, ring)
        return Public(ring.reduce(np.full(shape, value, dtype=object)), scale, ring)
