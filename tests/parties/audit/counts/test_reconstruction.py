"""What follows from counts and sums by linear programming: found where it follows, and nothing where it does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from parties.audit.attack import Audited, Finding
from parties.audit.counts.bounds import InconsistentFacts
from parties.audit.counts.reconstruction import (
    RECONSTRUCTION,
    deduce,
    single_values,
    small_counts_disclosed,
    solve_values,
)
from parties.audit.counts.unknowns import Unknowns, clusters_of
from parties.report.record import record_of
from parties.scenario.file import Scenario
from parties.session.lockstep import run_in_one_thread
from parties.tasks.audited.counts import Counted, Fact, Moments, Query, Weights
from parties.tasks.statistics.audit import AUDIT
from tests.studies import study_of_two

SIZES = {"a": 2, "b": 3}
RNG = np.random.default_rng(1)


def cell(a: int | None = None, b: int | None = None) -> Weights:
    chosen = {"a": a, "b": b}
    return {name: np.eye(SIZES[name])[k] for name, k in chosen.items() if k is not None}


def rows_of(table: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    a, b = np.nonzero(np.ones_like(table))
    often = np.array(table).reshape(-1)
    return {"a": np.repeat(a, often), "b": np.repeat(b, often)}


def counted(
    told: Sequence[tuple[Weights, float]],
    owners: Mapping[str, NDArray[np.int64]],
    slack: float = 0.0,
    withheld: Sequence[Weights] | None = None,
) -> Counted:
    """Cells of a table 2 x 3 of some owners' rows; the withheld ones are all cells unless they are named."""
    asked = [cell(a, b) for a in range(2) for b in range(3)] if withheld is None else withheld
    return Counted(
        SIZES,
        tuple(Fact(weights, value - slack, value + slack) for weights, value in told),
        tuple(Query(f"cell {k}", weights) for k, weights in enumerate(asked)),
        (),
        {owner: rows_of(table) for owner, table in owners.items()},
        {owner: {} for owner in owners},
        {},
        5,
        bool(slack),
    )


TABLE = np.array([[7, 2, 9], [4, 8, 6]])
MARGINS = [
    *((cell(a=a), float(TABLE[a].sum())) for a in range(2)),
    *((cell(b=b), float(TABLE[:, b].sum())) for b in range(3)),
]


def test_a_withheld_cell_follows_from_margins() -> None:
    told = [*MARGINS, (cell(0, 0), 7.0), (cell(0, 2), 9.0)]
    found = {one.query.text: one for one in deduce(counted(told, {"x": TABLE}), None, RNG)}
    assert {text: (one.low, one.high) for text, one in found.items()} == {
        f"cell {k}": (n, n) for k, n in enumerate(TABLE.reshape(-1))
    }
    assert found["cell 1"].truth == 2 and all(one.exact for one in found.values())


def test_two_withheld_cells_a_line_do_not_follow() -> None:
    told = [*MARGINS, (cell(0, 0), 7.0), (cell(1, 0), 4.0)]
    found = {one.query.text: one for one in deduce(counted(told, {"x": TABLE}), None, RNG)}
    assert not found["cell 1"].exact and not found["cell 1"].near
    assert (found["cell 1"].low, found["cell 1"].high) == (0, 10)


def test_bounds_are_those_of_all_tables() -> None:
    """Against every table of whole numbers that has the sums that were told."""
    rng = np.random.default_rng(2)
    exact = near = 0
    for _ in range(12):
        table = rng.integers(0, 4, (2, 3))
        told = [
            (weights, float(sum(table[k] for k in zip(*np.nonzero(np.multiply.outer(*both(weights))), strict=True))))
            for weights in (cell(a, b) for a in (None, 0, 1) for b in (None, 0, 1, 2))
            if rng.random() < 0.45
        ] + [({}, float(table.sum()))]
        tables = (
            [
                np.array(one).reshape(2, 3)
                for one in product(range(int(table.sum()) + 1), repeat=6)
                if sum(one) == table.sum()
            ]
            if table.sum() <= 7
            else []
        )
        fitting = [
            one for one in tables if all((one * np.multiply.outer(*both(w))).sum() == value for w, value in told)
        ]
        if not fitting:
            continue
        for one in deduce(counted(told, {"x": table}), None, rng):
            a, b = divmod(int(one.query.text.split()[1]), 3)
            values = [fit[a, b] for fit in fitting]
            assert min(values) <= one.low + 1e-6 and one.high - 1e-6 <= max(values)
            assert one.near == (max(values) - min(values) <= 2)
            if one.near:
                assert (one.low, one.high) == (min(values), max(values))
            exact += one.exact
            near += one.near
    assert exact > 3 and near > exact


