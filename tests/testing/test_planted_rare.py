"""Mistakes that are rare or small: in one session of many, in one entry of thousands, in less than the error allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from mpc.errors import UsageError
from mpc.randomness.correlation import Book, MultiplyTriple, Uniform
from mpc.ring.array import Array
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.runtime.round import Round
from mpc.sharing.share import Mask, Share
from mpc.testing import CheckFailed, check_correct, check_view, words
from protocols.core.beaver import multiply
from protocols.core.truncation import truncate
from tests.testing.test_planted import LEAKS, PAIR, SCALE, X, again, spec

# -- masks across sessions


def now_and_then(every: int) -> Any:
    """In one session of so many, the masks of the session before are taken again."""
    sessions: dict[str, int] = {}
    masks: dict[str, Mask] = {}

    async def protocol(p: Party, x: Share, y: Share) -> Any:
        (a,) = p.correlation(Uniform((spec(x),)))
        if not p.dry:
            sessions[p.name] = sessions.get(p.name, 0) + 1
            old = masks.get(p.name)
            if sessions[p.name] % every == every // 2 and old is not None and old.shape == a.shape:
                a = again(old)
            masks[p.name] = again(a)
        return await p.open(x - a, label="open")

    return protocol


@pytest.mark.parametrize("owners", [2, pytest.param(3, marks=pytest.mark.soak)])
@pytest.mark.parametrize("structure", [False, "by round"])
def test_a_mask_that_is_taken_again_in_one_of_50_sessions(structure: Any, owners: int) -> None:
    with pytest.raises(CheckFailed, match=r"value 0 as opened: the same word in sessions \d+ and \d+, .* in both"):
        check_view(now_and_then(50), PAIR, owners=owners, structure=structure)
    saw = check_view(now_and_then(10**9), PAIR, owners=owners, structure=structure)
    assert saw.sessions >= 50 and f"no mask twice in {saw.sessions} sessions" in str(saw)


def test_a_mask_that_one_owner_takes_again() -> None:
    """What is opened is new, as the others' masks are; who has the other shares of x finds the old mask by them."""
    old: list[Array] = []

    async def protocol(p: Party, x: Share, y: Share) -> Any:
        (a,) = p.correlation(Uniform((spec(x),)))
        if p.index == 0 and not p.dry:
            old.append(a.value)
            if len(old) % 50 == 25:
                a = Mask(old[-2], a.scale, a.ring)
        return await p.open(x - a, label="open")

    with pytest.raises(CheckFailed, match=r"array 0 from owner0 to owner1, plus share of input 0.*: the same word in"):
        check_view(protocol, PAIR, owners=2, structure=False)


# -- how much was drawn

MIX = np.uint64(0x9E3779B97F4A7C15)


def spread(words: Array) -> Array:
    """32 bits made to look like 64."""
    mixed = (words + np.uint64(1)) * MIX
    mixed ^= mixed >> np.uint64(29)
    return (mixed * np.uint64(0xBF58476D1CE4E5B9)) ^ (mixed >> np.uint64(31))


async def of_32_bits(p: Party, x: Share, y: Share) -> Any:
    """A mask of 32 bits, stretched: every bit of it is even."""
    from mpc.ring.rings import Z32

    (r,) = p.correlation(Uniform((Spec(x.shape, x.scale, Z32),)))
    value = spread(r.value.astype(np.uint64)) if not p.dry else x.value
    return await p.open(x - Mask(value, x.scale), label="open")


async def of_half_a_mask(p: Party, x: Share, y: Share) -> Any:
    """64 bits are drawn, and 32 of them used."""
    (r,) = p.correlation(Uniform((spec(x),)))
    value = spread(r.value & np.uint64(2**32 - 1)) if not p.dry else x.value
    return await p.open(x - Mask(value, x.scale), label="open")


def test_masks_of_32_bits_that_look_like_64() -> None:
    with pytest.raises(CheckFailed, match="owner0 has sent 1024 bits by then that need a mask, and drawn 512 bits"):
        check_view(of_32_bits, PAIR, structure=False)
    for protocol, structure in ((of_32_bits, True), (of_half_a_mask, True), (of_half_a_mask, "by round")):
        with pytest.raises(CheckFailed, match=r"round 0 'open': word 0 .* is not covered by "):
            check_view(protocol, PAIR, structure=structure)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", LEAKS)
def test_what_is_seen_word_by_word_is_seen_by_round(name: str) -> None:
    words = r"has no mask|has no fresh mask|is not covered by|shares its mask with another word|that need a mask"
    with pytest.raises(CheckFailed, match=words):
        check_view(LEAKS[name][0], PAIR, structure="by round")


