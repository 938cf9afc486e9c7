"""From what a run of statistics opened to the survival curves and log-rank tests of `result.json`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocols.evaluation import p_values
from protocols.rows.results import Statistic
from protocols.statistics.job import Opened
from protocols.statistics.settings import Cells, StatisticsSettings, Survival
from protocols.statistics.survival import LogRankOpened
from protocols.survival.curve import Arm, Curve, curve, log_rank, median, quadratic
from protocols.survival.deferred import uncounted
from protocols.survival.log_rank import arm_pairs
from protocols.survival.log_rank_bounds import log_rank_disclosed

Values = NDArray[np.float64]
_NEAR = 0.1
"""The largest error of a test of disclosed counts, relative to the larger of the test and 1."""


def survival_facts(opened: Opened, settings: StatisticsSettings, one: Survival, group: int) -> dict[str, Any]:
    """The curves of one group, and the test of whether they differ."""
    arms = _arms(opened, settings, one, group)
    times = settings.grid_of(one.time).points
    levels = settings.arms_of(one)
    curves = [_curve(level, arm, times, _most_uncounted(settings)) for level, arm in zip(levels, arms, strict=True)]
    facts: dict[str, Any] = {
        "estimator": "actuarial" if opened.between.get(one, False) else "kaplan-meier",
        "deferred": _most_uncounted(settings),
        "curves": curves,
        "log_rank": None,
    }
    if one.between is None:
        return facts
    known = [arm for arm in arms if arm is not None]
    if len(known) < len(arms):
        return {**facts, "withheld": ["log_rank"]}
    sums = opened.log_ranks.get(one)
    if sums is None:
        test = _tested(log_rank(_at_risk(known), _events(known)), None)
        return {**facts, "log_rank": test}
    if not sums.disclosed[group]:
        return {**facts, **_disclosed_test(known)}
    return {**facts, "log_rank": _test_of_sums(sums, group, [int(arm.counts[:-1, 1].sum()) for arm in known])}


def _most_uncounted(settings: StatisticsSettings) -> int:
    """The most patients that may have been censored and are not counted yet, at any time."""
    return len(settings.owners) * (2 * settings.min_cell - 1) if settings.min_cell else 0


def _arms(opened: Opened, settings: StatisticsSettings, one: Survival, group: int) -> list[Arm | None]:
    """The facts of each arm; None if withheld."""
    cells: Cells = settings.curves[one]
    counts = opened.counts[cells.name].reshape(settings.groups, -1, *cells.shape[-2:])[group]
    times = cells.shape[-2] - 1
    ends = opened.disclosure.ends.get(cells.name)
    there = [opened.disclosure.is_disclosed("arm", cells, group, k) for k in range(len(counts))]
    return [
        Arm(
            arm,
            np.ones(times, dtype=bool) if ends is None else ends[group, k],
            uncounted(arm, len(settings.owners), settings.min_cell),
            len(settings.owners) * max(settings.min_cell - 1, 0) / 2,
            "actuarial" if opened.between.get(one, False) else "kaplan-meier",
        )
        if there[k]
        else None
        for k, arm in enumerate(counts)
    ]


def _curve(level: str | None, arm: Arm | None, times: Values, deferred: int) -> dict[str, Any]:
    """A curve at the times at which it is disclosed: at the ends of stretches, where it is near that of all counts."""
    keys = ("count", "events", "median", "median_after", "error", "at_risk", "events_at", "lost_at", "survival", "se")
    if arm is None:
        empty: dict[str, Any] = dict.fromkeys(keys)
        return {"level": level, **empty, "withheld": list(keys)}
    found = curve(arm)
    disclosed = arm.ends if arm.exact else arm.ends & _close(found)

    def at(values: NDArray[Any], there: NDArray[np.bool_]) -> list[Any]:
        return [value if one else None for value, one in zip(values.tolist(), there, strict=True)]

    half, open_ = median(found, arm.ends, times)
    exact = deferred == 0
    waited = arm.counts.sum(axis=1)[::-1].cumsum()[::-1][:-1]
    facts = {
        "level": level,
        "count": arm.rows,
        "events": int(arm.counts[:-1, 1].sum()),
        "median": None if half is None or not arm.rows else half[1],
        "median_after": None if half is None else half[0],
        "error": at(found.error, disclosed),
        "at_risk": at(waited, np.full(len(disclosed), exact)),
        "events_at": at(arm.counts[:-1, 1], arm.ends),
        "lost_at": arm.counts[:-1, 0].tolist(),
        "survival": at(found.survival, disclosed),
        "se": at(found.se, disclosed),
    }
    if exact:
        return facts
    return {**facts, "withheld": ["at_risk", "events_at", "survival", "se", *(["median"] if open_ else [])]}


def _close(found: Curve) -> NDArray[np.bool_]:
    """Where a curve is less than two standard errors off what all counts would give."""
    return (found.error <= 1e-12) | (found.error <= 2.0 * np.nan_to_num(found.se, nan=0.0))


def _at_risk(arms: list[Arm]) -> Values:
    """The patients at risk at each time (arms, T): of those censored at it all count, or half (actuarial)."""
    halves = [arm.counts[:-1, 0] / 2 if arm.estimator == "actuarial" else 0.0 for arm in arms]
    waited = [arm.counts.sum(axis=1)[::-1].cumsum()[::-1][:-1] for arm in arms]
    return np.asarray(np.array(waited) - np.array(halves).reshape(len(arms), -1), dtype=np.float64)


def _events(arms: list[Arm]) -> NDArray[np.int64]:
    return np.array([arm.counts[:-1, 1] for arm in arms])


def _disclosed_test(arms: list[Arm]) -> dict[str, Any]:
    """The test of the disclosed stretches where nothing more may be, if it is near enough to that of all counts."""
    if len(arms) == 2:
        found = log_rank_disclosed(arms)
        if found is None:
            return {"log_rank": None}
        test, error = found
        if error <= _NEAR * max(1.0, test.value):
            return {"log_rank": _tested(test, {"error": error, "of": "counts as told"})}
    return {"withheld": ["log_rank"]}


def _test_of_sums(sums: LogRankOpened, group: int, observed: list[int]) -> dict[str, Any] | None:
    """The test from expected events E and covariance V, of which the last arm's follow; with the effect of rounding."""
    arms = len(observed)
    values, units = sums.values[group], np.ldexp(1.0, -sums.places[group])
    expected = np.append(values[: arms - 1], sum(observed) - values[: arms - 1].sum())
    v = np.zeros((arms, arms))
    for (g, h), value in zip(arm_pairs(arms), values[arms - 1 :], strict=True):
        v[g, h] = v[h, g] = value
    v[-1, :-1] = v[:-1, -1] = -v[:-1, :-1].sum(axis=0)
    v[-1, -1] = v[:-1, :-1].sum()
    found = quadratic(np.array(observed) - expected, v, arms**2 * float(units[-1]))
    if found is None:
        return None
    test, x = found
    slope = float(np.abs(x[:-1] - x[-1]).sum())  # of chi-square by E of all arms but the last, half of it
    error = 2.0 * slope * float(units[0]) + slope**2 * float(units[-1])
    return _tested(test, {"error": error, "observed": observed, "expected": expected.tolist(), "of": "all counts"})


def _tested(test: Statistic | None, more: dict[str, Any] | None) -> dict[str, Any] | None:
    if test is None:
        return None
    exact = {"error": 0.0, "of": "all counts"}
    return {"chi_square": test.value, "df": test.df, "p": p_values.of_chi_square(test), **(more or exact)}
