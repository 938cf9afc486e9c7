"""The twin of `kind = "statistics"`: the same from all owners' rows in one table, by pandas, scipy and statsmodels."""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from protocols.statistics_settings import StatisticsSettings, Survival

CLOSE = 1e-9


def check_statistics(facts: dict[str, Any], rows: pd.DataFrame, s: StatisticsSettings) -> int:
    """Everything in a record's `statistics` is what the pooled rows give; returns how many numbers were compared.

    What is withheld is null, and compared with nothing; of a list, the totals of the stretches that are merged are.
    """
    groups = [(None, rows)] if s.by is None else [(level, rows[rows[s.by] == level]) for level in s.levels_of(s.by)]
    compared = 0
    assert facts["rows"] == len(rows)
    if s.by is not None:
        for told, expected in zip(facts["by"]["rows"], (len(group) for _, group in groups), strict=True):
            assert told is None or told == expected
        assert facts["by"]["without"] in (None, rows[s.by].isna().sum())
    for g, (name, group) in enumerate(groups):
        for column in s.columns:
            compared += _described(_named(facts["columns"][column][g], name), group[column], s, column)
        for column, edges in s.histograms:
            compared += _histogram(_named(facts["histograms"][column]["groups"][g], name), group[column], edges)
        for one in facts["tables"]:
            compared += _table(_named(one["groups"][g], name), group, one, s)
        for one in facts["correlations"]:
            compared += _correlation(_named(one["groups"][g], name), group[one["columns"]].dropna())
        for one in facts["t_tests"]:
            compared += _t_tests(_named(one["groups"][g], name), group, one, s)
        for survival, one in zip(s.survival, facts["survival"], strict=True):
            compared += _survival(_named(one["groups"][g], name), group, survival, s)
    return compared


def _named(facts: dict[str, Any], name: str | None) -> dict[str, Any]:
    assert facts["group"] == name
    return facts


def hidden(facts: dict[str, Any], key: str) -> bool:
    """Whether a number is withheld, and then null."""
    return facts[key] is None and key in facts.get("withheld", ())


def near(value: float | None, expected: float | None) -> bool:
    """Equal to nine digits; where the twin has no number, there is none."""
    if expected is None or not np.isfinite(expected):
        return value is None or not np.isfinite(value)
    return value is not None and value == pytest.approx(expected, rel=CLOSE, abs=CLOSE)


def _described(facts: dict[str, Any], values: pd.Series, s: StatisticsSettings, column: str) -> int:
    there = values.dropna()
    twin = {
        "count": there.size,
        "missing": values.isna().sum(),
        "sum": there.sum(),
        "mean": there.mean(),
        "variance": there.var(),
        "sd": there.std(),
    }
    assert set(facts) - {"group"} >= {"count", *(key for key in s.statistics if key in twin)}
    for key, expected in twin.items():
        there_is = key in facts and not hidden(facts, key)
        assert not there_is or near(facts[key], expected), (column, key, facts[key], expected)
    compared = len(twin) - len(set(facts.get("withheld", ())) & set(twin))
    if column in dict(s.grids):
        grid = s.grid_of(column).points
        up = there.map(lambda x: grid[grid >= x].min())
        ends = {"min": there.map(lambda x: grid[grid <= x].max()).min(), "max": up.max()}
        for end, expected in ends.items():
            assert end not in s.statistics or hidden(facts, end) or near(facts[end], expected)
        for share in s.quantiles:
            expected = np.quantile(up, share, method="inverted_cdf") if up.size else None
            told = facts["quantiles"][f"{share:g}"]
            if told is None and "quantiles" in facts.get("withheld", ()):
                continue
            assert near(told, expected), (column, share)
            compared += 1
    return compared


def _histogram(facts: dict[str, Any], values: pd.Series, edges: tuple[float, ...]) -> int:
    counts = np.histogram(values.dropna(), edges)[0].tolist()
    bins = [(values < edges[0]).sum(), *counts, (values > edges[-1]).sum()]
    told = [facts["below"], *facts["counts"], facts["above"]]
    assert all(one is None or one == expected for one, expected in zip(told, bins, strict=True))
    assert (None in told) == ("withheld" in facts)
    ends = [None, *edges, None]
    for one in facts.get("merged", ()):
        start = 0 if one["from"] is None else ends.index(one["from"])
        end = len(bins) if one["to"] is None else ends.index(one["to"])
        assert told[start:end] == [None] * (end - start) and one["count"] in (None, sum(bins[start:end]))
    return sum(one is not None for one in told)


def _table(facts: dict[str, Any], group: pd.DataFrame, one: dict[str, Any], s: StatisticsSettings) -> int:
    a, b = one["rows"]["column"], one["columns"]["column"]
    twin = pd.crosstab(group[a], group[b]).reindex(index=s.levels_of(a), columns=s.levels_of(b), fill_value=0)
    if "withheld" in facts:
        pairs = zip(np.ravel(facts["counts"]), twin.to_numpy().ravel(), strict=True)
        assert facts["chi_square"] is None and all(one is None or one == count for one, count in pairs)
        return int(sum(one is not None for one in np.ravel(facts["counts"])))
    assert facts["counts"] == twin.to_numpy().tolist()
    full = twin.loc[twin.sum(axis=1) > 0, twin.sum() > 0]
    if min(full.shape, default=0) < 2:
        assert facts["chi_square"] is None
        return twin.size
    test = stats.chi2_contingency(full, correction=False)
    assert near(facts["chi_square"], test.statistic) and near(facts["p"], test.pvalue) and facts["df"] == test.dof
    return twin.size + 3