def both(weights: Weights) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return weights.get("a", np.ones(2)), weights.get("b", np.ones(3))


def test_an_owner_takes_its_own_rows_off() -> None:
    """All rows of b = 1 but one are its own: what the margin leaves to others bounds each of their cells."""
    mine = np.array([[7, 1, 0], [4, 8, 0]])
    of = counted(MARGINS, {"x": mine, "y": TABLE - mine}, withheld=[cell(0, 1)])
    (outside,), (owner,) = deduce(of, None, RNG), deduce(of, "x", RNG)
    assert not outside.near and outside.truth == 2
    assert (owner.low, owner.high, owner.truth) == (0, 1, 1) and owner.near
    (knows_all_but_one,) = deduce(
        counted([*MARGINS, (cell(1, 1), 8.0)], {"x": mine, "y": TABLE - mine}, withheld=[cell(0, 1)]), "x", RNG
    )
    assert knows_all_but_one.exact and knows_all_but_one.low == 1


def test_noise_leaves_nothing() -> None:
    told = [(cell(a, b), float(TABLE[a, b])) for a in range(2) for b in range(3)]
    assert not any(one.near for one in deduce(counted([*told, *MARGINS], {"x": TABLE}, slack=5.0), None, RNG))


def test_numbers_that_do_not_fit_are_said_to_be_so() -> None:
    with pytest.raises(InconsistentFacts):
        deduce(counted([*MARGINS, ({}, 1.0)], {"x": TABLE}), None, RNG)


def summed(told: Sequence[Fact]) -> Counted:
    """Values of one row in cell 0, and of three in cell 1, of column a; the third cell of v has those without."""
    cells = {"a": np.array([0, 1, 1, 1]), "v": np.array([0, 0, 0, 0])}
    ends = np.array([0.0, 0.0]), np.array([100.0, 0.0])
    asked = Query("the sum of v", {"a": np.array([1.0, 0.0]), "v": np.array([1.0, 0.0])}, of="v")
    values = {"v": np.array([42.0, 10.0, 20.0, 30.0])}
    return Counted({"a": 2, "v": 2}, tuple(told), (asked,), (), {"x": cells}, {"x": values}, {"v": ends}, 5)


PRESENT = np.array([1.0, 0.0])


def test_a_single_value_follows_from_two_means() -> None:
    told = [
        Fact({}, 4, 4),
        Fact({"v": PRESENT}, 102, 102, of="v"),
        Fact({"a": np.array([0.0, 1.0]), "v": PRESENT}, 60, 60, of="v"),
    ]
    (found,) = deduce(summed(told), None, RNG)
    assert found.exact and found.low == pytest.approx(42) and found.truth == 42


def test_a_range_bounds_a_sum() -> None:
    """One row's value is within 0 and 100; of four rows with a sum of 102, each value could be anything up to that."""
    told = [Fact({}, 4, 4), Fact({"a": PRESENT}, 1, 1), Fact({"v": PRESENT}, 102, 102, of="v")]
    (found,) = deduce(summed(told), None, RNG)
    assert not found.near and 0 <= found.low < found.high <= 100
    told[2] = Fact({"v": PRESENT}, 399.5, 399.5, of="v")
    (found,) = deduce(summed(told), None, RNG)
    assert found.near and not found.exact and (found.low, found.high) == pytest.approx((99.5, 100))


