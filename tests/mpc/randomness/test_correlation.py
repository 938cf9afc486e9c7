"""Every kind of correlation: what all owners hold together satisfies the kind's equation, for any number of owners."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.randomness.correlation import (
    AnyBit,
    BitNumber,
    BitsOfMask,
    Book,
    Kind,
    MatmulTriple,
    MultiplyTriple,
    OwnMasks,
    Truncation,
    Uniform,
    correction_bytes,
    fold_order,
    kept_bytes,
)
from mpc.randomness.dealing import windows
from mpc.randomness.layout import Layout
from mpc.randomness.repeated import KindList
from mpc.randomness.streams import Stream, derive
from mpc.ring.rings import B8, B16, B64, Z32, Z64, Ring, wide
from mpc.ring.specs import Spec
from tests.examples import steady
from tests.mpc.kit import EDGES, combine, deal, deal_to_all, ints

Secrets = list[np.ndarray]


@dataclass(frozen=True)
class Known:
    """A test's kind: what the kept correlation `of` drew, as shares."""

    of: int
    shape: tuple[int, ...]
    kept: bool = False
    drawn: tuple[Spec, ...] = ()

    @property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    def deal(self, drawn: tuple[np.ndarray, ...], book: Book) -> tuple[np.ndarray, ...]:
        return book[self.of]


@dataclass(frozen=True)
class SumWith:
    """A test's kind: a uniform x and x + y, y drawn by the kept correlation `of`."""

    of: int
    count: int
    kept: bool = False

    @property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec((self.count,)),)

    @property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec((self.count,)),)

    def deal(self, drawn: tuple[np.ndarray, ...], book: Book) -> tuple[np.ndarray, ...]:
        return (drawn[0] + book[self.of][0],)


def product(ring: Ring) -> Callable[[Secrets, Secrets], Secrets]:
    def check(drawn: Secrets, dealt: Secrets) -> Secrets:
        a, b = drawn
        return [a & b if ring.xor else a * b % (1 << ring.bits)]

    return check


def matrix_product(drawn: Secrets, dealt: Secrets) -> Secrets:
    return [np.atleast_1d(np.array(drawn[0] @ drawn[1], dtype=object) % (1 << 64))]


def bit_reversed(number: int) -> int:
    return int(f"{number:06b}"[::-1], 2)


def folded(word: int) -> int:
    return sum((word >> i & 1) << bit_reversed(i) for i in range(64))


def any_bit(drawn: Secrets, dealt: Secrets) -> Secrets:
    bits, words = drawn
    flat = [int(byte) >> (7 - i) & 1 for byte in bits for i in range(8)]
    return [np.array([bit * word for bit, word in zip(flat, words, strict=False)], dtype=object)]


def truncation(shift: int) -> Callable[[Secrets, Secrets], Secrets]:
    def cut(drawn: Secrets, dealt: Secrets) -> Secrets:
        c = (drawn[0] + 2**62 - 1) % 2**64
        negative = c >> 63
        low = ((c - (negative << 64)) >> shift) - 2 ** (62 - shift) + 1
        return [low % 2**64, negative << (64 - shift)]

    return cut


KINDS: list[tuple[Kind, Callable[[Secrets, Secrets], Secrets]]] = [
    (Uniform((Spec((3,), 5), Spec((2, 2), 0, B8), Spec((2,), 0, wide(256)))), lambda drawn, dealt: []),
    (MultiplyTriple(Spec((4, 3), 5), Spec((4, 3), 6)), product(Z64)),
    (MultiplyTriple(Spec((4, 1)), Spec((3,))), product(Z64)),
    (MultiplyTriple(Spec((5,), 0, B64), Spec((5,), 0, B64)), product(B64)),
    (MultiplyTriple(Spec((1, 7), 0, B16), Spec((2, 7), 0, B16)), product(B16)),
    (MultiplyTriple(Spec((6,), 1, Z32), Spec((6,), 2, Z32)), product(Z32)),
    (MultiplyTriple(Spec((2,), 1, wide(128)), Spec((2,), 2, wide(128))), product(wide(128))),
    (MatmulTriple(Spec((5, 7), 3), Spec((7, 4), 4)), matrix_product),
    (MatmulTriple(Spec((5, 7)), Spec((7,))), matrix_product),
    (MatmulTriple(Spec((7,)), Spec((7, 4))), matrix_product),
    (MatmulTriple(Spec((7,)), Spec((7,))), matrix_product),
    (Truncation((4, 2), 40, 1), truncation(1)),
    (Truncation((9,), 40, 20), truncation(20)),
    (Truncation((3,), 40, 61), truncation(61)),
    (BitsOfMask(6, 12), lambda drawn, dealt: [np.array([folded(w) for w in drawn[0]], dtype=object)]),
    (AnyBit(1), any_bit),
    (AnyBit(8), any_bit),
    (AnyBit(21), any_bit),
]


