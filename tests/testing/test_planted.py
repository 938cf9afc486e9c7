"""Mistakes that a protocol's author can make, each caught by the check that is there for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from mpc.randomness.correlation import Book, MultiplyTriple, Uniform
from mpc.ring.array import Array
from mpc.ring.rings import Z32, Z64
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.runtime.round import Round
from mpc.sharing.share import Mask, Masked, Public, Share
from mpc.testing import CheckFailed, check_correct, check_cost, check_view, own, reals
from protocols.core.beaver import multiply

SCALE = 14
X = reals(("m",), scale=SCALE, largest=100.0)
PAIR = (X, X)
WORD = 8


def again(mask: Mask | Share) -> Mask:
    """A mask's share as a new mask: the trick by which an author gets around the runtime's own check."""
    return Mask(mask.value, mask.scale, mask.ring)


def spec(x: Share) -> Spec:
    return Spec(x.shape, x.scale, x.ring)


# -- what is sent


async def share_to_the_holder_of_the_other(p: Party, x: Share, y: Share) -> Any:
    """Every owner sends its bare share of x to the next one."""
    after = p.owners[(p.index + 1) % len(p.owners)]
    before = p.owners[p.index - 1]
    await Round({after: (x.value,)}, {before: (spec(x),)}, "hand over", everyone=True)
    return x


async def share_sent_beside_an_opening(p: Party, x: Share, y: Share) -> Any:
    """A correct opening, and in the same message the share itself, as if it were a second masked value."""
    (a,) = p.correlation(Uniform((spec(x),)))
    words = ((x - a).value, y.value)
    await Round(dict.fromkeys(p.peers, words), dict.fromkeys(p.peers, (spec(x), spec(y))), "open", everyone=True)
    return x


async def mask_used_twice(p: Party, x: Share, y: Share) -> Any:
    (a,) = p.correlation(Uniform((spec(x),)))
    await p.open(x - a, label="first")
    return await p.open(y - again(a), label="second")


async def mask_used_before_and_after_scaling(p: Party, x: Share, y: Share) -> Any:
    """X - A, then 3 X - A: the difference is 2 X."""
    (a,) = p.correlation(Uniform((spec(x),)))
    await p.open(x - a, label="hold")
    scaled = p.constant(3, (1,)) * x
    return await p.open(scaled - again(a), label="hold scaled")


async def mask_used_in_multiples(p: Party, x: Share, y: Share) -> Any:
    """x - a and y - 3 a: together they tell 3 x - y, and their sum the lowest bits."""
    (a,) = p.correlation(Uniform((spec(x),)))
    await p.open(x - a, label="first")
    return await p.open(y - again(p.constant(3, (1,)) * a[:]), label="second")


async def mask_doubled(p: Party, x: Share, y: Share) -> Any:
    """x - 2 a: the lowest bit is bare."""
    (a,) = p.correlation(Uniform((spec(x),)))
    return await p.open(x - again(p.constant(2, (1,)) * a[:]), label="open")


async def mask_for_many(p: Party, x: Share, y: Share) -> Any:
    """One word of mask for a whole vector."""
    (a,) = p.correlation(Uniform((Spec((1,), x.scale),)))
    wide = Mask(np.broadcast_to(a.value, x.shape) if not p.dry else x.value, x.scale, x.ring)
    return await p.open(x - wide, label="open")


@dataclass(frozen=True)
class PeriodMask:
    """r from one period of 2^32, as the helper deals it."""

    shape: tuple[int, ...]
    scale: int
    kept: bool = False

    @property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec(self.shape, self.scale),)

    @property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec(self.shape, self.scale),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        return (drawn[0] & np.uint64(2**32 - 1),)


async def r_from_one_period_dealt(p: Party, x: Share, y: Share) -> Any:
    _, r = p.correlation(PeriodMask(x.shape, x.scale))
    return await p.open(x - again(r), label="open")


async def r_from_one_period_drawn(p: Party, x: Share, y: Share) -> Any:
    """r uniform over Z_2^32, opened in Z_2^64."""
    (r,) = p.correlation(Uniform((Spec(x.shape, x.scale, Z32),)))
    wide = Mask(r.value.astype(np.uint64), x.scale, Z64)
    return await p.open(x - wide, label="open")


async def triple_used_twice(p: Party, x: Share, y: Share) -> Any:
    a, b, c = p.correlation(MultiplyTriple(spec(x), spec(y)))
    d, e = await p.open(x - a, y - b, label="x y")
    first = c + d * b + e * a + p.public(d * e)
    d, e = await p.open(x - again(a), x - again(b), label="x x")
    second: Share = c + d * b + e * a + p.public(d * e)
    return first + second


async def relay_through_the_helper(p: Party, x: Share, y: Share) -> Any:
    """What would be safe to send to an owner goes to the helper, which dealt the mask."""
    (a,) = p.correlation(Uniform((spec(x),)))
    masked: Masked = x - a
    send = {**dict.fromkeys(p.peers, (masked.value,)), "helper": (masked.value,)}
    await Round(send, dict.fromkeys(p.peers, (spec(x),)), "relay", everyone=True)
    return x


async def mask_reused_across_two_parties(p: Party, x: Share, y: Share) -> Any:
    """Each pair of owners opens between themselves, all pairs under the same mask: one owner gets both differences."""
    (a,) = p.correlation(Uniform((spec(x),)))
    send = {peer: ((x - a).value if p.owners.index(peer) % 2 else (y - a).value,) for peer in p.peers}
    await Round(send, dict.fromkeys(p.peers, (spec(x),)), "pairs", everyone=True)
    return x


async def mask_of_63_bits(p: Party, x: Share, y: Share) -> Any:
    (a,) = p.correlation(Uniform((spec(x),)))
    return await p.open(x - again(Share(a.value >> np.uint64(1), a.scale)), label="open")


async def both_factors_under_one_mask(p: Party, x: Share, y: Share) -> Any:
    a, _, _ = p.correlation(MultiplyTriple(spec(x), spec(y)))
    return await p.open(x - a, y - again(a), label="open")


async def mask_of_a_smaller_ring(p: Party, x: Share, y: Share) -> Any:
    """A mask over Z_2^32, moved to the upper half of the words: the lower half is bare."""
    (r,) = p.correlation(Uniform((Spec(x.shape, x.scale, Z32),)))
    upper = Mask(r.value.astype(np.uint64) << np.uint64(32), x.scale, Z64)
    return await p.open(x - upper, label="open")


async def mask_that_only_one_owner_takes_off(p: Party, x: Share, y: Share) -> Any:
    """The first owner opens its share as it is; the others mask theirs."""
    (a,) = p.correlation(Uniform((spec(x),)))
    masked = x.value if p.index == 0 else (x - a).value
    await Round(dict.fromkeys(p.peers, (masked,)), dict.fromkeys(p.peers, (spec(x),)), "open", everyone=True)
    return x


async def product_of_shares_beside_a_triple(p: Party, x: Share, y: Share) -> Any:
    """The opened d is sent back times a share of y, as if e were not needed."""
    a, _, _ = p.correlation(MultiplyTriple(spec(x), spec(y)))
    (d,) = await p.open(x - a, label="x")
    words = d.value * y.value
    await Round(dict.fromkeys(p.peers, (words,)), dict.fromkeys(p.peers, (spec(x),)), "d y", everyone=True)
    return x


LEAKS: dict[str, tuple[Callable[..., Any], str, str]] = {
    # the protocol; what the structural check says of it; what the statistical one says ("" where it cannot see it)
    "a share sent to the holder of the other share": (
        share_to_the_holder_of_the_other,
        r"round 0 'hand over': word 0 of array 0 from owner0 to owner1 has no mask",
        r"round 0 'hand over', (value 0 as opened|array 0 from owner0 to owner1, plus share of input 0).* differs",
    ),
    "a share sent beside an opening": (
        share_sent_beside_an_opening,
        r"round 0 'open': word 0 of array 1 from owner0 to owner1.* has no mask",
        r"round 0 'open', value 1 as opened, differs",
    ),
    "a mask used twice": (
        mask_used_twice,
        r"round 1 'second': word 0 .* has no mask of its own: mask 0 .* was used in round 0 'first' already",
        r"round 0 'first', value 0 as opened, less round 1 'second', value 0 as opened, differs",
    ),
    "a mask used before and after scaling": (
        mask_used_before_and_after_scaling,
        r"round 1 'hold scaled': word 0 .* has no mask of its own: mask 0 .* was used in round 0 'hold' already",
        r"round 0 'hold', value 0 as opened, less round 1 'hold scaled', value 0 as opened, differs",
    ),
    "a mask used in multiples": (
        mask_used_in_multiples,
        r"round 1 'second': word 0 .* has no mask of its own: mask 0 .* was used in round 0 'first' already",
        r"round 0 'first', value 0 as opened, plus round 1 'second', value 0 as opened, differs .* bits 0 to 3 ",
    ),
    "a mask doubled": (
        mask_doubled,
        r"round 0 'open': word 0 .* is not covered by the whole of its mask",
        r"round 0 'open', value 0 as opened, is not uniform in bits 0 to 3 ",
    ),
    "one mask for many words": (
        mask_for_many,
        r"round 0 'open': word 1 .* shares its mask with another word of that round",
        r"round 0 'open', value 0 as opened: neighbours' difference, differs",
    ),
    "r from one period, dealt": (
        r_from_one_period_dealt,
        r"round 0 'open': word 0 of array 0 from owner\d .* is not covered by the whole of its mask|has no mask",
        r"round 0 'open', value 0 as opened, is not uniform in bits 32 to 63 ",
    ),
    "r from one period, drawn": (
        r_from_one_period_drawn,
        r"round 0 'open': word 0 .* is not covered by the whole of its mask",
        r"round 0 'open', value 0 as opened, is not uniform in bits 32 to 63 ",
    ),
    "a mask of 63 bits": (
        mask_of_63_bits,
        r"round 0 'open': word 0 .* is not covered by the whole of its mask",
        r"round 0 'open', value 0 as opened, is not uniform in bits 60 to 63 ",
    ),
    "both factors under one mask": (
        both_factors_under_one_mask,
        r"round 0 'open': word 0 of array 1 .* shares its mask with another word of that round",
        r"round 0 'open', value 0 as opened, less round 0 'open', value 1 as opened, differs",
    ),
    "a mask of a smaller ring": (
        mask_of_a_smaller_ring,
        r"round 0 'open': word 0 .* is not covered by the whole of its mask",
        r"round 0 'open', value 0 as opened, is not uniform in bits 0 to 31 ",
    ),
    "a mask that one owner leaves out": (
        mask_that_only_one_owner_takes_off,
        r"round 0 'open': word 0 of array 0 from owner0 to .* has no mask",
        r"round 0 'open', array 0 from owner0 to owner1, (plus|less) share of input 0.* differs",
    ),
    "a share times an opened value": (
        product_of_shares_beside_a_triple,
        r"round 1 'd y': word 0 .* has no mask",
        "",
    ),
    "a triple used twice": (
        triple_used_twice,
        r"round 1 'x x': word 0 .* has no mask of its own: mask 0 .* was used in round 0 'x y' already",
        r"round 0 'x y', value \d as opened, less round 1 'x x', value \d as opened, differs",
    ),
}


@pytest.mark.parametrize("owners", [2, 3])
@pytest.mark.parametrize("name", LEAKS)
def test_the_structural_check_sees_the_leak(name: str, owners: int) -> None:
    protocol, structural, _ = LEAKS[name]
    with pytest.raises(CheckFailed, match=structural):
        check_view(protocol, PAIR, owners=owners)


@pytest.mark.parametrize("owners", [2, pytest.param(3, marks=pytest.mark.soak)])
@pytest.mark.parametrize("name", [name for name in LEAKS if LEAKS[name][2]])
def test_the_statistical_check_sees_the_leak(name: str, owners: int) -> None:
    protocol, _, statistical = LEAKS[name]
    with pytest.raises(CheckFailed, match=statistical):
        check_view(protocol, PAIR, owners=owners, structure=False)


async def three_under_two_masks(p: Party, x: Share, y: Share) -> Any:
    """x - a, y - b and 3 x - (a + b): each is masked, and so are sums and differences of any two; a third is drawn."""
    a, b, _ = (p.correlation(Uniform((spec(x),)))[0] for _ in range(3))
    both = again(a[:] + b[:])
    return await p.open(x - a, y - b, p.constant(3, (1,)) * x - both, label="open")


def test_three_values_under_two_masks_are_seen_word_by_word() -> None:
    """Why there are two checks; and the other way round, r of 32 bits is all that statistics need."""
    words = r"round 0 'open': word 0 of array 2 .* shares its mask with another word of that round"
    with pytest.raises(CheckFailed, match=words):
        check_view(three_under_two_masks, PAIR, owners=2)
    check_view(three_under_two_masks, PAIR, owners=2, structure="by round")
    check_view(three_under_two_masks, PAIR, owners=2, structure=False)


def test_a_mask_reused_across_two_parties() -> None:
    """Each message has a mask, but all have the same: two owners who meet take one from the other, and have x - y less
    their own shares of it. That is a sum of four things, so the structural check alone sees it."""
    words = r"round 0 'pairs': word 0 .* shares its mask with another word of that round"
    with pytest.raises(CheckFailed, match=words):
        check_view(mask_reused_across_two_parties, PAIR, owners=3)


@pytest.mark.parametrize("structure", [True, False])
def test_a_relay_through_the_helper(structure: bool) -> None:
    with pytest.raises(CheckFailed, match=r"round 0 'relay': owner0 sends to the helper, which dealt the masks"):
        check_view(relay_through_the_helper, PAIR, structure=structure)
    with pytest.raises(CheckFailed, match=r"owner0 sends 'relay' to the helper"):
        check_cost(relay_through_the_helper, PAIR, rounds=1, bytes=2 * WORD, sizes={"m": 2})


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (lambda p, x, y: p.open(x, label="open"), "is not masked and cannot be opened"),
        (lambda p, x, y: _open_twice(p, x, y), "a mask was used twice, the second time in 'second'"),
    ],
)
def test_what_the_runtime_refuses_by_itself_fails_the_check(protocol: Any, words: str) -> None:
    with pytest.raises(CheckFailed, match=f"the dry run was refused: .*{words}"):
        check_view(protocol, PAIR)


async def _open_twice(p: Party, x: Share, y: Share) -> Any:
    (a,) = p.correlation(Uniform((spec(x),)))
    await p.open(x - a, label="first")
    return await p.open(y - a, label="second")


def test_addends_that_are_revealed_without_fresh_zeros() -> None:
    """The sum is right and agreed, but every owner's addend is bare."""

    async def bare_sum(p: Party, mine: Array) -> Any:
        got = await Round(
            dict.fromkeys(p.peers, (mine,)), dict.fromkeys(p.peers, (Spec(mine.shape),)), "sum", everyone=True
        )
        return sum((arrays[0] for arrays in got.values()), mine)

    addends = own(reals((40,), scale=0, largest=1000.0))
    with pytest.raises(CheckFailed, match=r"round 0 'sum', array 0 from owner0 to owner2, differs"):
        check_view(bare_sum, [addends], secrets=[([[5, 7, 1]], [[11, 1, 1]])], coalitions=[(2,)], structure=False)


