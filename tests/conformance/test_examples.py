"""The five protocols of the conformance page: right, at their cost, telling no more, whatever happens to a message."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2
from typing import Any

import pytest

from mpc.testing import check_correct, check_cost, check_faults, check_view
from scenarios.protocols.inverse import bound
from tests.testing.cases.case import Secrets
from tests.testing.cases.costs import COMPARED, SAME, WORD, bits
from tools.conformance.examples import EXAMPLES, Example

WIDE = 32
"""Bytes of an entry of the inverse."""

every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.key)


def quick_for(*names: str) -> Any:
    """All examples; but for these, they are the soak's."""
    marked = [pytest.param(one, id=one.key, marks=[pytest.mark.soak] * (one.key not in names)) for one in EXAMPLES]
    return pytest.mark.parametrize("example", marked)


def tournament(m: int) -> int:
    """Bytes of the largest of m numbers."""
    half = m // 2
    return half * (COMPARED + WORD) + bits(half) + tournament(m - half) if half else 0


def cost(example: Example, n: int) -> tuple[int, int]:
    """Rounds and bytes for n owners with two numbers, rows or lots each, from the formulas."""
    m = 2 * n
    pairs = m * (m - 1) // 2
    match example.key:
        case "largest":
            return 8 * ceil(log2(m)) + 1, tournament(m) + WORD
        case "spread":
            return 2, (2 * m + 2) * WORD
        case "sort":
            return 17, pairs * COMPARED + bits(pairs) + m * m * (SAME + WORD) + bits(m * m) + m * WORD
        case "auction":
            lots, compared = 2, n * (n - 1)
            return 17, compared * COMPARED + bits(compared) + m * (2 * SAME + WORD) + 2 * bits(m) + 2 * lots * WORD
    steps = bound(m, 4) + 6
    return 2 * steps + 3, (2 * 4 * m + 16) * WORD + (steps * (32 + 16 + 32) + 16) * WIDE


@every_example
def test_it_gives_what_the_reference_gives(example: Example) -> None:
    sizes = {} if example.key != "spread" else {"m": 3}  # a deviation needs two numbers
    check_correct(
        example.protocol,
        example.reference,
        [example.given],
        error=example.error,
        owners=(2, 3, 5),
        sizes=sizes,
        examples=20,
    )


@every_example
@pytest.mark.parametrize("n", [2, 3, 5])
def test_it_costs_what_its_formula_says(example: Example, n: int) -> None:
    rounds, sent = cost(example, n)
    check_cost(example.protocol, [example.given], rounds=rounds, bytes=sent, owners=[n], sizes={"m": 2})


@quick_for("largest", "spread", "sort", "auction")
def test_it_gives_no_wrong_result_under_faults(example: Example) -> None:
    check_faults(example.protocol, [example.given], owners=2, sizes={"m": 2}, every=97, several=0)


def one_changes(before: Sequence[Any], after: Any, others: Sequence[Any]) -> Secrets:
    """Each owner in turn gives the first and then the second; the others' stay."""
    return [
        tuple([[[*others[:k], one, *others[k:]]] for one in (before, after)])  # type: ignore[misc]
        for k in range(len(others) + 1)
    ]


def two_trade(one: Any, other: Any, third: Any) -> Secrets:
    """Each two owners in turn have each other's."""
    orders = [((0, 1, 2), (1, 0, 2)), ((0, 2, 1), (1, 2, 0)), ((2, 0, 1), (2, 1, 0))]
    return [tuple([[[(one, other, third)[i] for i in order]] for order in pair]) for pair in orders]  # type: ignore[misc]


OTHERS: dict[str, Secrets] = {
    "largest": one_changes([1, 3], [8, 8], [[9, 2], [4, 4]]),
    "spread": two_trade([3, 80], [-5, 7], [4, 4]),
    "sort": two_trade([3, 80], [-5, 7], [4, 4]),
    "auction": one_changes([9, 1], [90, -50], [[3, 5], [4, 4]]),
    "inverse": two_trade([[1, 2, 3, 4], [0, 0, 0, 1]], [[-8, 8, 0, 7], [3, 3, 3, 3]], [[1, 1, 0, 0], [2, 0, 0, 2]]),
}
"""Pairs of three owners' inputs with the same outputs."""


@quick_for("spread")
def test_nobody_is_told_more_than_the_result(example: Example) -> None:
    saw = check_view(
        example.protocol,
        [example.given],
        owners=3,
        secrets=OTHERS[example.key],
        sizes={"m": 2},
        structure_sizes={"m": 2 if example.key == "spread" else 1},
        structure=True if example.key == "spread" else "by round",
        words=200 if example.key == "spread" else None,
    )
    print(saw)
    assert len(saw.coalitions) >= 3
