"""Correlations, t-tests and survival curves of a run with [privacy], for the record: intervals for the population."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from protocols.evaluation import p_values
from protocols.privacy.estimates import Estimate, NoisySums, count_of, mean_of, root_of, variance_of
from protocols.rows.results import Statistic
from protocols.statistics.private.inference import Difference, Moments, noisy_pearson, noisy_welch
from protocols.statistics.private.job import PrivateSettings
from protocols.statistics.private.survival import NoisyArm, median, noisy_curve, noisy_log_rank
from protocols.statistics.settings import Cells, Survival

Values = NDArray[np.float64]
Parts = Mapping[tuple[Any, str], Values]


def values_of(found: Mapping[str, Estimate]) -> dict[str, Any]:
    """Estimates by their names."""
    return {key: one.value for key, one in found.items()}


def intervals_of(found: Mapping[str, Estimate]) -> dict[str, Any]:
    """The ends of their intervals."""
    return {key: interval(one) for key, one in found.items()}


def interval(one: Estimate) -> list[float | None]:
    """The ends of an interval."""
    return [one.low, one.high]


def correlation_facts(parts: Parts, settings: PrivateSettings, pair: tuple[str, str], g: int) -> dict[str, Any]:
    """The correlation of two columns in a group."""
    cells = settings.statistics.correlated[pair].cells
    x, y = (_moments(parts, cells, column)[g] for column in pair)
    product = parts["product", f"products ({cells.name})"].reshape(-1)[g]
    found = noisy_pearson(x, y, product, settings.deviation, settings.rounding)
    count = count_of(float(x.count), settings.deviation)
    return {
        "count": count.value,
        "r": _number(found.r),
        "p": _number(found.p),
        "intervals": {"count": [count.low, count.high], "r": [_number(found.low), _number(found.high)]},
    }


def comparison_facts(parts: Parts, settings: PrivateSettings, test: tuple[str, str], g: int) -> dict[str, Any]:
    """The samples of a column in a group, and the difference of each two."""
    column, between = test
    cells, levels = settings.statistics.compared[test].cells, settings.statistics.levels_of(between)
    clip = settings.clip_of(column)
    samples = _moments(parts, cells, column)[g * len(levels) : (g + 1) * len(levels)]
    tests = []
    for i, j in combinations(range(len(levels)), 2):
        found = noisy_welch(samples[i], samples[j], settings.deviation, settings.rounding)
        tests.append({"levels": [levels[i], levels[j]], **_difference(found, clip.half)})
    return {
        "samples": [
            {"level": level, **_sample(of, settings, column)} for level, of in zip(levels, samples, strict=True)
        ],
        "tests": tests,
    }


def curve_facts(parts: Parts, settings: PrivateSettings, one: Survival, g: int) -> dict[str, Any]:
    """The curves of one group, and the test of whether they differ."""
    s = settings.statistics
    cells, levels = s.exact_curves[one], s.arms_of(one)
    tables = parts["events", cells.name].reshape(s.groups, len(levels), *cells.shape[-2:])[g]
    times = s.grid_of(one.time).points
    test = None if one.between is None else _log_rank(NoisyArm(tables, settings.deviation))
    curves = [{"level": level, **_curve(of, settings, times)} for level, of in zip(levels, tables, strict=True)]
    return {"estimator": "actuarial", "deferred": 0, "curves": curves, "log_rank": test}


def _moments(parts: Parts, cells: Cells, column: str) -> list[Moments]:
    """The noisy sums of each cell, the groups one after the other."""
    names = (("count", cells.name), *((what, f"{what} of {column} ({cells.name})") for what in ("sum", "squares")))
    return [Moments(*of) for of in zip(*(parts[name].reshape(-1) for name in names), strict=True)]


def _sample(of: Moments, settings: PrivateSettings, column: str) -> dict[str, Any]:
    """Rows, mean and deviation, as of a described column: with intervals for the noise alone."""
    clip, count = settings.clip_of(column), float(of.count)
    sums = NoisySums(count, float(of.first), float(of.second), settings.deviation, settings.rounding)
    found = {
        "count": count_of(count, settings.deviation),
        "mean": mean_of(sums, clip.centre, clip.half),
        "sd": root_of(variance_of(sums, clip.half)),
    }
    return {**values_of(found), "intervals": intervals_of(found)}


def _difference(found: Difference, half: float) -> dict[str, float | None]:
    """In the column's unit."""
    ends = {"difference": found.value, "low": found.low, "high": found.high}
    return {
        **{key: _number(half * one) for key, one in ends.items()},
        **{key: _number(one) for key, one in (("t", found.t), ("df", found.df), ("p", found.p))},
    }


def _log_rank(arms: NoisyArm) -> dict[str, Any] | None:
    value, df = noisy_log_rank(arms)
    if np.isnan(value):
        return None
    test = Statistic(float(value), df)
    return {"chi_square": test.value, "df": df, "p": p_values.of_chi_square(test), "error": 0.0, "of": "noisy counts"}


def _curve(table: Values, settings: PrivateSettings, times: Values) -> dict[str, Any]:
    arm = NoisyArm(table, settings.deviation)
    found = noisy_curve(arm)
    rows, events = float(table.sum()), float(arm.events.sum())
    half = [None if place is None else float(times[place]) for place in median(found)]
    counts = {
        "count": count_of(rows, settings.deviation * table.size**0.5),
        "events": count_of(events, settings.deviation * len(times) ** 0.5),
    }
    ends = zip(found.low, found.high, strict=True)
    return {
        **values_of(counts),
        "median": half[0],
        "at_risk": np.rint(arm.at_risk).astype(int).tolist(),
        "events_at": np.rint(arm.events).astype(int).tolist(),
        "lost_at": np.rint(table[:-1, 0]).astype(int).tolist(),
        "survival": [_number(one) for one in found.survival],
        "intervals": {
            **intervals_of(counts),
            "median": half[1:],
            "survival": [[_number(low), _number(high)] for low, high in ends],
        },
    }


def _number(value: Any) -> float | None:
    return None if np.isnan(value) else float(value)