# -- what is computed


def test_a_wrong_scale() -> None:
    async def wrong(p: Party, x: Share, y: Share) -> Share:
        z = await multiply(p, x, y)
        return z.at_scale(SCALE)  # the product's is twice that

    with pytest.raises(CheckFailed, match=r"result 0 at .* entries beyond the error"):
        check_correct(wrong, lambda x, y: x * y, PAIR, error=2.0**-SCALE)


def test_local_truncation_is_caught_at_three_owners_and_at_two() -> None:
    async def shifted(p: Party, x: Share) -> Share:
        signed = x.value.view(np.int64) >> SCALE if not p.dry else x.value
        return Share(signed if p.dry else signed.view(np.uint64), 0)

    large = reals((3,), scale=SCALE, largest=2.0**48)  # one entry in four is wrong
    small = reals((3,), scale=SCALE, largest=2.0)
    with pytest.raises(CheckFailed, match=r"2 owners.*result 0"):
        check_correct(shifted, lambda x: x, [large], error=2.0, owners=(2,))
    with pytest.raises(CheckFailed, match=r"3 owners.*result 0"):
        check_correct(shifted, lambda x: x, [small], error=2.0, owners=(3,))
    check_correct(shifted, lambda x: x, [small], error=2.0, owners=(2,), sockets=())  # where it nearly always works


