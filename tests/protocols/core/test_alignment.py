"""Whether all owners have one list of ids: found for any difference, and nothing else to see."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protocols.rows.own_rows import DIGEST_BITS
from tests.helpers import lockstep, owner_names
from tests.testing.cases.core import aligned


def run(digests: list[np.ndarray]) -> list[int]:
    owners = owner_names(len(digests))

    def factory(k: int) -> Any:
        return lambda p: aligned(p, digests[k])

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
