"""Private statistics: exact sums under the noise, sensitivities, and intervals that hold what they should."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.randomness.streams import Stream, derive
from mpc.runtime.lockstep import Outcome
from mpc.runtime.party import Party
from protocols.privacy.accounting import epsilon_of
from protocols.privacy.estimates import (
    NOTHING,
    Estimate,
    NoisySums,
    count_of,
    mean_of,
    root_of,
    sum_of,
    variance_of,
)
from protocols.statistics.own_cells import OwnColumns
from protocols.statistics.private.job import (
    FINE,
    Clip,
    PrivateSettings,
    own_numbers,
    parts_of,
    private_settings,
    private_statistics_job,
)
from protocols.statistics.settings import Described, Grid, StatisticsSettings, Survival
from tests.examples import steady
from tests.helpers import lockstep, owner_names

AGE = Clip(0, 100)
ALL: tuple[Described, ...] = ("count", "missing", "sum", "mean", "sd")
NAN = float("nan")


def settings_of(owners: int = 3, epsilon: float = 1.0, by: str | None = "sex") -> PrivateSettings:
    asked = StatisticsSettings(
        owner_names(owners),
        "helper",
        (20,) * owners,
        columns=("age",),
        statistics=ALL,
        by=by,
        levels=(("sex", ("f", "m")), ("arm", ("a", "b", "c"))),
        histograms=(("age", (20.0, 50.0)),),
        tables=(("arm", "sex"),) if by is None else (),
    )
    return private_settings(asked, [("age", AGE)], epsilon, 1e-6)


def rows_of(count: int, seed: int) -> OwnColumns:
    rng = np.random.default_rng(seed)
    age = np.where(rng.random(count) < 0.1, NAN, rng.normal(60, 25, count).round(1))
    sex, arm = (np.where(rng.random(count) < 0.05, NAN, rng.integers(0, k, count)) for k in (2, 3))
    return OwnColumns({"age": age, "sex": sex, "arm": arm}, count)


def run(settings: PrivateSettings, parts: list[OwnColumns], seed: int = 0) -> Outcome:
    def factory(own: OwnColumns) -> Any:
        def program(p: Party) -> Any:
            stream = Stream(derive(bytes(32), f"{seed}/{p.name}"))
            return private_statistics_job(p, None if p.dry else own, None if p.dry else stream, settings)

        return program

    names = settings.statistics.owners
    return lockstep({name: factory(own) for name, own in zip(names, parts, strict=True)}, seed)


def joined(parts: list[OwnColumns]) -> OwnColumns:
    columns = {name: np.concatenate([one.values[name] for one in parts]) for name in parts[0].values}
    return OwnColumns(columns, sum(one.rows for one in parts))


@pytest.mark.parametrize("by", ["sex", None])
def test_opened_numbers_are_the_pooled_ones_and_noise(by: str | None) -> None:
    settings, parts = settings_of(by=by), [rows_of(200 + k, k) for k in range(3)]
    outcome = run(settings, parts)
    first, *others = outcome.results.values()
    assert all((one == first).all() for one in others)
    exact = pooled(joined(parts), settings)
    gap = (first - exact) / settings.deviation
    assert abs(gap).max() < 6
    assert 0.5 < gap.std() < 1.6
    assert (len(outcome.plan.rounds), len(outcome.plan.reveals)) == (1, 1)


def pooled(own: OwnColumns, settings: PrivateSettings) -> np.ndarray:
    """All releases in floating point, by another way than the protocol's."""
    age, sex, arm = (own.values[name] for name in ("age", "sex", "arm"))
    u = (np.clip(age, 0, 100) - 50) / 50
    groups = [np.full(own.rows, True)] if settings.statistics.by is None else [sex == 0, sex == 1]
    here = ~np.isnan(age)
    found: list[Any] = []
    if settings.statistics.by:
        found += [*(np.count_nonzero(g) for g in groups), np.count_nonzero(np.isnan(sex))]
    found += [*(np.count_nonzero(g & here) for g in groups), *(np.count_nonzero(g & ~here) for g in groups)]
    found += [float(u[g & here].sum()) for g in groups]
    found += [float((2 * u[g & here] ** 2 - 1).sum()) for g in groups]
    bins = (age < 20, (age >= 20) & (age <= 50), age > 50)
    found += [np.count_nonzero(g & one) for g in groups for one in bins] if settings.statistics.by else []
    if not settings.statistics.by:
        found += [np.count_nonzero(one) for one in bins]
        found += [np.count_nonzero((arm == a) & (sex == b)) for a in range(3) for b in range(2)]
    return np.array(found, dtype=float)