@pytest.mark.parametrize("n", [2, 3, 4, 5])
@pytest.mark.parametrize("kind, equation", KINDS, ids=[repr(kind) for kind, _ in KINDS])
def test_equation(kind: Kind, equation: Callable[[Secrets, Secrets], Secrets], n: int) -> None:
    for seed in range(3):
        held = [owner[0] for owner in deal_to_all([kind], n, seed)]
        drawn = [combine(s.ring, [h[0][i] for h in held]) for i, s in enumerate(kind.drawn)]
        dealt = [combine(s.ring, [h[1][i] for h in held]) for i, s in enumerate(kind.dealt)]
        for specs, values in ((kind.drawn, drawn), (kind.dealt, dealt)):
            assert [value.shape for value in values] == [spec.shape for spec in specs]
        expected = equation(drawn, dealt)
        assert [ints(value).tolist() for value in dealt] == [ints(value).tolist() for value in expected]
        assert correction_bytes(kind) == sum(
            share.nbytes if s.ring.native else share.size * s.ring.word_bytes
            for s, share in zip(kind.dealt, held[-1][1], strict=True)
        )


@pytest.mark.parametrize("sizes", [(2, 3), (4, 1, 0), (1, 1, 1, 1, 5)])
def test_masks_known_to_owners_are_solved_one_by_one(sizes: tuple[int, ...]) -> None:
    masks = OwnMasks(sizes, 3, 0)
    held = deal_to_all([masks, Known(0, (sum(sizes), 3))], len(sizes))
    assert all(owner[0][0][0].shape == (max(sizes), 3) for owner in held)
    known = np.concatenate([owner[0][0][0][:size] for owner, size in zip(held, sizes, strict=True)])
    assert combine(Z64, [owner[1][1][0] for owner in held]).tolist() == ints(known).tolist()
    assert correction_bytes(masks) == 0
    other = Uniform((Spec((7,)),), kept=True)
    assert [kept_bytes(kind) for kind in (masks, Uniform((Spec((9,)),)), other)] == [8 * 3 * sum(sizes), 0, 56]