@pytest.mark.parametrize("owners", [2, 3])
def test_a_float_coefficient_that_differs_by_one_bit(owners: int) -> None:
    async def scaled(p: Party, x: Share) -> Share:
        tenth = 0.1 if p.index == 0 else np.nextafter(0.1, 1.0)  # as another processor's library might give
        bits = np.array([tenth]).view(np.uint64) & np.uint64(2**40 - 1)
        return Public(bits, 40) * x

    bits = int(np.array([0.1]).view(np.uint64)[0] & np.uint64(2**40 - 1))
    with pytest.raises(CheckFailed, match=f"{owners} owners.*result 0"):
        check_correct(scaled, lambda x: x * bits / 2.0**40, [X], error=1e-3, owners=(owners,))


def test_a_public_result_that_differs_between_owners() -> None:
    async def public(p: Party, x: Share) -> Public:
        return p.constant(p.index, (1,))

    with pytest.raises(CheckFailed, match="result 0 is public and differs between owner0 and owner1"):
        check_correct(public, lambda x: np.zeros(1), [X], error=0.0)


def test_correlations_in_another_order_at_one_owner() -> None:
    """Of different kinds, the runtime sees it, whatever their sizes; of equal ones, the product is wrong."""

    async def swapped(p: Party, x: Share, y: Share) -> Any:
        if p.index == 0:
            p.correlation(Uniform((spec(x),)))
        a, b, c = p.correlation(MultiplyTriple(spec(x), spec(y)))
        if p.index != 0:
            p.correlation(Uniform((spec(x),)))
        d, e = await p.open(x - a, y - b, label="x y")
        return c + d * b + e * a + p.public(d * e)

    async def taken_for_each_other(p: Party, x: Share, y: Share) -> Any:
        first, second = (p.correlation(MultiplyTriple(spec(x), spec(y))) for _ in range(2))
        a, b, c = first if p.index == 0 else second
        d, e = await p.open(x - a, y - b, label="x y")
        return c + d * b + e * a + p.public(d * e)

    for check in (
        lambda: check_correct(swapped, lambda x, y: x * y, PAIR, error=1e-6),
        lambda: check_cost(swapped, PAIR, rounds=1, bytes=4 * WORD),
    ):
        with pytest.raises(CheckFailed, match=r"(the|a) run with .* was refused: .* that is not in its plan"):
            check()
    with pytest.raises(CheckFailed, match=r"the owners ask for different correlations: Uniform.* and MultiplyTriple"):
        check_view(swapped, PAIR)
    with pytest.raises(CheckFailed, match=r"result 0 at .* entries beyond the error"):
        check_correct(taken_for_each_other, lambda x, y: x * y, PAIR, error=1e-6)