row = st.tuples(
    st.one_of(st.just(NAN), st.floats(-1e9, 1e9), st.sampled_from([0.0, 100.0, 50.0, -0.0, 1e300, -1e300])),
    st.sampled_from([0.0, 1.0, NAN]),
    st.sampled_from([0.0, 1.0, 2.0, NAN]),
)


@steady(100)
@given(st.lists(row, max_size=8), row, st.sampled_from(["sex", None]), st.sampled_from([0.05, 1.0, 20.0]))
def test_a_patient_changes_one_number_of_each_release(rows: Any, more: Any, by: str | None, epsilon: float) -> None:
    """By at most the sensitivity: the claim rests on this."""
    settings = settings_of(by=by, epsilon=epsilon)

    def numbers(of: list[Any]) -> np.ndarray:
        columns = np.array(of, dtype=float).reshape(-1, 3).T
        return own_numbers(OwnColumns(dict(zip(("age", "sex", "arm"), columns, strict=True)), len(of)), settings)

    change = parts_of((numbers([*rows, more]) - numbers(rows)).astype(float), settings)
    for part in change.values():
        assert np.count_nonzero(part) <= 1
        assert abs(part).max() <= settings.calibration.sensitivity


def every_settings(epsilon: float = 1.0) -> PrivateSettings:
    """Quantiles, a t-test, a correlation and curves."""
    asked = StatisticsSettings(
        owner_names(2),
        "helper",
        (20, 20),
        columns=("age",),
        statistics=("count",),
        quantiles=(0.25, 0.5),
        by="sex",
        levels=(("sex", ("f", "m")), ("arm", ("a", "b", "c"))),
        grids=(("age", Grid(0, 100, 9)), ("months", Grid(0, 24, 6))),
        correlations=("age", "bmi"),
        t_tests=(("bmi", "arm"),),
        survival=(Survival("months", "died", "arm"),),
    )
    return private_settings(asked, [("age", AGE), ("bmi", Clip(10, 60))], epsilon, 1e-6)


def column(*special: float) -> st.SearchStrategy[float]:
    return st.one_of(st.floats(-1e9, 1e9), st.sampled_from([NAN, 0.0, 1e300, -1e300, *special]))


every_row = st.tuples(
    column(9.0, 99.0, 100.0),
    column(10.0, 35.0, 60.0),
    column(6.0, 24.0, 24.5),
    *(st.sampled_from([*map(float, range(levels)), NAN]) for levels in (2, 3, 2)),
)
EVERY = ("age", "bmi", "months", "sex", "arm", "died")


@steady(100)
@given(st.lists(every_row, max_size=6), every_row, st.sampled_from([0.05, 1.0, 20.0]))
def test_a_patient_changes_one_number_of_each_level(rows: Any, more: Any, epsilon: float) -> None:
    settings = every_settings(epsilon)

    def numbers(of: list[Any]) -> np.ndarray:
        columns = np.array(of, dtype=float).reshape(-1, len(EVERY)).T
        return own_numbers(OwnColumns(dict(zip(EVERY, columns, strict=True)), len(of)), settings)

    change = parts_of((numbers([*rows, more]) - numbers(rows)).astype(float), settings)
    assert len(change) == len(settings.releases)
    for part in change.values():
        assert np.count_nonzero(part) <= 1
        assert abs(part).max() <= settings.calibration.sensitivity