async def told_in_public(p: Party, x: Share, y: Share) -> Any:
    """A mask goes out in a round that is named as public, and then covers a value."""
    (a,) = p.correlation(Uniform((spec(x),)))
    await Round(dict.fromkeys(p.peers, (a.value,)), dict.fromkeys(p.peers, (spec(x),)), "rate", everyone=True)
    return await p.open(x - a, label="open")


@pytest.mark.parametrize("structure", [True, "by round"])
def test_a_mask_that_was_told_in_a_public_round(structure: Any) -> None:
    with pytest.raises(
        CheckFailed, match=r"round 1 'open': word 0 .*(used in round 0 'rate' already|fresh mask|no mask)"
    ):
        check_view(told_in_public, PAIR, structure=structure, public=["rate"])


def test_too_few_words_without_a_look_at_masks_are_refused() -> None:
    async def opened(p: Party, x: Share) -> Any:
        (a,) = p.correlation(Uniform((spec(x),)))
        return await p.open(x - a, label="open")

    few = [words((1,))]
    with pytest.raises(
        UsageError, match=r"no mask is looked at, and in 50 words a shift of 0\.\d+ in probability would"
    ):
        check_view(opened, few, words=20, structure=False)
    assert check_view(opened, few, words=20, structure="by round").shift > 0.3


# -- shares that are kept


def test_shares_that_are_kept_as_they_came_out() -> None:
    async def kept(p: Party, x: Share, y: Share) -> Any:
        return p.refreshed(await multiply(p, x, y))

    async def as_is(p: Party, x: Share, y: Share) -> Any:
        product = await multiply(p, x, y)
        return p.refreshed(product), product

    assert check_view(kept, PAIR, kept=[0], words=500).runs
    with pytest.raises(CheckFailed, match="the share of result 1 that owner0 keeps was not made fresh"):
        check_view(as_is, PAIR, kept=[0, 1])
    with pytest.raises(CheckFailed, match="result 1 of owner0 is no share"):
        check_view(kept, PAIR, kept=[1])


# -- results


@dataclass(frozen=True)
class SeldomWrong:
    """A triple of which one product in 4,096 is one too large."""

    a: Spec
    b: Spec
    kept: bool = False

    @property
    def drawn(self) -> tuple[Spec, ...]:
        return (self.a, self.b)

    @property
    def dealt(self) -> tuple[Spec, ...]:
        return MultiplyTriple(self.a, self.b).dealt

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        wrong = drawn[0] >> np.uint64(52) == np.uint64(77)
        return (drawn[0] * drawn[1] + (wrong.astype(np.uint64) << np.uint64(40)),)


def test_a_triple_that_is_wrong_once_in_4096() -> None:
    async def product(p: Party, x: Share, y: Share) -> Share:
        a, b, c = p.correlation(SeldomWrong(spec(x), spec(y)))
        d, e = await p.open(x - a, y - b, label="multiply")
        result: Share = c + d * b + e * a + p.public(d * e)
        return result

    def check(many: int) -> Any:
        return check_correct(product, lambda x, y: x * y, PAIR, error=1e-3, sockets=(), many=many)

    assert "a wrong entry in every " in str(check(0))
    with pytest.raises(CheckFailed, match=r"result 0 at \(\d+,\) is .* [12] of 4096 entries beyond the error"):
        check(30_000)


def test_a_bias_that_the_error_allows() -> None:
    async def cut(p: Party, x: Share) -> Share:
        return await truncate(p, x, 8)

    async def biased(p: Party, x: Share) -> Share:
        return p.plus(await truncate(p, x, 8), p.constant(1, (1,), SCALE - 8))

    ulp = 2.0 ** (8 - SCALE)
    how: dict[str, Any] = {"error": 2 * ulp, "examples": 10, "sockets": ()}
    saw = check_correct(cut, lambda x: x, [X], bias=0.6 * ulp, **how)
    assert abs(saw.mean_error) < 0.6 * ulp and saw.entries > 4096
    check_correct(biased, lambda x: x, [X], **how)
    with pytest.raises(CheckFailed, match=r"the mean error is \d.* over 4096 entries, beyond .*: a bias"):
        check_correct(biased, lambda x: x, [X], bias=0.3 * ulp, **how)


def test_entries_that_cannot_be_had() -> None:
    with pytest.raises(UsageError, match="200 runs have 200 entries to compare, fewer than 1000"):
        check_correct(_same, lambda x: x, [words((1,))], error=None, examples=2, sockets=(), many=1000)


async def _same(p: Party, x: Share) -> Share:
    return x