@pytest.mark.parametrize("owners", [2, 3])
def test_a_value_for_all_revealed_to_one_owner_only(owners: int) -> None:
    """The last owner is told the total, and makes it its result; the others go on with what they have."""

    async def told(p: Party, x: Share, y: Share) -> Any:
        last = p.owners[-1]
        both = x + y
        send = {} if p.name == last else {last: (both.value,)}
        recv = dict.fromkeys(p.peers, (spec(both),)) if p.name == last else {}
        got = await Round(send, recv, "total")
        value = both.value
        for arrays in got.values():
            value = value + arrays[0]
        return Public(value, both.scale)

    words = "the dry run was refused: round 'total' is not the same for every owner"
    for check in (
        lambda: check_correct(told, lambda x, y: x + y, PAIR, error=1e-6, owners=(owners,)),
        lambda: check_cost(told, PAIR, rounds=1, bytes=2 * WORD, owners=(owners,), sizes={"m": 2}),
        lambda: check_view(told, PAIR, owners=owners),
    ):
        with pytest.raises(CheckFailed, match=words):
            check()


def test_a_reveal_that_was_not_declared_in_the_plan() -> None:
    async def more(p: Party, x: Share, y: Share) -> Any:
        what = "total" if p.dry else "share of the total"
        return await p.reveal(x + y, what=what, why="agreed", label="total")

    for check in (
        lambda: check_cost(more, PAIR, rounds=1, bytes=2 * WORD, sizes={"m": 2}),
        lambda: check_correct(more, lambda x, y: x + y, PAIR, error=1e-6),
        lambda: check_view(more, PAIR, secrets=[([1, 2], [2, 1])]),
    ):
        with pytest.raises(CheckFailed, match="'share of the total' is not declared as an output"):
            check()


