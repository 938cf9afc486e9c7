"""Which columns of a model have small cells: beside counting in the clear, and before any job opens a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError
from mpc.runtime.lockstep import Outcome, run_lockstep
from mpc.runtime.party import Party
from protocols.disclosure.design_cells import WHAT, Split, small_columns, split_columns
from protocols.disclosure.own_design import FEW, OwnDesign, axis_of, plain
from protocols.inference.rows_job import inference_job
from protocols.linear.rows_job import linear_job
from protocols.linear.settings import LinearSettings
from protocols.rows.design import Made
from protocols.rows.offset_weights import OffsetWeights
from protocols.rows.own_rows import OwnRows
from protocols.rows.settings import TrainingSettings
from protocols.training.rows_job import training_job
from tests.helpers import entropy, lockstep, owner_names

M = 5


def found(designs: Sequence[OwnDesign], seed: int = 0) -> list[bool]:
    """The bits that are opened: of each column, the target, all columns together."""
    first = designs[0]

    async def program(p: Party) -> np.ndarray:
        mine = None if p.dry else designs[p.index]
        columns = len(first.made.products)
        word = await small_columns(p, mine, columns, M, classes=first.classes)
        return word.value

    outcome = lockstep(dict.fromkeys(owner_names(len(designs)), program), seed)
    assert [one.what for one in outcome.reveals] == [WHAT]
    return [bool(one) for one in outcome.results["owner0"]]


def design(x: np.ndarray, y: np.ndarray, made: Made | None = None, *, matrices: bool = False) -> OwnDesign:
    classes = bool(np.isin(y, (0, 1)).all())
    return OwnDesign(x.astype(float), made or plain(x.shape[1]), y.astype(float), classes, M, matrices)


def cell(values: np.ndarray, y: np.ndarray) -> bool:
    """Whether rows with one of these values (m, k), in one class, are few but not none."""
    _, counts = np.unique(np.column_stack((values, y)), axis=0, return_counts=True)
    return bool((counts < M).any())


def pooled(rows: Sequence[tuple[np.ndarray, np.ndarray]], columns: Sequence[int]) -> bool:
    """Whether for some owner the others' rows together have a small cell of these columns' values."""
    seen = []
    for viewer in range(len(rows)):
        others = [one for k, one in enumerate(rows) if k != viewer]
        seen.append(cell(np.concatenate([x[:, columns] for x, _ in others]), np.concatenate([y for _, y in others])))
    return any(seen)


def drawn(rng: np.random.Generator, owners: int, values: int, columns: int = 2) -> list[tuple[np.ndarray, np.ndarray]]:
    """Owners' rows of columns with a few values, some of them rare, and classes."""
    chance = rng.dirichlet(np.full(values, 0.8 if values == 2 else 4.0), size=columns)
    one_in = rng.uniform(0.05, 0.6)
    rows = rng.integers(15, 90, size=owners) * (values - 1)
    return [
        (np.column_stack([rng.choice(values, size=n, p=c) for c in chance]), (rng.random(n) < one_in).astype(int))
        for n in rows
    ]


@pytest.mark.parametrize("values", [2, 4])
def test_two_owners_are_told_just_the_small_cells_columns(values: int) -> None:
    seen = []
    for seed in range(25):
        rows = drawn(np.random.default_rng(seed), 2, values)
        told = found([design(x, y) for x, y in rows], seed)
        assert told[:2] == [pooled(rows, [0]), pooled(rows, [1])]
        assert told[2] == pooled(rows, [])
        every = any(cell(x, y) and len(np.unique(x, axis=0)) <= 4 for x, y in rows)
        assert told[3] == every
        seen += told[:2]
    assert 5 < sum(seen) < 45


def test_of_three_owners_cells_of_0_and_1_are_counted_together() -> None:
    seen = []
    for seed in range(20):
        rows = drawn(np.random.default_rng(seed), 3, 2)
        told = found([design(x, y) for x, y in rows], seed)
        assert told == [pooled(rows, c) for c in ([0], [1], [], [0, 1])]
        alone = [any(cell(x[:, [k]], y) for x, y in rows) for k in range(2)]
        seen += [one and not two for one, two in zip(alone, told, strict=False)]
    assert any(seen)  # an owner's own rows alone would have been too few


