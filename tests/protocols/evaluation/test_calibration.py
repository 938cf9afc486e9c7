"""Calibration by tenths of predicted risk, beside the same on the pooled rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.ring.abstract_array import abstract
from mpc.runtime.party import Party
from protocols.disclosure.suppression import Halving, Span
from protocols.evaluation.calibration import GROUPS, STEP, calibrate, enough
from protocols.evaluation.metrics import Scored
from protocols.rows.offset_weights import OffsetWeights
from protocols.rows.results import Group
from tests.helpers import lockstep, owner_names
from tests.protocols.inference.test_offsets_and_weights import NAMES, drawn
from tests.protocols.inference.test_rows_job import FEATURES, breast_cancer
from tests.protocols.inference.test_rows_job import run as fitted


def tenths(z: np.ndarray, y: np.ndarray, n: int = 2, min_cell: int = 5) -> tuple[tuple[Group, ...], list[str]]:
    """What n owners learn together, of rows dealt out to them, and what is revealed."""
    owners = owner_names(n)

    def factory(k: int) -> Any:
        mine = Scored(z[k::n], y[k::n])
        blank = Scored(abstract((1,)), abstract((1,)))

        async def program(p: Any) -> Any:
            return await calibrate(p, {"train": (blank if p.dry else mine, len(z))}, min_cell)

        return program

    outcome = lockstep({owner: factory(k) for k, owner in enumerate(owners)})
    first, *others = (outcome.results[owner]["train"] for owner in owners)
    assert all(other == first for other in others)
    return first, [item.what for item in outcome.reveals]


def tenth_of(z: np.ndarray) -> np.ndarray:
    """Each row's tenth, of rows in one place: cut at order statistics of the scores, rounded up."""
    whole, m = np.ceil(np.clip(z, -32, 32 - STEP) / STEP), len(z)
    return np.searchsorted([np.sort(whole)[-(-k * m // GROUPS) - 1] for k in range(1, GROUPS)], whole, side="left")


def sums_of(groups: tuple[Group, ...], z: np.ndarray, group: np.ndarray) -> list[float]:
    """The expected numbers of the groups that are told."""
    risk = 1 / (1 + np.exp(-z))
    return [float(risk[(group >= one.first - 1) & (group < one.last)].sum()) for one in groups]


def cells_of(group: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The rows of class 0 and of class 1 in each tenth (10, 2), as ring elements."""
    counts = np.bincount(2 * group + y.astype(np.int64), minlength=2 * GROUPS)
    return counts.reshape(GROUPS, 2).astype(np.uint64)


def plainly_joined(parts: np.ndarray, min_cell: int = 5) -> list[Span]:
    """Which tenths are joined, from the rule worked out in the clear on each owner's part of the counts (n, 10, 2)."""
    others = parts.sum(axis=0) - parts if len(parts) > 1 else parts
    halving = Halving(GROUPS)

    def small(span: Span) -> bool:
        counts = others[:, span[0] : span[1]].sum(axis=1)
        return bool(((counts > 0) & (counts < min_cell)).any())

    return halving.blocks([any(map(small, asked)) for asked in halving.questions.values()])


def wanted(z: np.ndarray, y: np.ndarray, group: np.ndarray, n: int, min_cell: int = 5) -> list[tuple[int, ...]]:
    """First and last tenth, rows and outcomes of each group that is told, of rows dealt out to n owners."""
    joined = plainly_joined(np.stack([cells_of(group[k::n], y[k::n]) for k in range(n)]).astype(int), min_cell)
    if joined == [(0, GROUPS)]:
        return []
    alone = [(k, k + 1) for k in range(GROUPS) if not any(a <= k < b for a, b in joined)]
    spans = sorted([*joined, *alone])
    assert z.shape == y.shape
    return [
        (a + 1, b, int(((group >= a) & (group < b)).sum()), int(y[(group >= a) & (group < b)].sum())) for a, b in spans
    ]


def told(groups: tuple[Group, ...]) -> list[tuple[int, ...]]:
    return [(one.first, one.last, one.rows, one.observed) for one in groups]


def draw(m: int, spread: float = 1.5, middle: float = -1.0, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    z = generator.normal(middle, spread, m)
    return z, (generator.random(m) < 1 / (1 + np.exp(-z))).astype(float)


@pytest.mark.parametrize(
    ("n", "m", "spread"), [(2, 1000, 1.5), (3, 400, 1.5), (2, 600, 4.0), (2, 300, 0.02), (2, 500, 60.0)]
)
def test_it_is_the_pooled_table(n: int, m: int, spread: float) -> None:
    z, y = draw(m, spread)
    found, revealed = tenths(z, y, n)
    group = tenth_of(z)
    assert told(found) == wanted(z, y, group, n)
    assert [one.expected for one in found] == pytest.approx(sums_of(found, z, group), abs=1e-5)
    assert sum(one.rows for one in found) in (0, m)
    assert set(revealed) == {"withheld cells", "calibration"}


def test_tenths_are_pandas_tenths() -> None:
    import pandas as pd

    z, y = draw(2000, 1.0, 0.0, seed=2)
    found, _ = tenths(z, y)
    groups = pd.qcut(z, GROUPS, labels=False)
    assert len(found) == GROUPS
    for k, one in enumerate(found):
        mine = groups == k
        assert abs(one.rows - mine.sum()) <= 4  # of scores within 2^-8 of a cut
        assert abs(one.observed - y[mine].sum()) <= 4
        assert one.expected == pytest.approx((1 / (1 + np.exp(-z[mine]))).sum(), abs=3)


def test_tenths_are_joined_where_few_patients_of_a_class_are() -> None:
    z, y = draw(500, 2.5, seed=3)
    found, _ = tenths(z, y)
    assert 2 <= len(found) < GROUPS
    assert all(one.observed == 0 or one.observed >= 5 for one in found)
    assert all(one.rows == one.observed or one.rows - one.observed >= 5 for one in found)


def test_what_is_told_gives_no_small_cell_back() -> None:
    """Not even if owners knew of each tenth how many of the others' rows are in it: nobody is told."""
    generator = np.random.default_rng(11)
    joined_some = 0
    for _ in range(1000):
        low, high = np.sort(generator.normal(-1, 3, 2)).tolist()
        risk = 1 / (1 + np.exp(-np.linspace(low, high, GROUPS)))
        sizes = generator.choice([2.0, 8.0, 25.0], size=GROUPS)
        rates = np.stack((sizes * (1 - risk), sizes * risk), axis=1)
        parts = generator.poisson(rates, size=(2, GROUPS, 2))
        joined = plainly_joined(parts)
        joined_some += bool(joined) and joined != [(0, GROUPS)]
        for others in (parts.sum(axis=0) - parts) if joined != [(0, GROUPS)] else ():
            for a, b in [*joined, *((k, k + 1) for k in range(GROUPS) if not any(c <= k < d for c, d in joined))]:
                rows, ill = others[a:b].sum(axis=1), others[a:b, 1]
                if ill.sum() in (0, rows.sum()):
                    continue  # none of a class: that is told
                least = np.maximum(0, ill.sum() - (rows.sum() - rows))
                most = np.minimum(rows, ill.sum())
                small = ((ill > 0) & (ill < 5)) | ((rows - ill > 0) & (rows - ill < 5))
                assert (most - least)[small].min(initial=9) >= 1
    assert joined_some > 300


def test_nobody_learns_how_few_rows_of_the_others_are_in_a_tenth(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that is revealed is the same whether owner1 has a patient in the highest tenth, or none.

    Cuts between tenths would tell owner0, who knows that there are 60 rows in each, how many of them are not its own.
    """
    seen: list[tuple[str, Any]] = []
    reveal = Party.reveal

    async def watched(p: Party, *values: Any, what: str, **more: Any) -> Any:
        found = await reveal(p, *values, what=what, **more)
        if not p.dry and p.index == 0:
            withheld = what == "withheld cells"  # 0, or a uniform word
            seen.extend((what, one.value != 0 if withheld else one.real()) for one in found)
        return found

    monkeypatch.setattr(Party, "reveal", watched)
    high, low = 1.3, 0.8
    risk = np.mean(1 / (1 + np.exp([-high, -low])))
    middle = float(np.log(risk / (1 - risk)))
    top = []
    for two in ([low, high], [middle, middle]):
        z = np.stack((np.linspace(-2, 2, 300), np.r_[np.linspace(-2, 0.2, 298), two]), axis=1).reshape(-1)
        found, _ = tenths(z, np.tile([0.0, 0.0, 1.0, 1.0], 150))
        assert 3 <= len(found) < GROUPS
        top.append(int((tenth_of(z)[1::2] == GROUPS - 1).sum()))
    assert top == [1, 0]
    for (what, value), (other, again) in zip(seen[: len(seen) // 2], seen[len(seen) // 2 :], strict=True):
        assert what == other and value == pytest.approx(again, abs=1e-5)


def test_too_few_rows_are_told_nothing_of() -> None:
    assert enough((50, 60), 5) and not enough((49, 60), 5) and enough((50,), 5) and not enough((49,), 5)
    assert enough((20, 20, 30), 4) and not enough((20, 20, 30), 5)
    z, y = draw(40, seed=4)
    assert tenths(z, y)[0] == ()


def test_scores_that_are_all_the_same_are_one_group() -> None:
    found, _ = tenths(np.full(60, 0.3), np.repeat(np.arange(30) % 2, 2).astype(float))
    assert told(found)[0] == (1, 1, 60, 30) and all(one.rows == 0 for one in found[1:])
    assert found[0].expected == pytest.approx(60 / (1 + np.exp(-0.3)), abs=1e-5)


@pytest.mark.parametrize("how", ["open-fisher", pytest.param("shared", marks=pytest.mark.soak)])
def test_beside_a_fit(how: str) -> None:
    x, y = breast_cancer()
    x = x[:, [1, 4]]
    found = fitted(x, y, 2, ("mean_texture", "mean_smoothness"), metrics=True, calibration=5, inference=how)
    assert found.calibration is not None
    groups, z = found.calibration["train"], x @ np.array(found.weights) + found.intercept
    assert len(groups) >= 3 and sum(one.rows for one in groups) == len(y)
    assert [one.expected for one in groups] == pytest.approx(sums_of(groups, z, tenth_of(z)), abs=1e-3)
    assert sum(one.expected for one in groups) == pytest.approx(y.sum(), abs=1e-2)  # as at any such fit


def test_of_a_model_that_hardly_errs_nothing_is_told() -> None:
    """Half of all rows have a few patients of the other class: to tell any group would tell how many."""
    x, y = breast_cancer()
    found = fitted(x[:, :2], y, 2, FEATURES[:2], metrics=True, calibration=5, inference="open-fisher")
    assert found.calibration == {"train": ()}


def test_offsets_are_part_of_the_risk() -> None:
    x, y, offset, _ = drawn(600)
    found = fitted(x, y, 2, NAMES, OffsetWeights(offset), metrics=True, calibration=5, inference="open-fisher")
    assert found.calibration is not None
    groups, z = found.calibration["train"], x @ np.array(found.weights) + found.intercept + offset
    assert [one.expected for one in groups] == pytest.approx(sums_of(groups, z, tenth_of(z)), abs=1e-3)


def test_a_set_with_too_few_rows_has_none() -> None:
    x, y, _, _ = drawn(90)
    found = fitted(x, y, 2, NAMES, metrics=True, calibration=5, inference="open-fisher")
    assert found.calibration == {}