# -- what it costs


@pytest.mark.parametrize(
    ("declared", "words"),
    [
        ({"rounds": 0, "bytes": 4 * WORD}, r"the plan has 1 rounds \(multiply\), not the declared 0"),
        ({"rounds": 2, "bytes": 4 * WORD}, r"the plan has 1 rounds \(multiply\), not the declared 2"),
        ({"rounds": 1, "bytes": 2 * WORD}, r"the plan has 32 bytes .*multiply: 32.*, not the declared 16"),
        ({"rounds": 1, "bytes": 4 * WORD, "dealt": WORD}, "16 bytes of corrections, not the declared 8"),
    ],
)
def test_another_cost_than_is_declared(declared: dict[str, int], words: str) -> None:
    with pytest.raises(CheckFailed, match=words):
        check_cost(multiply, PAIR, sizes={"m": 2}, **declared)  # type: ignore[arg-type]


def test_a_secret_that_steers_the_flow_is_refused_by_the_dry_run() -> None:
    async def steered(p: Party, x: Share, y: Share) -> Any:
        if x.value[0] > 0:
            return await multiply(p, x, y)
        return x

    for check in (
        lambda: check_cost(steered, PAIR, rounds=1, bytes=4 * WORD),
        lambda: check_view(steered, PAIR),
        lambda: check_correct(steered, lambda x, y: x * y, PAIR, error=1.0),
    ):
        with pytest.raises(CheckFailed, match="the dry run was refused: control flow depends on data"):
            check()


