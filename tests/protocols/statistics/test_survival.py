"""Survival of several owners' rows, with `min_cell`, beside the curves and tests of all rows in one table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from protocols.statistics.job import statistics_job
from protocols.statistics.own_cells import OwnColumns
from protocols.statistics.settings import Grid, StatisticsSettings, Survival
from protocols.survival.curve import Arm, curve
from protocols.survival.deferred import deferred, uncounted
from protocols.survival.log_rank import digits_of
from protocols.survival.log_rank_bounds import log_rank_disclosed
from tests.examples import steady
from tests.helpers import lockstep, owner_names
from tests.pooled_statistics import actuarial_log_rank, check_statistics, life_table
from tests.protocols.disclosure.test_forward_merge import in_clear
from tests.protocols.statistics.test_job import LEVELS, described

ARMS = ("old", "new")
PATTERNS = ("spread", "heavy", "none", "few early", "one owner's", "at the end", "ties")


def patients(rows: int, pattern: str, seed: int, *, share: float = 0.5, hazard: float = 0.65) -> pd.DataFrame:
    """Times in months up to 240, of two arms of which one has the event sooner, and who was lost by a pattern."""
    rng = np.random.default_rng(seed)
    arm = rng.random(rows) < share
    came = rng.weibull(1.1, rows) * np.where(arm, 215 * hazard, 215)
    lost = {
        "spread": rng.uniform(24, 230, rows),
        "heavy": rng.exponential(30, rows),
        "none": np.full(rows, 999.0),
        "few early": np.where(rng.random(rows) < 0.02, rng.uniform(0, 40, rows), 999.0),
        "one owner's": np.where(np.arange(rows) % 2 == 0, rng.uniform(0, 230, rows), 999.0),
        "at the end": rng.uniform(200, 240, rows),
        "ties": rng.choice([12.0, 24, 60, 120], rows),
    }[pattern]
    months = np.minimum(came, lost)
    months = np.maximum(np.ceil(months / 12) * 12 if pattern == "ties" else np.ceil(months), 1)
    return pd.DataFrame({"months": months, "died": (came <= lost).astype(float), "arm": np.where(arm, "new", "old")})


def told(table: pd.DataFrame, owners: int, grid: Grid, **how: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the owners, who have every so manieth row each, learn of two arms; all of it is held to the reference."""
    owned = {o: table.iloc[k::owners].reset_index(drop=True) for k, o in enumerate(owner_names(owners))}
    asked: dict[str, Any] = {
        "columns": (),
        "survival": (Survival("months", "died", "arm"),),
        "grids": (("months", grid),),
        "levels": (("arm", ARMS),),
        "min_cell": 5,
        **how,
    }
    facts, settings = described(owned, **asked)
    check_statistics(facts, pd.concat(owned.values(), ignore_index=True), settings)
    return facts["survival"][0]["groups"][0], facts


def off(curve_told: dict[str, Any], table: pd.DataFrame, grid: Grid, *, actuarial: bool = False) -> np.ndarray:
    """How many standard errors off the curve of all rows a curve is, at the times at which it is told."""
    rows = table[table["arm"] == curve_told["level"]]
    points = grid.points
    place = np.minimum(np.searchsorted(points, rows["months"]), len(points))
    d, c = (np.bincount(place[rows["died"] == k], minlength=len(points) + 1)[:-1] for k in (1, 0))
    survival, se = life_table(d, c, len(rows), actuarial=actuarial)
    there = [k for k, one in enumerate(curve_told["survival"]) if one is not None and se[k] > 0]
    return np.array([abs(curve_told["survival"][k] - survival[k]) / se[k] for k in there])