def test_of_three_owners_no_other_small_cell_passes() -> None:
    passed = 0
    for seed in range(30):
        rows = drawn(np.random.default_rng(seed), 3, 3, columns=1)
        told = found([design(x, y) for x, y in rows], seed)
        if not told[0]:
            passed += 1
            assert not pooled(rows, [0])
    assert passed > 1


@pytest.mark.parametrize("owners", [2, 3])
def test_a_column_of_many_values_passes_wherever_it_has_them(owners: int) -> None:
    rng = np.random.default_rng(3)
    y = np.repeat([0, 1], 30)
    wide = [rng.normal(size=(60, 1)) for _ in range(owners)]
    assert found([design(x, y) for x in wide]) == [False] * 3
    # At one owner it has two values, of which one is rare: it is told of, for that owner is all others of somebody.
    rare = [*wide[:-1], np.array([[1.0]] * 2 + [[0.0]] * 58)]
    assert found([design(x, y) for x in rare])[0] is (owners == 2)
    assert axis_of(np.arange(FEW)) is not None
    assert axis_of(np.arange(FEW + 1)) is None
    late = np.concatenate((np.zeros(5000), np.arange(FEW + 1)))
    assert axis_of(late) is None


def category(levels: np.ndarray, count: int) -> np.ndarray:
    return (levels[:, np.newaxis] == np.arange(1, count)).astype(float)


@pytest.mark.parametrize("owners", [2, 3])
def test_the_first_level_of_a_category_is_a_cell(owners: int) -> None:
    made = Made(((0,), (1,)), ((0, 1),))
    y = np.tile([0, 1], 40)
    fine = category(np.repeat([0, 1, 2], [20, 30, 30]), 3)
    assert found([design(fine, y, made)] * owners) == [False] * 4
    few = 6 if owners == 2 else 4  # three of each class at one owner; of two others together, four
    rare = category(np.repeat([0, 1, 2], [few, 40, 80 - 40 - few]), 3)
    assert found([design(rare, y, made)] * owners)[:2] == [True, True]


@pytest.mark.parametrize("owners", [2, 3])
def test_a_product_has_a_cell_for_each_pair_of_factors(owners: int) -> None:
    a = np.repeat([0, 0, 1, 1], [40, 40, 2, 36])  # with b: 2 rows a second are in a alone
    b = np.repeat([0, 1, 0, 1], [40, 40, 2, 36])
    y = np.tile([0, 1], 59)
    x = np.column_stack((a, b, a * b)).astype(float)
    made = Made(((0,), (1,), (0, 1)))
    assert found([design(x, y, made)] * owners)[:3] == [False, False, True]
    # The same where the factors are in no column of their own, and where the other one has many values.
    alone = Made(((0, 1),), (), x[:, :2])
    assert found([design(x[:, 2:], y, alone)] * owners)[0]
    wide = np.column_stack((a, np.linspace(0, 1, len(a))))
    assert not found([design(wide[:, :1] * wide[:, 1:], y, Made(((0, 1),), (), wide))] * owners)[0]


@pytest.mark.parametrize("owners", [2, 3])
def test_open_matrices_tell_the_rows_of_each_combination(owners: int) -> None:
    a, b = np.repeat([0, 1, 0, 1], [40, 38, 38, 2]), np.repeat([0, 0, 1, 1], [40, 38, 38, 2])
    c = np.linspace(-1, 1, 118)
    x, y = np.column_stack((a, b, c)), np.tile([0, 1], 59)
    assert found([design(x, y)] * owners) == [False] * 5  # the third has many values
    assert found([design(x, y, matrices=True)] * owners) == [False] * 4 + [True]