def test_moments_of_two_are_their_values() -> None:
    assert solve_values(1, 7.0, None) == pytest.approx([7.0])
    assert solve_values(2, 10.0, 58.0) == pytest.approx([3.0, 7.0])
    assert solve_values(2, 10.0, None) is None and solve_values(3, 10.0, 58.0) is None
    of = Counted(
        {}, (), (), (Moments("v", 3, 11.0, 59.0, {"x": np.array([3.0]), "y": np.array([7.0, 1.0])}),), {}, {}, {}, 5
    )
    assert single_values(of, None) == []
    assert [one.tolist() for _, one in single_values(of, "x")] == [[1.0, 7.0]]
    assert [one.tolist() for _, one in single_values(of, "y")] == [[3.0]]


def test_small_counts_that_are_told_are_counted() -> None:
    asked = (Query("small", cell(0, 1), disclosed=4), Query("large", cell(1, 1), disclosed=16))
    of = Counted(SIZES, (), asked, (), {"x": rows_of(TABLE), "y": rows_of(TABLE)}, {}, {}, 5)
    assert [(one.text, n) for one, n in small_counts_disclosed(of, None)] == [("small", 4)]
    assert [(one.text, n) for one, n in small_counts_disclosed(of, "x")] == [("small", 2)]


def test_columns_that_facts_connect_are_in_one_cluster() -> None:
    sizes = dict.fromkeys("gabcd", 3)
    together = ["ga", "gab", "gbc", "gd"]
    assert sorted("".join(one) for one in clusters_of(together, sizes, 200)) == ["abcg", "dg"]
    assert sorted("".join(one) for one in clusters_of(together, sizes, 50)) == ["abg", "bcg", "dg"]


def test_clusters_agree_on_what_they_share() -> None:
    unknowns = Unknowns({"a": 2, "b": 3, "c": 2}, [["a", "b"], ["b", "c"]])
    rows = {name: RNG.integers(0, size, 50) for name, size in unknowns.sizes.items()}
    counts = unknowns.of_rows(rows)
    assert counts.sum() == 100 and unknowns.ties().shape == (3, 12)
    assert not (unknowns.ties() @ counts).any()
    counts[0] += 1
    assert (unknowns.ties() @ counts).any()


TASK = """columns = ["age", "flag"]
statistics = ["count", "missing", "mean", "sd"]
by = "sex"
tables = [["smoker", "arm"]]
min_cell = {least}
[task.categories]
sex = ["f", "m"]
smoker = ["no", "yes", "was"]
arm = ["old", "new"]
[task.histograms]
age = [30, 50, 70, 90]
"""


def study(folder: Path, least: int) -> Audited:
    rng = np.random.default_rng(5)
    tables = []
    for _ in range(2):
        lines = [
            f"{rng.choice(['f', 'm'])},{rng.choice(['no', 'yes', 'was'], p=[0.8, 0.16, 0.04])},"
            f"{rng.choice(['old', 'new'])},{rng.integers(30, 90)},{int(rng.random() < 0.05)}"
            for _ in range(60)
        ]
        tables.append("\n".join(["sex,smoker,arm,age,flag", *lines]))
    return Audited(study_of_two(folder, "statistics", TASK.format(least=least), *tables), AUDIT)


def figures(found: Finding) -> dict[str, float]:
    return {one.name: one.value for one in found.figures}


def test_the_rule_for_small_cells_withstands(tmp_path: Path) -> None:
    for found in RECONSTRUCTION.run(study(tmp_path, 5)):
        assert figures(found)["of withheld numbers, those that follow"] == 0
        assert figures(found)["counts of 1 to 4 patients told openly"] == 0


def test_without_the_rule_small_counts_are_told(tmp_path: Path) -> None:
    outside, owner = RECONSTRUCTION.run(study(tmp_path, 0))
    assert figures(outside)["counts of 1 to 4 patients told openly"] > 0
    assert figures(owner)["counts of 1 to 4 patients told openly"] > 4
    assert "Told as they are" in outside.sentence and outside.sentence.startswith("Nothing was withheld")


