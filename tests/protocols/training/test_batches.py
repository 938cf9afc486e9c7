"""The public split and batches: a partition, well mixed, and the same for ever."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.training import batches as batches_module
from protocols.training.batches import batches, epoch_order, split
from protocols.training.batches import test_count as held_out
from tests.examples import steady
from tests.helpers import example_tables, job, train

seeds = st.integers(-(2**63), 2**63 - 1)
owners = st.lists(st.integers(0, 60), min_size=2, max_size=5).map(lambda c: {f"o{k}": v for k, v in enumerate(c)})


@steady(100)
@given(seeds, st.integers(0, 300), st.floats(0, 0.99))
def test_the_split_is_a_partition_in_the_file_s_order(seed: int, rows: int, fraction: float) -> None:
    train, test = split(seed, "owner", rows, fraction)
    assert sorted([*train, *test]) == list(range(rows))
    assert len(test) == held_out(rows, fraction)
    assert abs(len(test) - rows * fraction) <= 0.5
    assert (np.diff(train) > 0).all() and (np.diff(test) > 0).all()


@pytest.mark.parametrize(
    ("rows", "fraction", "count"), [(10, 0.25, 3), (300, 0.2, 60), (269, 0.2, 54), (1, 0.5, 1), (5, 0.0, 0)]
)
def test_how_many_are_held_out(rows: int, fraction: float, count: int) -> None:
    assert held_out(rows, fraction) == count


@steady(100)
@given(seeds, st.integers(0, 4), owners, st.integers(1, 80))
def test_every_epoch_uses_every_row_once(seed: int, epochs: int, counts: dict[str, int], size: int) -> None:
    steps = batches(seed, epochs, size, counts)
    total = sum(counts.values())
    each = -(-total // size)
    assert len(steps) == epochs * each
    for epoch in range(epochs):
        part = steps[epoch * each : (epoch + 1) * each]
        assert sorted(np.concatenate([rows.index for rows in part]).tolist() if part else []) == list(range(total))
        assert all(rows.index.size == size for rows in part[:-1])
        assert all(0 < rows.index.size <= size for rows in part[-1:])


@steady(100)
@given(seeds, owners, st.integers(1, 80))
def test_every_batch_mixes_the_owners_in_proportion(seed: int, counts: dict[str, int], size: int) -> None:
    total, start = sum(counts.values()), 0
    steps = batches(seed, 1, size, counts)
    for count in counts.values():
        for rows in steps:
            mine = np.sum((rows.index >= start) & (rows.index < start + count))
            assert abs(mine - rows.index.size * count / total) < len(counts)
        start += count


def test_epochs_owners_and_seeds_have_orders_of_their_own() -> None:
    counts = {"a": 30, "b": 30}
    orders = [epoch_order(seed, epoch, counts) for seed in (1, 2) for epoch in (0, 1)]
    assert len({order.tobytes() for order in orders}) == 4
    assert not np.array_equal(orders[0][orders[0] < 30], orders[0][orders[0] >= 30] - 30)
    assert split(1, "a", 50, 0.5)[1].tolist() != split(1, "b", 50, 0.5)[1].tolist()


def test_the_order_is_random() -> None:
    # The first place of an epoch goes to every row of an owner equally often.
    firsts = [int(epoch_order(seed, 0, {"a": 10})[0]) for seed in range(2000)]
    counts = np.bincount(firsts, minlength=10)
    assert np.sum((counts - 200.0) ** 2 / 200) < 27.9  # chi-square, 9 degrees of freedom: 1 in 1,000


def digest(*arrays: np.ndarray) -> str:
    return sha256(b"".join(a.astype("<i8").tobytes() + b"|" for a in arrays)).hexdigest()[:16]


def test_they_never_change() -> None:
    # A model is reproducible from its scenario only as long as these stay: change them with a new schema alone.
    assert digest(*split(7, "hospital_a", 300, 0.2)) == "091b18a5a8521447"
    assert digest(*split(7, "hospital_b", 269, 0.2)) == "4b668dbd12526b1d"
    steps = batches(7, 10, 128, {"hospital_a": 240, "hospital_b": 215})
    assert digest(*(rows.index for rows in steps)) == "02fec1446dcc25bf"
    assert steps[0].digest == "278d560885e1bf27"
    assert digest(*(rows.index for rows in batches(-1, 3, 7, {"a": 5, "b": 0, "ü": 9}))) == "e090ab9d01a1b8c4"
    assert split(0, "a", 10, 0.3)[1].tolist() == [2, 4, 6]


@pytest.mark.parametrize("form", ["primal", "dual"])
def test_batches_worked_out_anew_change_no_bit(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    own, how = job(example_tables([20, 15], 3, 3), epochs=5, batch_size=6, form=form)
    kept = train(own, how)
    monkeypatch.setattr(batches_module, "MOST_KEPT", 0)
    anew = train(own, how)
    assert anew.plan.digest == kept.plan.digest and anew.payload_bytes == kept.payload_bytes
    for name, model in kept.results.items():
        assert anew.results[name].weights == model.weights
