"""Numbers in wide rings: every edge is cut within a unit, and what is lifted has noise below its last place."""

from __future__ import annotations

import math

import numpy as np

from mpc.ring.rings import Z64
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.core.wide import NOISE, noisy_lift, wide_truncate
from protocols.linalg.original_units import FACTOR_SCALE, LARGEST_FACTOR, MODEL_SCALE, UNITS_RING, in_original_units
from tests.helpers import on_shares, signed, words


def test_every_edge_is_cut_within_a_unit() -> None:
    limit = 1 << (UNITS_RING.bits - 2)
    numbers = [0, 1, -1, 2**200, -(2**200), limit - 1, 1 - limit, 2**200 - 1, -(2**200) - 1]

    async def body(p: Party, shares: list[Share]) -> Share:
        return await wide_truncate(p, shares[0], 200)

    for n in (2, 5):
        for seed in range(5):
            x = UNITS_RING.reduce(np.array(numbers, dtype=object))
            (out,), _ = on_shares(body, [(x, 0, UNITS_RING)], n, seed)
            for got, number in zip(signed(out, UNITS_RING), numbers, strict=True):
                assert abs((int(got) << 200) - number) <= 1 << 200


def test_what_is_lifted_has_uniform_noise_below_its_last_place() -> None:
    """So that neither the factor nor the weight can be found by factoring what is opened."""

    async def body(p: Party, shares: list[Share]) -> Share:
        return await noisy_lift(p, shares[0], UNITS_RING)

    numbers = [5, -5, 0, 2**61, -(2**61)] * 100
    (out,), _ = on_shares(body, [(words(numbers), 0, Z64)], 2)
    noise = [int(v) - (number << NOISE) for v, number in zip(signed(out, UNITS_RING), numbers, strict=True)]
    assert all(0 <= r < 1 << NOISE for r in noise)
    assert len(set(noise)) == len(noise)
    low = np.bincount([r % 8 for r in noise], minlength=8)
    high = np.bincount([r >> (NOISE - 3) for r in noise], minlength=8)
    assert min(*low, *high) > 30  # of 62.5 expected


def test_the_noise_hides_the_last_place_of_the_model() -> None:
    assert 20 + NOISE - math.log2(LARGEST_FACTOR) > MODEL_SCALE


def test_weights_and_factors_of_one_product_look_alike() -> None:
    """The digits of w f below the model's precision do not tell 6 * 35 from 14 * 15."""

    def opened(weight: float, factor: float) -> list[int]:
        async def body(p: Party, shares: list[Share]) -> Public:
            out = await in_original_units(p, shares[0], shares[1], shares[1])
            (result,) = await p.reveal(out, what="model", why="test", label="model")
            return result

        found = []
        for seed in range(200):
            w = words([round(weight * 2**40), 0])
            f = UNITS_RING.reduce(np.array([round(factor * 2**FACTOR_SCALE)], dtype=object))
            (out,), _ = on_shares(body, [(w, 40, Z64), (f, FACTOR_SCALE, UNITS_RING)], 2, seed)
            found.append(int(signed(out, UNITS_RING)[0]))
        return found

    one, other = opened(6.0, 35.0), opened(14.0, 15.0)
    for values in (one, other):
        residues = np.bincount([value % 16 for value in values], minlength=16)
        assert residues.min() > 1 and residues.max() < 35  # of 12.5 expected; exact products would all be one residue
    assert abs(np.mean(one) - np.mean(other)) < 40 * 2.0 ** (MODEL_SCALE - 40)