def test_a_registry_like_rotterdams() -> None:
    """2,982 patients, of whom 1 in 9 is in the smaller arm: by months and by two years."""
    table = patients(2982, "spread", 7, share=0.114)
    grid = Grid(0, 240, 1)
    facts, _ = told(table, 2, grid)
    assert facts["estimator"] == "kaplan-meier"
    for one, least in zip(facts["curves"], (35, 8), strict=True):
        found = off(one, table, grid)
        assert len(found) >= least and found.max() < 0.2 and np.mean(found) < 0.07
    statistic, _ = survdiff(table["months"], table["died"], table["arm"])
    assert facts["log_rank"]["chi_square"] == pytest.approx(statistic, rel=1e-3)
    assert facts["log_rank"]["of"] == "all counts" and facts["log_rank"]["error"] < 1e-3 * statistic
    assert sum(facts["log_rank"]["expected"]) == pytest.approx(table["died"].sum())

    coarse = Grid(0, 240, 24)
    facts, _ = told(table, 2, coarse)
    assert facts["estimator"] == "actuarial"
    by_month = {}
    for one in facts["curves"]:
        assert off(one, table, coarse, actuarial=True).max() < 0.5
        rows = table[table["arm"] == one["level"]]
        exact = SurvfuncRight(rows["months"], rows["died"])
        at = np.searchsorted(exact.surv_times, 120, side="right") - 1
        by_month[one["level"]] = (one["survival"][5], exact.surv_prob[at], exact.surv_prob_se[at])
    for value, survival, se in by_month.values():
        assert value is None or abs(value - survival) < 0.2 * se
    assert by_month["old"][0] is not None


@pytest.mark.parametrize("pattern", ["few early", "one owner's", "none"])
def test_few_who_are_lost_early_join_nothing(pattern: str) -> None:
    table = patients(900, pattern, 3)
    facts, _ = told(table, 2, Grid(0, 240, 1))
    for one in facts["curves"]:
        assert off(one, table, Grid(0, 240, 1)).size >= 10


@steady(30)
@given(
    rows=st.sampled_from([12, 40, 150, 700]),
    owners=st.integers(2, 3),
    pattern=st.sampled_from(PATTERNS),
    grid=st.sampled_from([Grid(0, 240, 1), Grid(0, 60, 2.5), Grid(0, 240, 24), Grid(0, 12, 12), Grid(0, 0, 1)]),
    m=st.sampled_from([0, 3, 5, 10]),
    share=st.sampled_from([0.0, 0.05, 0.5]),
    seed=st.integers(0, 1 << 30),
)
@example(rows=40, owners=2, pattern="none", grid=Grid(0, 240, 1), m=3, share=0.5, seed=1)  # one is left, then none
def test_counts_are_exact_or_withheld_estimates_as_near_as_said(
    rows: int, owners: int, pattern: str, grid: Grid, m: int, share: float, seed: int
) -> None:
    facts, whole = told(patients(rows, pattern, seed, share=share), owners, grid, min_cell=m)
    assert (whole["small_cells"] is None) == (m == 0)
    if not m:
        assert all("withheld" not in one for one in facts["curves"]) and "withheld" not in facts


def test_single_times_tell_no_log_rank_sums() -> None:
    """They would be two numbers more about counts of which nothing else is left open."""
    table = pd.DataFrame({"months": [12.0, 24.0, 36.0] * 80, "died": 1.0, "arm": np.repeat(["old", "new"], [150, 90])})
    facts, _ = told(table, 2, Grid(12, 36, 12))
    assert facts["log_rank"]["of"] == "counts as told"
    facts, _ = told(patients(600, "spread", 1), 2, Grid(0, 240, 1))
    assert facts["log_rank"]["of"] == "all counts"


def test_three_arms_by_group() -> None:
    rng = np.random.default_rng(2)
    table = patients(1500, "spread", 5)
    table["smoker"] = rng.choice(LEVELS["smoker"], 1500)
    table["sex"] = rng.choice(LEVELS["sex"], 1500)
    owned = {o: table.iloc[k::3].reset_index(drop=True) for k, o in enumerate(owner_names(3))}
    facts, asked = described(
        owned,
        columns=(),
        by="sex",
        levels=tuple(LEVELS.items()),
        survival=(Survival("months", "died", "smoker"),),
        grids=(("months", Grid(0, 240, 1)),),
        min_cell=5,
    )
    assert check_statistics(facts, table, asked) > 50
    for group in facts["survival"][0]["groups"]:
        assert group["log_rank"]["df"] == 2 and group["log_rank"]["of"] == "all counts"