def test_a_cell_withheld_alone_is_given_back(tmp_path: Path) -> None:
    """As by hand: the smallest bin is left out, and its column's count is told. A record names it without its value."""
    audited = study(tmp_path, 0)
    assert isinstance(audited.scenario, Scenario)
    record = record_of(audited.scenario, run_in_one_thread(audited.scenario))
    group = record["statistics"]["histograms"]["age"]["groups"][0]
    group["counts"][1] = None
    found = RECONSTRUCTION.run(replace(audited, record=record))[0]
    assert figures(found)["of withheld numbers, those that follow"] == 1
    assert "age from 50 to below 70 among sex = f." in found.sentence


def subset_sums(rows: int, questions: int, error: float, slack: float, seed: int = 3) -> Counted:
    """Each row has a secret bit, and random subsets of rows are counted by it, each with an error up to so much."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, rows)
    sizes = {"row": rows, "bit": 2}
    ones = np.array([0.0, 1.0])
    facts = [Fact({"row": np.eye(rows)[k]}, 1, 1) for k in range(rows)]
    for _ in range(questions):
        subset = (rng.random(rows) < 0.5).astype(float)
        told = float(subset @ bits) + rng.uniform(-error, error)
        facts.append(Fact({"row": subset, "bit": ones}, told - slack, told + slack))
    asked = tuple(Query(f"bit {k}", {"row": np.eye(rows)[k], "bit": ones}) for k in range(rows))
    cells = {"x": {"row": np.arange(rows), "bit": bits}}
    return Counted(sizes, tuple(facts), asked, (), cells, {"x": {}}, {}, 5, bool(error))


@pytest.mark.parametrize(
    ("error", "slack", "least", "most"), [(0.0, 0.0, 24, 24), (0.5, 0.5, 20, 24), (5.0, 15.0, 0, 0)]
)
def test_many_subset_sums_give_single_bits(error: float, slack: float, least: int, most: int) -> None:
    """Dinur and Nissim 2003: unless each answer is off by about the root of the rows, or there are few answers."""
    found = deduce(subset_sums(24, 120, error, slack), None, RNG, near=0.99)
    assert least <= sum(one.exact for one in found) <= most
    assert all(one.low == one.truth for one in found if one.exact)


def test_few_subset_sums_give_no_bits() -> None:
    assert not any(one.exact for one in deduce(subset_sums(24, 4, 0.0, 0.0), None, RNG, near=0.99))


def test_an_owner_alone_learns_what_it_does_with_all_data(tmp_path: Path) -> None:
    """Only its own table is there: what follows for it from the record is the same; what is true is not known."""
    audited = study(tmp_path, 0)
    assert isinstance(audited.scenario, Scenario)
    record = record_of(audited.scenario, run_in_one_thread(audited.scenario))
    group = record["statistics"]["histograms"]["age"]["groups"][0]
    group["counts"][1] = None
    (both,), (alone,) = (AUDIT.counted(audited.scenario, [record], owner) for owner in (None, "a"))  # type: ignore[misc]
    (tmp_path / "b.csv").unlink()
    found = RECONSTRUCTION.run(replace(audited, record=record, owner="a"))[-1]
    assert found.against == "a, which knows its own rows"
    told = [[(one.text, n) for one, n in small_counts_disclosed(of, "a")] for of in (both, alone)]
    assert told[0] == told[1] and len(told[0]) > 3
    assert figures(found)["counts of 1 to 4 patients told openly"] == len(small_counts_disclosed(both, "a"))
    for one, other in zip(deduce(both, "a", RNG), deduce(alone, "a", RNG), strict=True):
        assert (one.query.text, one.low, one.high) == (other.query.text, other.low, other.high)
        assert other.truth is None and one.truth == one.low
    assert "it takes a run" in RECONSTRUCTION.applies(replace(audited, owner="a"))
