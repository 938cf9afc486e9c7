"""What an author can hand the kit, what it says of what it did, and how it refuses what makes no sense."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import UsageError
from mpc.randomness.correlation import Uniform
from mpc.ring.array import Array
from mpc.ring.rings import B8, wide
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.runtime.round import Round
from mpc.sharing.share import Public, Share
from mpc.testing import CheckFailed, check_correct, check_cost, check_faults, check_view, integers, own, reals, words
from mpc.testing.cases.inputs import complete, constants, randoms, written
from protocols.core.beaver import multiply

X = reals(("m",), scale=14, largest=100.0)


async def total(p: Party, x: Share, y: Share) -> Public:
    (out,) = await p.reveal(x + y, what="total", why="agreed", label="total")
    return out


async def rate_is_told(p: Party, x: Share, y: Share) -> Share:
    """Owners exchange a public number, then multiply."""
    rate = np.array([12345], dtype=np.uint64)
    await Round(dict.fromkeys(p.peers, (rate,)), dict.fromkeys(p.peers, (Spec((1,)),)), "rate", everyone=True)
    return await multiply(p, x, y)


def test_rounds_in_which_nothing_secret_is_sent_are_named() -> None:
    assert check_view(rate_is_told, [X, X], owners=2, public=["rate"]).coalitions
    with pytest.raises(
        CheckFailed, match=r"round 0 'rate': word 0 of array 0 from owner0 to owner1, owner2 has no mask"
    ):
        check_view(rate_is_told, [X, X])
    with pytest.raises(CheckFailed, match=r"round 0 'rate', array 0 from owner1 to owner0, is not uniform"):
        check_view(rate_is_told, [X, X], owners=2, structure=False, words=500)


def test_a_public_round_that_tells_a_secret_is_still_found() -> None:
    async def leak(p: Party, x: Share, y: Share) -> Share:
        await Round(dict.fromkeys(p.peers, (x.value,)), dict.fromkeys(p.peers, (Spec(x.shape),)), "rate", everyone=True)
        return await multiply(p, x, y)

    with pytest.raises(CheckFailed, match="round 0 'rate', value 0 as opened, differs between two secrets in bits"):
        check_view(leak, [X, X], public=["rate"])


def test_unequal_outputs_are_found_where_revealed() -> None:
    with pytest.raises(CheckFailed, match="round 0 'total', value 0 as opened, differs between two secrets"):
        check_view(total, [X, X], secrets=[([1, 2], [1, 3])], coalitions=[(0,)])
    saw = check_view(total, [X, X], secrets=[([1, 2], [2, 1])])
    assert saw.coalitions == ("owner0", "owner1", "owner2")  # whichever two of the others give the inputs
    assert saw.untested == ("owner0, owner1", "owner0, owner2", "owner1, owner2")
    assert "nothing to hide from: owner0, owner1; owner0, owner2" in str(saw)


def test_more_words_find_smaller_shifts() -> None:
    few, many = (
        check_view(multiply, [X, X], owners=2, words=50 * m, sizes={"m": m}, structure=False) for m in (20, 320)
    )
    assert few.structure is None and few.shift > 2 * many.shift
    assert many.words >= 16_000
    assert f"a shift of {many.shift:.3f} in probability would be found" in str(many)


@pytest.mark.parametrize(("part", "found"), [(0.0, False), (0.4, False), (1.15, True)])
def test_a_leak_is_found_from_the_stated_size_on(part: float, found: bool) -> None:
    """In some of the words that owner0 sends, the lowest nibble's top bit is cleared if its secret is 1."""
    told = 0.094  # what the check states, for its 5,000 words and the tests that it makes here
    chosen = round(2 * part * told * 2**32)  # half of those words have the bit

    async def leaky(p: Party, mine: Array) -> Any:
        (r,) = p.correlation(Uniform((Spec((100,)),)))
        few = r.value >> np.uint64(32) < np.uint64(chosen)
        clear = p.compute(lambda: few & (p.index == 0) & (mine == 1), shape=(100,))
        sent = p.compute(lambda: np.where(clear, r.value & ~np.uint64(8), r.value), shape=(100,))
        await Round(dict.fromkeys(p.peers, (sent,)), dict.fromkeys(p.peers, (Spec((100,)),)), "tell", everyone=True)
        return None

    def check() -> Any:
        return check_view(
            leaky,
            [own(words((100,)))],
            owners=2,
            coalitions=[(1,)],
            secrets=[([[0, 0]], [[1, 0]])],
            structure=False,
        )

    if found:
        with pytest.raises(
            CheckFailed, match=r"round 0 'tell', array 0 from owner0 to owner1, differs .* bits 0 to 3 "
        ):
            check()
    else:
        assert check().shift == pytest.approx(told, abs=0.005)


def test_what_makes_no_sense_is_refused() -> None:
    for check, message in (
        (lambda: check_view(total, [X, X]), "the protocol reveals 'total', so its view depends on that"),
        (lambda: check_view(total, [X, X], secrets=[([1], [2])]), "1 secrets are given for 2 inputs"),
        (lambda: check_view(total, [X, X], secrets=[([1, 2], [1, 2])]), "nothing is hidden from any coalition"),
        (lambda: check_view(multiply, [X, X], sizes={"k": 3}), "no input has a size named 'k'"),
        (lambda: check_cost(multiply, [X, X], rounds=1, bytes=1, sizes={"n": 3}), "no input has a size named 'n'"),
        (lambda: check_correct(multiply, None, [X, X], error=0, sizes={"n": 3}), "no input has a size named 'n'"),  # type: ignore[arg-type]
        (lambda: check_faults(multiply, [X, X], sizes={"n": 3}), "no input has a size named 'n'"),
        (lambda: written([own(X)], {"m": 2}, 3, [[1, 2]]), "needs 3 values, not 2"),
    ):
        with pytest.raises(UsageError, match=message):
            check()


