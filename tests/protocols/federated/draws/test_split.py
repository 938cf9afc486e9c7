"""Rows dealt unevenly go to one client each, and nobody is left without."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import UsageError
from mpc.randomness.streams import Stream, derive
from protocols.federated.draws.split import by_labels, by_quantity
from tests.examples import steady


def stream(label: str = "split") -> Stream:
    return Stream(derive(bytes(32), label))


def hold_to_split(parts: list[np.ndarray], rows: int, clients: int) -> None:
    assert len(parts) == clients
    assert np.sort(np.concatenate(parts)).tolist() == list(range(rows))
    assert all(part.size and np.all(np.diff(part) > 0) for part in parts)


@given(st.integers(1, 12), st.integers(0, 60), st.floats(1e-3, 100), st.integers(1, 5))
@steady(120)
def test_every_row_goes_to_one_client(clients: int, more: int, alpha: float, labels: int) -> None:
    rows = clients + more
    of = np.random.default_rng(rows).integers(0, labels, rows)
    hold_to_split(by_labels(of, clients, alpha, stream()), rows, clients)
    hold_to_split(by_quantity(rows, clients, alpha, stream()), rows, clients)


def test_a_small_alpha_gives_clients_few_labels() -> None:
    """At 0.1 most of a client's rows have one label; at 1000 a client has all labels alike."""
    labels = np.arange(4000) % 10

    def most(alpha: float) -> float:
        parts = by_labels(labels, 20, alpha, stream())
        return float(np.mean([np.bincount(labels[part]).max() / part.size for part in parts]))

    assert most(0.1) > 0.5 and most(1000.0) < 0.15


def test_labels_are_spread_as_stated() -> None:
    """A client's share of label 1 has mean p and variance p (1 - p) / (2 alpha + 1), and its binomial draw's.

    Rows are ten times as many as the clients take, so that no label is used up before.
    """
    draw = np.random.default_rng(3)
    labels = (draw.random(200_000) < 0.2).astype(int)
    parts = by_labels(labels, 2000, 2.0, stream())[:400]
    shares = np.array([labels[part].mean() for part in parts])
    variance = 0.16 / 5
    assert np.mean(shares) == pytest.approx(0.2, abs=0.02)
    assert np.var(shares) == pytest.approx(variance + (0.16 - variance) / 100, rel=0.15)


def test_a_label_that_is_used_up_is_dealt_no_more() -> None:
    """At this alpha every client wants one label alone, and some want the rare one when there is none left."""
    labels = np.repeat([0, 1], [30, 3])
    for seed in range(20):
        hold_to_split(by_labels(labels, 11, 1e-4, stream(f"split {seed}")), 33, 11)


def test_clients_split_by_labels_have_equally_many_rows() -> None:
    sizes = [part.size for part in by_labels(np.arange(1003) % 3, 10, 0.1, stream())]
    assert sizes == [101] * 3 + [100] * 7


def test_a_small_alpha_gives_clients_unlike_sizes() -> None:
    uneven, even = (np.array([p.size for p in by_quantity(4000, 20, a, stream())]) for a in (0.3, 1000.0))
    assert uneven.max() > 10 * np.median(uneven) and even.max() < 1.2 * even.min()


def test_the_seed_alone_decides_the_split() -> None:
    labels = np.array(["b", "a", "c"] * 30)
    once, again, other = (by_labels(labels, 5, 0.5, stream(s)) for s in ("one", "one", "two"))
    assert [p.tolist() for p in once] == [p.tolist() for p in again] != [p.tolist() for p in other]


def test_clients_of_as_many_rows_have_one_each() -> None:
    """Several got none: they take from whoever has most at that moment, and nobody gives away its last row."""
    for seed in range(40):
        parts = by_quantity(7, 7, 0.5, stream(f"split {seed}"))
        assert sorted(part.tolist() for part in parts) == [[k] for k in range(7)]


def test_rows_are_dealt_in_no_order_of_the_file() -> None:
    own = by_quantity(1000, 4, 10.0, stream())[0]
    assert own.size > 100 and np.mean(np.diff(own) == 1) < 0.6


def test_too_few_rows_or_no_alpha_are_refused() -> None:
    with pytest.raises(UsageError, match="3 rows are too few for 4 clients"):
        by_quantity(3, 4, 1.0, stream())
    with pytest.raises(UsageError, match="too few"):
        by_labels(np.zeros(3), 4, 1.0, stream())
    with pytest.raises(UsageError, match="alpha"):
        by_quantity(3, 2, 0.0, stream())