@pytest.mark.parametrize("flags", [3, 4])
def test_combinations_are_cells_as_long_as_they_are_solved_for(flags: int) -> None:
    """Of three 0/1 columns, 3 means, 4 variances and the number of rows are 8 equations; of four, 10 for 16."""
    x = np.array([[(k >> bit) & 1 for bit in range(flags)] for k in range(2**flags)])
    x = np.repeat(x, [12] * (2**flags - 1) + [4], axis=0)
    y = np.arange(len(x)) % 2
    assert found([design(x, y)] * 2) == [False] * (flags + 1) + [flags == 3]


def test_levels_as_columns_of_0_and_1_are_found() -> None:
    levels = category(np.repeat([0, 1, 2, 3], [6, 40, 30, 30]), 4)
    y = np.tile([0, 1], 53)
    assert found([design(levels, y)] * 2) == [False] * 4 + [True]
    # A further column of many values: the model is no table of counts.
    assert found([design(np.column_stack((levels, np.linspace(0, 1, 106))), y)] * 2) == [False] * 6


def test_a_target_of_few_values_is_a_cell_of_a_linear_regression() -> None:
    x = np.repeat([[0.0], [1.0]], 40, axis=0)
    many = np.linspace(0, 1, 80)
    for owners in (2, 3):
        assert found([design(x, many)] * owners) == [False] * 3
        rare = np.where(np.arange(80) < 2, 3.0, np.where(np.arange(80) < 40, 2.0, 5.0))
        assert found([design(x, rare)] * owners)[:2] == [True, True]
    assert found([design(x[:43], many[:43])] * 2)[0]  # three rows of a value


# -- where columns are split

ROWS = 120


def found_split(columns: Sequence[np.ndarray], y: np.ndarray, holder: int = 0, seed: int = 0) -> list[bool]:
    """The bits that are opened, of owners with these columns (ROWS, d_k) of the same rows."""
    names = owner_names(len(columns))
    split = Split({name: x.shape[1] for name, x in zip(names, columns, strict=True)}, names[holder], len(y), M)
    classes = bool(np.isin(y, (0, 1)).all())

    async def program(p: Party) -> np.ndarray:
        mine = None
        if not p.dry:
            x = columns[p.index].astype(float)
            mine = OwnDesign(x, plain(x.shape[1]), y.astype(float) if p.index == holder else None, classes, M)
        return (await split_columns(p, mine, None, split)).value

    outcome = lockstep(dict.fromkeys(names, program), seed)
    return [bool(one) for one in outcome.results["owner0"]]


@pytest.mark.parametrize("owners", [2, 3])
def test_split_columns_are_counted_by_anothers_class(owners: int) -> None:
    seen = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        y = (rng.random(ROWS) < 0.3).astype(int)
        columns = [
            (rng.random((ROWS, 1)) < rng.uniform(0.02, 0.4)).astype(int) + rng.integers(3) for _ in range(owners)
        ]
        told = found_split(columns, y, holder=seed % owners, seed=seed)
        assert told[:owners] == [cell(x, y) for x in columns]
        assert told[owners:] == [False, False]
        seen += [one and not cell(x, np.zeros(ROWS)) for x, one in zip(columns, told, strict=False)]
    assert any(seen)  # by class alone


