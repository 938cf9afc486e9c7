"""Sequences that keep equal items once: to read like tuples, and in memory that does not grow with what is equal."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.randomness.correlation import Kind, MultiplyTriple, Uniform, correction_bytes
from mpc.randomness.repeated import KindList, Repeated, listed
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, make_plan
from protocols.linalg.held import HeldProduct, HeldTransposeProduct, Rows, hold, product, take_rows, transpose_product
from protocols.training import batches as batches_module
from protocols.training.batches import Batches, batch_sizes, batches
from tests.examples import steady
from tests.mpc.kit import owners

COUNTS = {"a": 7, "b": 4}
OTHER = Rows.of(np.array([5, 3], dtype=np.int64))


@given(st.lists(st.sampled_from("abc"), max_size=30), st.slices(30))
@steady(100)
def test_it_reads_like_a_tuple(items: list[str], part: slice) -> None:
    repeated = Repeated(items)
    assert repeated == tuple(items) and tuple(items) == repeated and list(repeated) == items
    assert len(repeated) == len(items) and repeated[part] == tuple(items)[part]
    assert repeated != (*items, "d") and (not items or repeated != (*items[:-1], "d"))
    assert dict(repeated.counted()) == {item: items.count(item) for item in items}
    assert list(repeated.mapped(str.upper)) == [item.upper() for item in items]
    if items:
        assert (repeated[-1], repeated[0]) == (items[-1], items[0])
    with pytest.raises(IndexError):
        repeated[len(items)]


def kinds_of(steps: Sequence[Rows]) -> Iterator[Kind]:
    """What steps ask for: kinds that differ in their rows, and others."""
    w = Spec((3,), 8)
    for rows in steps:
        yield HeldProduct(0, rows, rows.index.size, w, 4, 2)
        yield MultiplyTriple(w, w)
        yield HeldTransposeProduct(0, rows, 3, Spec((rows.index.size,), 4), 4, 2)
    yield HeldProduct(0, OTHER, 2, w, 4, 2)
    yield Uniform((w,))


def test_kinds_that_differ_in_their_rows_read_like_a_tuple() -> None:
    steps = batches(3, 4, 5, COUNTS)
    plain = tuple(kinds_of(steps))
    kinds = KindList(plain)
    assert kinds == plain and listed(kinds) is kinds and listed(plain) == plain
    assert kinds[3:17] == plain[3:17] and kinds[-2] == plain[-2]
    for got, wanted in zip(kinds, plain, strict=True):
        assert repr(got) == repr(wanted)
        if isinstance(got, HeldProduct) and isinstance(wanted, HeldProduct):
            assert got.rows.index.tolist() == wanted.rows.index.tolist()
    assert kinds.digest == KindList(plain).digest
    assert list(kinds.correction_bytes()) == [correction_bytes(kind) for kind in plain]
    assert [kinds.like(k).drawn for k in range(len(plain))] == [kind.drawn for kind in plain]
    assert len(kinds.counted()) == 2 + 1 + 2 + 2, "two sizes of batches, for each of two kinds"
    assert sum(count for _, count in kinds.counted()) == len(plain)
    for number in (0, 2, len(plain) - 2):
        changed = [*plain]
        changed[number] = plain[3] if number != 3 else plain[0]
        assert KindList(changed) != kinds and KindList(changed).digest != kinds.digest


@pytest.mark.parametrize("kept", [0, 1 << 20])
def test_batches_are_the_same_whether_they_are_kept_or_not(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tuple(batches(5, 6, 4, COUNTS))
    monkeypatch.setattr(batches_module, "MOST_KEPT", kept)
    steps = batches(5, 6, 4, COUNTS)
    for order in (range(18), reversed(range(18))):
        for t in order:
            assert steps[t] == plain[t] and steps[t].index.tolist() == plain[t].index.tolist()
    assert tuple(steps) == plain and tuple(steps[4:11]) == plain[4:11] and tuple(steps[4:11][1:3]) == plain[5:7]
    assert list(batch_sizes(steps)) == list(batch_sizes(plain)) == [4, 4, 3] * 6
    assert steps == Batches(5, 6, 4, tuple(COUNTS.items())) != Batches(6, 6, 4, tuple(COUNTS.items()))
    assert steps[4:11] == batches(5, 6, 4, COUNTS)[4:11] != steps[4:10] and repr(steps[0:2]) == f"{steps!r}[0:2:1]"
    assert len(steps) == 18
    with pytest.raises(IndexError):
        steps[18]


def training(steps: Sequence[Rows]) -> Plan:
    """The plan of as many steps as a training takes."""

    async def program(p: Party) -> None:
        x = await hold(p, p.input(p.owners[0], None, (11, 3), 4))
        w = p.input(p.owners[0], None, (3,), 8)
        p.stage("training", 0, len(steps))
        for rows in steps:
            z, _ = await product(p, take_rows(x, rows), w, 2, label="w")
            await transpose_product(p, take_rows(x, rows), z, 2, label="e")

    return make_plan(program, owners(2), "helper")


def test_a_plan_takes_some_bytes_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a million steps of two rounds take at most 40 MB, where a round took 1 kB."""
    monkeypatch.setattr(batches_module, "MOST_KEPT", 0)

    def held(epochs: int) -> tuple[int, Plan]:
        tracemalloc.start()
        try:
            plan = training(batches(5, epochs, 4, COUNTS))
            assert plan.digest and plan.bytes_sent and plan.windows and plan.turns and plan.seconds(0.01, 1e6) > 0
            assert all(plan.group(number) for number in range(len(plan.windows)))
            gc.collect()
            return tracemalloc.get_traced_memory()[0], plan
        finally:
            tracemalloc.stop()

    (less, plan), (more, longer) = held(100), held(500)
    steps = (len(longer.rounds) - len(plan.rounds)) // 2
    assert steps == 3 * 400
    assert (more - less) / steps < 40


def test_what_a_plan_says_is_the_same_in_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = training(tuple(batches(5, 20, 4, COUNTS)))
    monkeypatch.setattr(batches_module, "MOST_KEPT", 0)
    little = training(batches(5, 20, 4, COUNTS))
    assert little == plain and little.digest == plain.digest
    assert little.kinds == tuple(plain.kinds) and little.rounds == tuple(plain.rounds)
    for part in ("windows", "turns", "bytes_sent", "messages_sent", "correlations"):
        assert getattr(little, part) == getattr(plain, part)
    assert [list(little.group(n)) for n in range(len(little.windows))] == [
        list(plain.group(n)) for n in range(len(plain.windows))
    ]
    assert little.seconds(0.03, 1e5) == plain.seconds(0.03, 1e5)
    assert [one.draws for one in islice(little.rounds, 4)] == [1, 1, 1, 1]