def test_levels_products_and_events_are_the_pooled_ones() -> None:
    settings, rng, rows = every_settings(), np.random.default_rng(8), 300
    own = OwnColumns(
        {
            "age": np.where(rng.random(rows) < 0.1, NAN, rng.normal(60, 40, rows).round(1)),
            "bmi": rng.normal(30, 20, rows),
            "months": rng.uniform(-1, 30, rows),
            "sex": rng.integers(0, 2, rows).astype(float),
            "arm": rng.integers(0, 3, rows).astype(float),
            "died": rng.integers(0, 2, rows).astype(float),
        },
        rows,
    )
    found = parts_of(own_numbers(own, settings) / settings.calibration.sensitivity, settings)
    age, bmi, months, sex, arm, died = (own.values[name] for name in EVERY)
    at = np.clip(np.ceil(age / 9), 0, 11)  # beyond its ends at the nearer one
    tree = settings.trees["age"]
    for width in tree.widths:
        exact = [[np.count_nonzero((sex == g) & (at // width == b)) for b in range(tree.blocks(width))] for g in (0, 1)]
        assert found["ranks", f"age in blocks of {width}"] == pytest.approx(np.array(exact))
    u, v = (np.clip(age, 0, 100) - 50) / 50, (np.clip(bmi, 10, 60) - 35) / 25
    products = [np.nansum((u * v)[sex == g]) for g in (0, 1)]
    assert found["product", "products (age with bmi)"] == pytest.approx(np.array(products), abs=0.02)
    after = np.clip(np.ceil(months / 6), 0, 5)
    events = found["events", "months to died by arm, at each time"]
    assert events.sum() == pytest.approx(rows)
    assert events[1, 2, 3, 1] == np.count_nonzero((sex == 1) & (arm == 2) & (after == 3) & (died == 1))
    assert events[0, 0, 5, 0] == np.count_nonzero((sex == 0) & (arm == 0) & (after == 5) & (died == 0))


def test_a_narrow_range_far_from_0_is_no_larger_than_1() -> None:
    """In floating point the middle of this range is a third of it off, and u would be -1.33."""
    fine = Clip(1e15, 1e15 + 0.375).fine(np.array([-1e18, 1e18]))
    assert np.abs(fine).max() == 1 << FINE


def test_sensitivity_is_reached() -> None:
    settings = settings_of(by=None)
    zero = np.zeros(1)

    def numbers(age: float) -> list[int]:
        own = OwnColumns({"age": np.array([age]), "sex": zero, "arm": zero}, 1)
        found: list[int] = own_numbers(own, settings).tolist()
        return found[:4]

    unit = settings.calibration.sensitivity
    assert [numbers(age) for age in (0.0, 500.0)] == [[unit, 0, -unit, unit], [unit, 0, unit, unit]]


def test_what_is_charged_is_epsilon() -> None:
    settings = settings_of(epsilon=0.7)
    assert len(settings.releases) == 5
    assert 0.69 < epsilon_of([settings.mechanism], 1e-6, near=0.7) <= 0.7


# -- intervals


def sums_of(x: np.ndarray, clip: Clip, noise: np.ndarray, deviation: float) -> NoisySums:
    u = (np.clip(x, clip.low, clip.high) - clip.centre) / clip.half
    n, first, second = noise * deviation + [len(x), u.sum(), (2 * u**2 - 1).sum()]
    return NoisySums(n, first, second, deviation, 0.0)


STUDIES = {
    "narrow": (60.0, 8.0, 600, 12.0),
    "wide": (50.0, 40.0, 3000, 30.0),
    "at the end": (95.0, 10.0, 400, 5.0),
    "few rows": (40.0, 15.0, 60, 9.0),
}


@pytest.mark.parametrize("name", STUDIES)
def test_intervals_hold_what_they_should(name: str) -> None:
    """In at least 94 of 100 runs, over 1,000 studies."""
    mean, spread, rows, deviation = STUDIES[name]
    rng, studies = np.random.default_rng(5), 1000
    held = dict.fromkeys(("count", "sum", "mean", "sd"), 0)
    for _ in range(studies):
        x = rng.normal(mean, spread, rows)
        exact = np.clip(x, AGE.low, AGE.high)
        of = sums_of(x, AGE, rng.normal(size=3), deviation)
        found: dict[str, tuple[Estimate, float]] = {
            "count": (count_of(of.count, deviation), rows),
            "sum": (sum_of(of, AGE.centre, AGE.half), exact.sum()),
            "mean": (mean_of(of, AGE.centre, AGE.half), exact.mean()),
            "sd": (root_of(variance_of(of, AGE.half)), exact.std(ddof=1)),
        }
        for key, (one, truth) in found.items():
            held[key] += one.low is None or one.high is None or one.low <= truth <= one.high
    assert min(held.values()) >= 0.94 * studies, held
    assert max(held["count"], held["sum"], held["mean"]) <= 0.98 * studies, held


def test_no_interval_where_noise_is_as_large_as_the_count() -> None:
    of = NoisySums(15.0, 2.0, 1.0, 10.0, 0.0)
    assert mean_of(of, 50, 50) == NOTHING
    assert root_of(variance_of(of, 50)) == NOTHING


def test_an_interval_shrinks_with_the_noise() -> None:
    exact = mean_of(NoisySums(1000.0, 100.0, -500.0, 1e-9, 0.0), 50, 50)
    assert exact.value == pytest.approx(55) and exact.low == pytest.approx(55) and exact.high == pytest.approx(55)
    rounded = mean_of(NoisySums(1000.0, 100.0, -500.0, 1e-9, 5.0), 50, 50)
    assert rounded.low is not None and rounded.low < 54.8