def made_arm(rng: np.random.Generator, owners: int, times: int, m: int, estimator: Any) -> tuple[Arm, np.ndarray]:
    """An arm as it is told, and all its counts."""
    mean = rng.choice([0.3, 1, 4], size=(1, 1, 2))
    parts = rng.poisson(mean * rng.choice([0.2, 1, 2], (1, times + 1, 1)), (owners, times + 1, 2))
    parts[:, -1, 1] = 0
    lots = np.sum([deferred(one, m) for one in parts], axis=0)
    ends = in_clear(parts[:, None, :-1, 1], m)[0]
    counts = lots.copy()
    counts[:-1, 1] = 0
    counts[np.flatnonzero(ends), 1] = np.diff(lots[:-1, 1].cumsum()[ends], prepend=0)
    return Arm(counts, ends, uncounted(counts, owners, m), owners * (m - 1) / 2, estimator), parts.sum(axis=0)


@steady(200)
@given(
    owners=st.integers(1, 4),
    times=st.integers(1, 14),
    m=st.integers(3, 6),
    actuarial=st.booleans(),
    seed=st.integers(0, 1 << 30),
)
def test_no_curve_and_no_test_is_further_off_than_it_says(
    owners: int, times: int, m: int, actuarial: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    arms, alls = zip(
        *(made_arm(rng, owners, times, m, "actuarial" if actuarial else "kaplan-meier") for _ in range(2)), strict=True
    )
    for arm, counts in zip(arms, alls, strict=True):
        found = curve(arm)
        survival, _ = life_table(counts[:-1, 1], counts[:-1, 0], int(counts.sum()), actuarial=actuarial)
        assert (np.abs(found.survival - survival) <= found.error + 1e-9)[arm.ends].all()
    test = log_rank_disclosed(arms)
    status, time, arm_of = (
        np.concatenate([np.repeat(x, n.reshape(-1)) for x, n in pairs])
        for pairs in (
            [(np.tile([0, 1], times + 1), n) for n in alls],
            [(np.repeat(np.arange(times + 1), 2), n) for n in alls],
            [(np.full(2 * times + 2, k), n) for k, n in enumerate(alls)],
        )
    )
    if test is not None and len(set(arm_of)) == 2:
        statistic, _ = actuarial_log_rank(time, status, arm_of, 0.5 if actuarial else 0.0)
        assert not np.isfinite(statistic) or abs(test[0].value - statistic) <= test[1] + 1e-9


@pytest.mark.parametrize(("rows", "bits"), [(1, 128), (4095, 128), (4096, 192), ((1 << 30) - 1, 192)])
def test_the_ring_is_as_wide_as_the_rows_need(rows: int, bits: int) -> None:
    digits = digits_of(rows)
    assert digits.ring.bits == bits and 2 * rows < 1 << digits.rows
    assert digits.rows + 2 * digits.scale + 7 <= bits + 2  # sums over all rows at twice the scale, and their signs


def test_life_table_is_statsmodels_curve() -> None:
    table = patients(300, "heavy", 1)
    grid = np.arange(1, 241)
    d, c = (np.bincount(table["months"][table["died"] == k].astype(int), minlength=241)[1:] for k in (1, 0))
    survival, se = life_table(d, c, 300)
    reference = SurvfuncRight(table["months"], table["died"])
    at = np.searchsorted(grid, reference.surv_times)
    np.testing.assert_allclose(survival[at], reference.surv_prob, rtol=1e-12)
    np.testing.assert_allclose(se[at], reference.surv_prob_se, rtol=1e-9)


def test_a_grid_too_coarse_for_its_times_is_told_as_a_bit() -> None:
    asked = StatisticsSettings(
        owners=("a", "b"),
        helper="h",
        rows=(2, 2),
        columns=(),
        grids=(("months", Grid(0, 4, 2)),),
        survival=(Survival("months", "died", None),),
    )
    for third, between in ((4.0, False), (3.0, True), (5.0, False)):  # 5 is beyond the grid
        rows = {"a": [0.0, 2.0], "b": [4.0, third]}
        own = {o: OwnColumns({"months": np.array(t), "died": np.ones(2)}, 2) for o, t in rows.items()}
        outcome = lockstep(
            {
                o: lambda p, mine=mine: statistics_job(p, None if p.dry else mine, asked)  # type: ignore[misc]
                for o, mine in own.items()
            }
        )
        assert all(list(one.between.values()) == [between] for one in outcome.results.values())
        assert len(outcome.plan.rounds) == 3
