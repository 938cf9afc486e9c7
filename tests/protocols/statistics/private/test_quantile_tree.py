"""Quantiles from a tree of noisy counts: least squares, their deviations, and intervals that hold the quantile."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from protocols.statistics.private.quantile_tree import Tree, best_tree, consistent_counts, quantile_of

Values = np.ndarray
TREES = [Tree(11, 3), Tree(16, 2), Tree(7, 7), Tree(10, 4), Tree(23, 2), Tree(2, 2)]


def design(tree: Tree) -> Values:
    """Which points each number counts: all of them first, then the blocks of each level."""
    rows = [np.ones(tree.points)]
    for width in tree.widths:
        rows += [(np.arange(tree.points) // width == block).astype(float) for block in range(tree.blocks(width))]
    return np.array(rows)


def cut(tree: Tree, numbers: Values) -> tuple[float, list[Values]]:
    ends = np.cumsum([tree.blocks(width) for width in tree.widths])
    return float(numbers[0]), np.split(numbers[1:], ends[:-1])


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: f"{tree.points} by {tree.degree}")
def test_estimates_are_least_squares(tree: Tree) -> None:
    of = design(tree)
    noisy = np.random.default_rng(1).normal(10, 5, len(of))
    best = np.linalg.lstsq(of, noisy, rcond=None)[0]
    number, ranks = consistent_counts(tree, *cut(tree, noisy))
    assert number == pytest.approx(best.sum())
    assert ranks == pytest.approx(best.cumsum())


@pytest.mark.parametrize("tree", TREES, ids=lambda tree: f"{tree.points} by {tree.degree}")
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_deviations_are_those_of_least_squares(tree: Tree, share: float) -> None:
    of = design(tree)
    ranks = np.tril(np.ones((tree.points, tree.points))) - share
    law = ranks @ np.linalg.inv(of.T @ of) @ ranks.T
    assert tree.deviations(share) == pytest.approx(np.sqrt(np.diag(law)))


def test_the_degree_has_the_least_error_in_ranks() -> None:
    """Beside the noise that all levels together bring about."""

    def error(tree: Tree, others: int) -> float:
        return tree.error(0.5) * float(np.sqrt(others + len(tree.widths)))

    for points, others in ((10, 0), (10, 5), (50, 0), (111, 2)):
        best = best_tree(points, (0.5,), 1, others)
        degrees = {min(degree, points) for degree in range(2, 17)}
        assert error(best, others) == pytest.approx(min(error(Tree(points, degree), others) for degree in degrees))
    assert {best_tree(10, (0.5,), 1, others).degree for others in (0, 5)} == {10, 2}


LAWS: dict[str, Callable[[np.random.Generator, int, int], Values]] = {
    "one hill": lambda rng, n, points: rng.normal(0.6 * points, 0.15 * points, n),
    "two values": lambda rng, n, points: rng.choice([points // 5, points - 2], n),
    "at the end": lambda rng, n, points: rng.normal(points, 0.3 * points, n),
}


@pytest.mark.parametrize("name", LAWS)
def test_intervals_hold_the_quantile_in_95_of_100_runs(name: str) -> None:
    """And are no wider than ranks are off, where there is one hill."""
    points, rows, deviation, shares = 111, 900, 15.0, (0.25, 0.5, 0.75)
    tree, rng = best_tree(points, shares, 1, 6), np.random.default_rng(3)
    held, widths, studies = 0, [], 150
    for _ in range(studies):
        at = np.clip(LAWS[name](rng, rows, points).astype(int), 0, points - 1)
        exact = design(tree) @ np.bincount(at, minlength=points)
        number, ranks = consistent_counts(tree, *cut(tree, exact + rng.normal(0, deviation, len(exact))))
        for share in shares:
            found = quantile_of(tree, number, ranks, share, deviation)
            assert found is not None
            value, low, high = found
            held += low <= np.sort(at)[int(np.ceil(share * rows)) - 1] <= high
            widths.append(high - low)
            assert low <= value <= high
    assert held >= 0.95 * 3 * studies
    assert name != "one hill" or np.mean(widths) < 4


def test_quantiles_without_noise_are_the_pooled_ones() -> None:
    tree, rng = Tree(40, 3), np.random.default_rng(5)
    at = rng.integers(0, 40, 101)
    number, ranks = consistent_counts(tree, *cut(tree, design(tree) @ np.bincount(at, minlength=40)))
    for share in (0.05, 0.5, 0.9):
        exact = int(np.quantile(at, share, method="inverted_cdf"))
        assert quantile_of(tree, number, ranks, share, 1e-9) == (exact, exact, exact)


def test_no_quantile_of_fewer_values_than_noise_hides() -> None:
    tree = Tree(8, 2)
    number, ranks = consistent_counts(tree, 10.0, [np.full(tree.blocks(w), 10.0 / tree.blocks(w)) for w in tree.widths])
    assert quantile_of(tree, number, ranks, 0.5, 10.0) is None
    assert quantile_of(tree, number, ranks, 0.5, 1.0) is not None