def test_too_many_masks_for_the_structural_check() -> None:
    with pytest.raises(CheckFailed, match=r"4000 drawn words are too many .* smaller `structure_sizes`"):
        check_view(multiply, [X, X], structure_sizes={"m": 2000})


def test_results_that_do_not_fit_the_references() -> None:
    async def one(p: Party, x: Share) -> Any:
        return x

    async def odd(p: Party, x: Share) -> Any:
        return "three"

    for protocol, reference, message in (
        (one, lambda x: (x, x), "the protocol has 1 results and its reference 2"),
        (one, lambda x: x[:1].sum(), r"result 0 has the shape \(\d,\) and its reference's \(\)"),
        (one, lambda x: x + np.nan, "entries beyond the error"),
        (odd, lambda x: x, "result 0 is a str: neither a Share, a Public, a number nor an array"),
    ):
        with pytest.raises(CheckFailed, match=message):
            check_correct(protocol, reference, [X], error=1.0, examples=3)


def test_numbers_and_arrays_that_all_owners_know() -> None:
    async def known(p: Party, x: Share) -> Any:
        return np.array([0.5, 2.0]), 3, x

    async def own_opinion(p: Party, x: Share) -> Any:
        return np.array([0.5, 2.0 + 2.0**-50 * p.index])

    def reference(x: Array) -> Any:
        return np.array([0.5, 2.0]), np.array(3), x

    assert check_correct(known, reference, [X], error=0.0, examples=5).worst_error == 0.0
    for other in (lambda x: (np.array([0.5, 2.1]), np.array(3), x), lambda x: (np.zeros(3), np.array(3), x)):
        with pytest.raises(CheckFailed, match="result 0"):
            check_correct(known, other, [X], error=0.01, examples=5)
    with pytest.raises(CheckFailed, match="result 0 is public and differs between owner0 and owner1"):
        check_correct(own_opinion, lambda x: np.array([0.5, 2.0]), [X], error=1.0, examples=5)


def test_every_coalition_is_tested_whoever_would_give_the_inputs() -> None:
    async def two(p: Party, x: Share) -> Share:
        return await multiply(p, x, x)

    assert check_view(two, [X]).untested == ()
    assert check_view(two, [X], owners=2).coalitions == ("owner0", "owner1")


def test_results_to_the_bit() -> None:
    async def almost(p: Party, x: Share) -> Any:
        return x + p.public(p.constant(1, x.shape, ring=x.ring))

    with pytest.raises(CheckFailed, match=r"result 0 at \(0,\) is 1, not 0"):
        check_correct(almost, lambda x: x, [words(("m",), ring=wide(128))], error=None, examples=5)
    assert check_correct(almost, lambda x: x + 1, [words(("m",), ring=wide(128))], error=None).worst_error == 0.0


def test_inputs() -> None:
    inputs = [reals(("m", "k"), scale=4, largest=2.5), integers(("k",), 0, 1), own(words((2, "m"), ring=B8))]
    sizes = complete(inputs, {"k": 7}, 3)
    assert sizes == {"m": 3, "k": 7}
    high = constants(inputs, sizes, 3, 1 << 80)
    assert [len(parts) for parts in high] == [1, 1, 3]
    assert (inputs[0].plain(high[0][0]) == np.full((3, 7), 2.5)).all()
    assert (high[1][0] == 1).all() and (high[2][0] == 255).all()
    low = constants(inputs, sizes, 3, -(1 << 80))
    assert (inputs[0].plain(low[0][0]) == -2.5).all() and (low[1][0] == 0).all()
    drawn, again, other = (randoms(inputs, sizes, 3, seed) for seed in ("a", "a", "b"))
    assert all((x == y).all() for p, q in zip(drawn, again, strict=True) for x, y in zip(p, q, strict=True))
    assert (drawn[0][0] != other[0][0]).any() and (drawn[2][0] != drawn[2][1]).any()
    assert np.abs(inputs[0].plain(drawn[0][0])).max() <= 2.5 and set(np.unique(drawn[1][0])) <= {0, 1}
    by_hand = written(inputs, sizes, 3, [0.25, [1, 0, 1, 0, 1, 0, 1], [1, 2, 3]])
    assert (by_hand[0][0] == 4).all() and by_hand[0][0].shape == (3, 7)
    assert [int(part[0, 0]) for part in by_hand[2]] == [1, 2, 3]


def test_an_owner_can_be_named_as_giver() -> None:
    both = [reals(("m",), scale=14, largest=1.0, owner=2)] * 2
    saw = check_view(multiply, both)
    assert saw.coalitions == ("owner0", "owner1", "owner0, owner1")
    assert saw.untested == ("owner2", "owner0, owner2", "owner1, owner2")


def test_what_checks_say_of_themselves() -> None:
    assert "1 rounds, 32 bytes to each other owner, 16 bytes of corrections" in str(
        check_cost(multiply, [X, X], rounds=1, bytes=32, dealt=16)
    )
    assert "20 examples, largest error" in str(
        check_correct(multiply, lambda x, y: x * y, [X, X], error=1e-9, examples=20, sockets=())
    )
    assert "the helper receives nothing" in str(check_view(multiply, [X, X], owners=2))
