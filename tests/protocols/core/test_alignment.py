"""Whether all owners have one list of ids: found for any difference, and nothing else to see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError
from mpc.ring.rings import B8
from mpc.runtime.party import Party
from mpc.sharing.share import Public
from mpc.testing import check_correct, check_cost, check_faults, check_view, own, words
from protocols.core.alignment import check_aligned
from protocols.rows.own_rows import DIGEST_BITS
from tests.helpers import lockstep, owner_names

BITS = own(words((DIGEST_BITS,), ring=B8))


async def tried(p: Party, bits: np.ndarray) -> Public:
    """The word itself, so that the kit sees all that is opened; its bits are in bit 0 of each byte."""
    try:
        await check_aligned(p, bits)
    except DataError:
        return Public(np.ones(1, dtype=np.uint64))
    return Public(np.zeros(1, dtype=np.uint64))


def run(digests: list[np.ndarray]) -> list[int]:
    owners = owner_names(len(digests))

    def factory(k: int) -> Any:
        return lambda p: tried(p, digests[k])

    results = lockstep({name: factory(k) for k, name in enumerate(owners)}).results
    return [int(results[name].value[0]) for name in owners]


def digest(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, DIGEST_BITS, dtype=np.uint8)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_equal_lists_pass_and_any_one_difference_is_found_by_all(n: int) -> None:
    assert run([digest(1)] * n) == [0] * n
    for k in range(n):
        for bit in (0, 7, 8, DIGEST_BITS - 1):
            other = digest(1)
            other[bit] ^= 1
            assert run([other if j == k else digest(1) for j in range(n)]) == [1] * n


@pytest.mark.parametrize("owners", [2, pytest.param(3, marks=pytest.mark.soak)])
def test_a_difference_tells_neither_where_nor_which(owners: int) -> None:
    """Digests that differ in one bit look like digests that have nothing in common."""
    last = digest(3)  # the coalition's own stays as it is
    near = last.copy()
    near[5] ^= 1
    far = 1 - last
    one, other = [[near], [far]] if owners == 2 else [[near, last], [far, near]]
    saw = check_view(tried, [BITS], owners=owners, secrets=[([[*one, last]], [[*other, last]])])
    assert saw.shift < 0.3


def test_as_comparing_the_lists_themselves() -> None:
    def differ(parts: tuple[np.ndarray, ...]) -> np.ndarray:
        return np.array([any((part & 1 != parts[0] & 1).any() for part in parts)], dtype=np.uint64)

    check_correct(tried, differ, [BITS], error=None, examples=10)


def test_cost_and_faults() -> None:
    packed, word = DIGEST_BITS // 8, 8
    check_cost(tried, [BITS], owners=(2,), rounds=2, bytes=packed + word, dealt=DIGEST_BITS * word)
    check_faults(tried, [BITS], owners=2, every=3)