def test_a_secret_that_steers_the_flow_behind_the_dry_runs_back() -> None:
    """An opened value decides whether there is a second round; the dry run is told that there is none."""

    async def steered(p: Party, x: Share, y: Share) -> Any:
        (a,) = p.correlation(Uniform((spec(x),)))
        (d,) = await p.open(x - a, label="open")
        if not p.dry and d.value[0] & np.uint64(1):
            await Round(dict.fromkeys(p.peers, ()), dict.fromkeys(p.peers, ()), "again", everyone=True)
        return x

    with pytest.raises(CheckFailed, match=r"owner0 sent 2 messages where 1 are planned; .*'again' to owner1"):
        check_cost(steered, PAIR, rounds=1, bytes=2 * WORD, sizes={"m": 2})


def test_a_size_that_depends_on_an_opened_value() -> None:
    async def steered(p: Party, x: Share, y: Share) -> Any:
        (a,) = p.correlation(Uniform((spec(x),)))
        (d,) = await p.open(x - a, label="open")
        size = 1 if p.dry else 1 + int(d.value[0] & np.uint64(1))
        words = np.zeros(size, dtype=np.uint64)
        more = Spec((size,))
        await Round(dict.fromkeys(p.peers, (words,)), dict.fromkeys(p.peers, (more,)), "rest", everyone=True)
        return x

    with pytest.raises(CheckFailed, match=r"round 1 of owner0 should be 'rest', 8 bytes .*; it is 'rest', 16 bytes"):
        check_cost(steered, PAIR, rounds=2, bytes=3 * WORD, sizes={"m": 2})