def _correlation(facts: dict[str, Any], pairs: pd.DataFrame) -> int:
    if hidden(facts, "count"):
        return 0
    assert facts["count"] == len(pairs)
    if hidden(facts, "r"):
        return 1
    if len(pairs) < 3 or (pairs.std() == 0).any():
        return 1
    test = stats.pearsonr(*pairs.to_numpy().T)
    assert near(facts["r"], test.statistic) and near(facts["p"], test.pvalue)
    return 3


def _t_tests(facts: dict[str, Any], group: pd.DataFrame, one: dict[str, Any], s: StatisticsSettings) -> int:
    samples = {
        level: group.loc[group[one["between"]] == level, one["column"]].dropna()
        for level in s.levels_of(one["between"])
    }
    for told, sample in zip(facts["samples"], samples.values(), strict=True):
        for key, expected in (("count", sample.size), ("mean", sample.mean()), ("sd", sample.std())):
            assert hidden(told, key) or near(told[key], expected)
    if "tests" in facts.get("withheld", ()):
        return 0
    for told, (a, b) in zip(facts["tests"], combinations(samples, 2), strict=True):
        assert told["levels"] == [a, b]
        if min(samples[a].size, samples[b].size) < 2:
            assert told["t"] is None
            continue
        if max(samples[a].nunique(), samples[b].nunique()) == 1:
            continue  # scipy's own variances are rounding alone there
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of a sample whose values are all the same
            test = stats.ttest_ind(samples[a], samples[b], equal_var=False)
            interval = test.confidence_interval(0.95)
        for key, expected in (
            ("t", test.statistic),
            ("p", test.pvalue),
            ("df", test.df),
            ("low", interval.low),
            ("high", interval.high),
        ):
            assert near(told[key], expected), (key, told[key], expected)
    return 5 * len(facts["tests"])


def _survival(facts: dict[str, Any], group: pd.DataFrame, one: Survival, s: StatisticsSettings) -> int:
    grid = s.grid_of(one.time).points
    needed = [one.time, one.event, *([one.between] if one.between else [])]
    there = group[needed].dropna()
    last = there[one.time] > grid[-1]
    time = there[one.time].map(lambda t: grid[grid >= t].min() if t <= grid[-1] else grid[-1] + 1)
    if "log_rank" in facts.get("withheld", ()):
        assert all(curve["count"] is None for curve in facts["curves"])
        return 0
    for span in facts.get("merged", ()):  # as if all came at its end
        end = grid[-1] + 1 if span["to"] is None else span["to"]
        time = time.where((time < span["from"]) | (time > end), end)
    last |= time > grid[-1]
    status = there[one.event].where(~last, 0).astype(int)
    arms: list[tuple[str | None, pd.Index]] = [(None, there.index)]
    if one.between:
        arms = [(level, there.index[there[one.between] == level]) for level in s.levels_of(one.between)]
    compared = 0
    for curve, (level, index) in zip(facts["curves"], arms, strict=True):
        assert curve["level"] == level and curve["count"] == len(index)
        if not len(index):
            continue
        twin = SurvfuncRight(time[index], status[index])
        places = np.searchsorted(grid, [t for t in twin.surv_times if t <= grid[-1]])
        for k, place in enumerate(places):
            assert curve["at_risk"][place] == twin.n_risk[k] and curve["events_at"][place] == twin.n_events[k]
            assert near(curve["survival"][place], twin.surv_prob[k])
            assert near(curve["se"][place], twin.surv_prob_se[k]) or twin.surv_prob[k] == 0
            compared += 4
        reached = [t for t, left in zip(twin.surv_times, twin.surv_prob, strict=True) if left <= 0.5 + 1e-12]
        assert near(curve["median"], reached[0] if reached else None)
    return compared + _log_rank(facts["log_rank"], time, status, there[one.between]) if one.between else compared


def _log_rank(facts: dict[str, Any] | None, time: pd.Series, status: pd.Series, arm: pd.Series) -> int:
    """statsmodels counts a degree of freedom for every arm: here it is given those that can show something."""
    showing = set()
    for t in set(time[status == 1]):
        waiting = arm[time >= t]
        if waiting.nunique() > 1 and ((time == t) & (status == 1)).sum() < len(waiting):
            showing |= set(waiting)
    if not showing:
        assert facts is None
        return 0
    assert facts is not None and np.isfinite(facts["chi_square"]) and 1 <= facts["df"] < len(showing)
    if facts["df"] < len(showing) - 1:  # arms of which some were never waited for together: statsmodels has no answer
        return 0
    there = arm.isin(showing)
    statistic, p = survdiff(time[there].to_numpy(), status[there].to_numpy(), arm[there].to_numpy())
    assert near(facts["chi_square"], statistic) and near(facts["p"], p)
    return 2