@pytest.mark.parametrize("n", [2, 3, 5])
def test_all_kinds_in_one_job(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, streams and windows stay in step over many correlations, with kinds that refer to earlier ones."""
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", 300)
    first = Uniform((Spec((3,)), Spec((3,))), kept=True)
    kinds: list[Kind] = [
        KINDS[0][0],
        first,
        *(kind for kind, _ in KINDS),
        SumWith(1, 3),
        first,
        SumWith(len(KINDS) + 3, 3),
    ]
    kinds += [SumWith(1, 3), KINDS[0][0]]
    assert len(list(windows(kinds))) > 4
    held = deal_to_all(kinds, n)

    def secret(number: int, part: int, index: int = 0) -> np.ndarray:
        spec = (kinds[number].drawn, kinds[number].dealt)[part][index]
        return combine(spec.ring, [owner[number][part][index] for owner in held])

    for number, (kind, equation) in enumerate(KINDS, start=2):
        drawn = [secret(number, 0, i) for i in range(len(kind.drawn))]
        dealt = [secret(number, 1, i) for i in range(len(kind.dealt))]
        assert [v.tolist() for v in dealt] == [ints(v).tolist() for v in equation(drawn, dealt)]
    for number, kind in enumerate(kinds):
        if isinstance(kind, SumWith):
            expected = (secret(number, 0) + secret(kind.of, 0)) % (1 << 64)
            assert secret(number, 1).tolist() == expected.tolist()
    assert secret(1, 0).tolist() != secret(len(KINDS) + 3, 0).tolist()


def corrections(kinds: Sequence[Kind], seeds: Sequence[int]) -> np.ndarray:
    """The helper's messages, from one seed for each owner."""
    streams = [Stream(derive(bytes([seed]) * 32, "deal")) for seed in seeds]
    return np.frombuffer(b"".join(deal(kinds, streams)), dtype=np.uint8)


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize(
    "kind",
    [
        Truncation((4096,), 40, 62),
        AnyBit(4096),
        MultiplyTriple(Spec((8192,), 0, B16), Spec((8192,), 0, B16)),
        MatmulTriple(Spec((64, 4)), Spec((4, 64))),
    ],
    ids=lambda kind: type(kind).__name__,
)
def test_a_correction_is_uniform_and_hangs_on_every_seed(kind: Kind, n: int) -> None:
    """The top bits and small numbers that kinds deal are hidden by the shares of the owners before the last."""
    base = corrections([kind], range(n))
    counts = np.bincount(base, minlength=256)
    assert ((counts - base.size / 256) ** 2).sum() / (base.size / 256) < 400  # chi-square of 255 degrees: beyond 10^-8
    for owner in range(n):
        other = corrections([kind], [seed + 100 * (seed == owner) for seed in range(n)])
        same = np.count_nonzero(other == base)
        assert same < 2 * base.size / 256 or (owner == n - 1 and same < base.size)


@given(st.lists(st.integers(0, 400), max_size=30), st.integers(1, 300))
@steady(100)
def test_windows(sizes: list[int], limit: int) -> None:
    kinds: list[Kind] = [MultiplyTriple(Spec((size,), 0, B8), Spec((size,), 0, B8)) for size in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mpc.randomness.dealing.WINDOW_BYTES", limit)
        cut = [(kinds[one.start : one.stop], one) for one in windows(kinds)]
    flat = [kind for group, _ in cut for kind in group]
    assert flat == kinds[: len(flat)]
    assert not any(sizes[len(flat) :])  # only kinds without a correction are left over
    for group, window in cut:
        needed = [correction_bytes(kind) for kind in group]
        assert window.nbytes == sum(needed) > 0
        assert window.nbytes <= limit or sum(1 for n in needed if n) == 1
        assert window.first == window.start + next(at for at, n in enumerate(needed) if n)
    for (_, before), (group, _) in pairwise(cut):
        size = before.nbytes
        assert size + next(n for n in map(correction_bytes, group) if n or size > limit) > limit


@pytest.mark.parametrize("count", [3, 8, 1 << 14])  # the last one is too large to be drawn in one piece
def test_parts_are_the_streams_bytes_one_after_another(count: int) -> None:
    kinds: list[Kind] = [MultiplyTriple(Spec((count,), 0, ring), Spec((count,), 0, ring)) for ring in (Z64, Z32, B8)]
    kinds += [BitNumber(count), AnyBit(count), Uniform((Spec((count, 3), 0, wide(128)), Spec((count,))))]
    for kind in kinds:
        layout, stream, same = Layout(kind, corrected=False), Stream(bytes(32)), Stream(bytes(32))
        for _ in range(2):
            drawn, dealt = layout.draw(stream)
            for spec, part in zip((*kind.drawn, *kind.dealt), (*drawn, *dealt), strict=True):
                assert bytes(spec.ring.to_bytes(part)) == same.take(spec.nbytes).tobytes()


@pytest.mark.parametrize(("count", "apart"), [(8, True), (8191, True), (8193, False)])
def test_only_small_corrections_leave_their_window(count: int, apart: bool) -> None:
    window = bytearray(np.arange(2 * count, dtype="<u8").tobytes())
    layout = Layout(Truncation((count,), 20, 2), corrected=True)
    assert layout.correction == len(window)
    _, v, t = layout.shares(Stream(bytes(32)), memoryview(window))
    assert (v.value.tolist(), t.value.tolist()) == (list(range(count)), list(range(count, 2 * count)))
    window[:] = bytes(len(window))
    assert bool(v.value[1:].any()) == bool(t.value.any()) == apart


@steady(100)
@given(st.lists(st.sampled_from(EDGES) | st.integers(0, 2**64 - 1), min_size=1, max_size=5))
def test_fold_order(words: list[int]) -> None:
    array = np.array(words, dtype=np.uint64)
    assert fold_order(array).tolist() == [folded(word) for word in words]
    assert fold_order(fold_order(array)).tolist() == words
    assert array.tolist() == words


def test_the_digest_covers_kinds_shapes_scales_rings_and_order() -> None:
    a, b = Spec((2,), 3), Spec((2,), 4)
    lists: list[list[Kind]] = [
        [],
        [MultiplyTriple(a, b)],
        [MultiplyTriple(b, a)],
        [MatmulTriple(a, b)],
        [MultiplyTriple(a, b)] * 2,
        [MultiplyTriple(a, b), Truncation((2,), 3, 1)],
        [Truncation((2,), 3, 1), MultiplyTriple(a, b)],
        [Truncation((2,), 3, 2)],
        [Truncation((3,), 3, 2)],
        [Uniform((a,))],
        [Uniform((a,), kept=True)],
        [Uniform((Spec((2,), 3, Z32),))],
        [Uniform((a, a))],
        [Uniform((a,)), Uniform((a,))],
    ]
    assert len({KindList(kinds).digest for kinds in lists}) == len(lists)
    same = MultiplyTriple(Spec((2,), 3), Spec((2,), 4))
    assert KindList([MultiplyTriple(a, b)]).digest == KindList([same]).digest