def test_what_split_columns_are_not_tested_for() -> None:
    y = np.tile([0, 1], ROWS // 2)
    values = np.repeat(np.arange(8), ROWS // 8)  # as many as a word has places for, of 120 rows
    values[values == 7] = 9
    rare = y.copy()
    rare[values == 9] = 0
    rare[np.flatnonzero(values == 9)[:2]] = 1
    assert cell(values[:, np.newaxis], rare)
    assert found_split([np.zeros((ROWS, 0)), values[:, np.newaxis]], rare)[0]
    many = np.repeat(np.arange(10), ROWS // 10)  # more: two of each are of class 1
    assert not found_split([np.zeros((ROWS, 0)), many[:, np.newaxis]], (np.arange(ROWS) % 12 < 2).astype(int))[0]
    few = np.repeat(np.arange(9), [4, *[14] * 7, 18])
    assert found_split([np.zeros((ROWS, 0)), few[:, np.newaxis]], y)[0]  # but its values are
    # Both owners' columns together have a cell of two rows.
    a, b = np.repeat([0, 1], [60, 60]), np.repeat([0, 1, 0, 1], [58, 2, 2, 58])
    assert cell(np.column_stack((a, b)), np.zeros(ROWS))
    assert found_split([a[:, np.newaxis], b[:, np.newaxis]], y[::-1]) == [False] * 4


def test_combinations_of_split_columns_are_cells() -> None:
    levels = category(np.repeat([0, 1, 2, 3], [4, 36, 40, 40]), 4)
    flag, y = np.tile([[0], [1]], (ROWS // 2, 1)), (np.arange(ROWS) % 3 == 0).astype(int)
    nothing, wide = np.zeros((ROWS, 0)), np.linspace(0, 1, ROWS)[:, np.newaxis]
    for others, told in (([flag], True), ([nothing], True), ([wide], False), ([flag, wide], False)):
        found_there = found_split([*others, levels], y)
        assert not any(found_there[:-1])
        assert found_there[-1] is told


def test_split_columns_of_fewer_rows_than_a_cell_needs() -> None:
    y, flag = np.tile([0, 1], 5), np.repeat([[0], [1]], 5, axis=0)
    names = owner_names(2)
    split = Split(dict.fromkeys(names, 1), names[0], 10, 100)

    async def program(p: Party) -> np.ndarray:
        mine = None
        if not p.dry:
            mine = OwnDesign(flag.astype(float), plain(1), y.astype(float) if p.index == 0 else None, True, 100)
        return (await split_columns(p, mine, None, split)).value

    assert lockstep(dict.fromkeys(names, program)).results["owner0"][:3].all()


# -- in the jobs

COUNTED = [(20, 30, 30, 40), (2, 18, 30, 50)]  # with 1: of class 1 and 0; with 0: likewise


def rows_of(cells: Sequence[int]) -> OwnRows:
    pairs = np.repeat([(1.0, 1.0), (1.0, 0.0), (0.0, 1.0), (0.0, 0.0)], cells, axis=0)
    x, y = pairs[:, :1], pairs[:, 1]
    return OwnRows(("smoker",), x, y, x[:0], y[:0])


def settings(rows: Sequence[OwnRows], **changes: object) -> TrainingSettings:
    n = len(rows)
    base = TrainingSettings(
        owner_names(n), "helper", tuple(len(own.y_train) for own in rows), (0,) * n, 1, 3, 2, 64, 0.5, 0.0, 20.0, True,
        False, min_cell=M,
    )  # fmt: skip
    return replace(base, **changes)  # type: ignore[arg-type]


KINDS = {
    "sgd": {},
    "private": {"standardise": "private"},
    "nesterov, kept": {"solver": "nesterov", "iterations": 3, "reveal_model": False},
    "shared": {"solver": "irls", "iterations": 8, "inference": "shared"},
    "open-fisher": {"solver": "irls", "iterations": 8, "inference": "open-fisher"},
}


def run(rows: Sequence[OwnRows], how: TrainingSettings | LinearSettings) -> Outcome:
    linear = isinstance(how, LinearSettings)
    job = linear_job if linear else inference_job if how.inference else training_job

    async def program(p: Party) -> object:
        return await job(p, None if p.dry else rows[p.index], how)  # type: ignore[arg-type]

    names = how.owners
    return run_lockstep(dict.fromkeys(names, program), entropy=entropy(names, 1), refusal=DataError)


@pytest.mark.parametrize("changes", KINDS.values(), ids=KINDS)
def test_a_job_opens_nothing_else_before_it_stops(changes: dict[str, object]) -> None:
    rows = [rows_of(cells) for cells in COUNTED]
    ended = run(rows, settings(rows, **changes))
    assert [one.what for one in ended.reveals] == [WHAT]
    error = ended.results["owner0"]
    assert isinstance(error, DataError) and error.message.startswith("column smoker: some value")
    assert "min_cell = 5" in error.message and "policy" in error.hint
    fine = [rows_of((20, 30, 30, 40)), rows_of((5, 15, 30, 50))]
    whole = run(fine, settings(fine, **changes))
    assert whole.reveals[0].what == WHAT and len(whole.reveals) > 1
    if changes.get("reveal_model", True):
        assert abs(whole.results["owner0"].weights[0]) < 2
    off = run(rows, settings(rows, **changes, min_cell=1))
    assert WHAT not in [one.what for one in off.reveals]


@pytest.mark.parametrize("inference", ["shared", "open-gram"])
def test_a_linear_regression_opens_nothing_else_before_it_stops(inference: str) -> None:
    rng = np.random.default_rng(2)

    def own(ones: int) -> OwnRows:
        x = np.repeat([[1.0], [0.0]], [ones, 40], axis=0)
        y = rng.normal(size=len(x))
        return OwnRows(("smoker",), x, y, x[:0], y[:0])

    def asked(rows: Sequence[OwnRows]) -> LinearSettings:
        sizes = tuple(len(one.y_train) for one in rows)
        return LinearSettings(owner_names(2), "helper", sizes, (0, 0), 1, "pain", inference=inference, min_cell=M)  # type: ignore[arg-type]

    rows = [own(20), own(4)]
    ended = run(rows, asked(rows))
    assert [one.what for one in ended.reveals] == [WHAT]
    assert "column smoker" in ended.results["owner0"].message
    rows = [own(20), own(5)]
    assert len(run(rows, asked(rows)).reveals) > 1


def test_a_job_stops_where_the_target_alone_has_a_small_cell() -> None:
    """A column of many values has none."""

    def own(ones: int) -> OwnRows:
        x, y = np.linspace(-1, 1, 60)[:, np.newaxis], np.zeros(60)
        y[np.linspace(0, 59, ones).astype(int)] = 1.0
        return OwnRows(("age",), x, y, x[:0], y[:0])

    for ones, stops in ((3, True), (20, False)):
        rows = [own(25), own(ones)]
        ended = run(rows, settings(rows, solver="irls", iterations=8, inference="shared"))
        assert ([one.what for one in ended.reveals] == [WHAT]) == stops


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize("opened", [True, False])
def test_open_matrices_stop_at_a_small_cell_of_two_columns(linear: bool, opened: bool) -> None:
    """Of which each alone has none; the third column has many values, so that not all cells follow from the model."""
    rng = np.random.default_rng(4)

    def own(both: int) -> OwnRows:
        flags = np.repeat([(1, 1), (1, 0), (0, 1), (0, 0)], [both, 60, 60, 80], axis=0)
        x = np.column_stack((flags, rng.normal(size=len(flags))))
        y = rng.normal(size=len(x)) if linear else rng.integers(0, 2, len(x)).astype(float)
        return OwnRows(("smoker", "old", "dose"), x, y, x[:0], y[:0])

    rows = [own(30), own(2)]
    sizes = tuple(len(one.y_train) for one in rows)
    how: LinearSettings | TrainingSettings
    if linear:
        inference: Any = "open-gram" if opened else "shared"
        how = LinearSettings(owner_names(2), "helper", sizes, (0, 0), 3, "pain", inference=inference, min_cell=M)
    else:
        inference = "open-fisher" if opened else "shared"
        how = settings(rows, features=3, solver="irls", iterations=8, inference=inference)
    ended = run(rows, how)
    assert ([one.what for one in ended.reveals] == [WHAT]) == opened
    if opened:
        assert ended.results["owner0"].message.startswith("all columns together: some value")


def test_rows_that_do_not_count_are_in_no_cell() -> None:
    rows = [rows_of((20, 30, 30, 40)), rows_of((6, 14, 30, 50))]
    how = settings(rows, solver="irls", iterations=8, inference="shared", weighted=True)
    counts = [np.ones(len(one.y_train)) for one in rows]
    whole = [
        replace(one, offset_weights_train=OffsetWeights(None, count)) for one, count in zip(rows, counts, strict=True)
    ]
    assert len(run(whole, how).reveals) > 1
    counts[1][:3] = 0.0  # leaves three of the six
    fewer = [
        replace(one, offset_weights_train=OffsetWeights(None, count)) for one, count in zip(rows, counts, strict=True)
    ]
    assert [one.what for one in run(fewer, how).reveals] == [WHAT]
