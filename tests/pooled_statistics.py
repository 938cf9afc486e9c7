"""The reference of `kind = "statistics"`: all owners' rows in one table, by pandas, scipy and statsmodels."""

from __future__ import annotations

import warnings
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.duration.survfunc import survdiff

from protocols.statistics.settings import StatisticsSettings, Survival

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
    """Equal to nine digits; where the reference has no number, there is none."""
    if expected is None or not np.isfinite(expected):
        return value is None or not np.isfinite(value)
    return value is not None and value == pytest.approx(expected, rel=CLOSE, abs=CLOSE)


def _described(facts: dict[str, Any], values: pd.Series, s: StatisticsSettings, column: str) -> int:
    there = values.dropna()
    reference = {
        "count": there.size,
        "missing": values.isna().sum(),
        "sum": there.sum(),
        "mean": there.mean(),
        "variance": there.var(),
        "sd": there.std(),
    }
    assert set(facts) - {"group"} >= {"count", *(key for key in s.statistics if key in reference)}
    for key, expected in reference.items():
        there_is = key in facts and not hidden(facts, key)
        assert not there_is or near(facts[key], expected), (column, key, facts[key], expected)
    compared = len(reference) - len(set(facts.get("withheld", ())) & set(reference))
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
    reference = pd.crosstab(group[a], group[b]).reindex(index=s.levels_of(a), columns=s.levels_of(b), fill_value=0)
    if "withheld" in facts:
        pairs = zip(np.ravel(facts["counts"]), reference.to_numpy().ravel(), strict=True)
        assert facts["chi_square"] is None and all(one is None or one == count for one, count in pairs)
        return int(sum(one is not None for one in np.ravel(facts["counts"])))
    assert facts["counts"] == reference.to_numpy().tolist()
    full = reference.loc[reference.sum(axis=1) > 0, reference.sum() > 0]
    if min(full.shape, default=0) < 2:
        assert facts["chi_square"] is None
        return reference.size
    test = stats.chi2_contingency(full, correction=False)
    assert near(facts["chi_square"], test.statistic) and near(facts["p"], test.pvalue) and facts["df"] == test.dof
    return reference.size + 3


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
    place = np.minimum(np.searchsorted(grid, there[one.time]), len(grid))
    beyond = place == len(grid)
    within = bool((~beyond).any() and (grid[place[~beyond]] != there[one.time][~beyond]).any())
    if not within or facts["estimator"] == "actuarial":  # another group's times may lie between points
        assert facts["estimator"] == ("actuarial" if within else facts["estimator"])
    status = there[one.event].where(~beyond, 0).astype(int).to_numpy()
    arms = s.arms_of(one)
    compared, hidden_arms = 0, 0
    for curve, level in zip(facts["curves"], arms, strict=True):
        chosen = np.ones(len(there), dtype=bool) if level is None else (there[one.between] == level).to_numpy()
        assert curve["level"] == level
        if curve["count"] is None:
            assert "count" in curve["withheld"] and curve["events"] is None and curve["lost_at"] is None
            hidden_arms += 1
            continue
        compared += _curve(curve, place[chosen], status[chosen], grid, facts)
    if not one.between:
        return compared
    if "log_rank" in facts.get("withheld", ()):
        assert facts["log_rank"] is None
        return compared
    assert not hidden_arms
    index = there.index
    time, arm = pd.Series(place, index), there[one.between]
    return compared + _log_rank(facts, time, pd.Series(status, index), arm)


def _curve(
    curve: dict[str, Any], place: np.ndarray, status: np.ndarray, grid: np.ndarray, facts: dict[str, Any]
) -> int:
    """The counts are right or withheld; what is estimated is as near to what all rows give as it says."""
    count = len(grid)
    d, c = (np.bincount(place[status == k], minlength=count + 1)[:count] for k in (1, 0))
    assert curve["count"] == len(place) and curve["events"] == d.sum()
    ends = np.array([one is not None for one in curve["events_at"]])
    assert (
        ends[-1] and [n for n in curve["events_at"] if n is not None] == np.diff(d.cumsum()[ends], prepend=0).tolist()
    )
    late = c.cumsum() - np.cumsum(curve["lost_at"])
    assert late.min(initial=0) >= 0
    assert late.max(initial=0) <= facts["deferred"]
    survival, se = life_table(d, c, len(place), actuarial=facts["estimator"] == "actuarial")
    compared = 2
    for k, told in enumerate(curve["survival"]):
        if told is None:
            assert curve["error"][k] is None and facts["deferred"]
            continue
        assert ends[k] and abs(told - survival[k]) <= curve["error"][k] + CLOSE, (k, told, survival[k], curve["error"])
        compared += 1
        if not facts["deferred"]:
            assert curve["error"][k] <= CLOSE and curve["at_risk"][k] == (place >= k).sum()
            assert near(curve["se"][k], se[k]) or survival[k] <= CLOSE
            compared += 2
    half = np.flatnonzero(survival <= 0.5 + 1e-12)
    if curve["median"] is not None:
        after = -np.inf if curve["median_after"] is None else curve["median_after"]
        assert half.size and after < grid[half[0]] <= curve["median"]
    else:
        assert not half.size or "median" in curve.get("withheld", ())
    return compared


def life_table(d: np.ndarray, c: np.ndarray, rows: int, *, actuarial: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """S and its standard error from all events and all who were lost, at each time, in a loop over them."""
    survival, variance, waiting = 1.0, 0.0, float(rows)
    found = []
    for events, lost in zip(d.tolist(), c.tolist(), strict=True):
        n = waiting - lost / 2 if actuarial else waiting
        if events:
            survival *= 1 - events / n
            variance += events / (n * (n - events)) if n > events else np.inf
        found.append((survival, survival * np.sqrt(variance) if survival > 0 else np.nan))
        waiting -= events + lost
    return tuple(np.array(found).reshape(-1, 2).T)  # type: ignore[return-value]


def actuarial_log_rank(time: np.ndarray, status: np.ndarray, arm: np.ndarray, lost: float = 0.5) -> tuple[float, float]:
    """The test and its p where of those who are lost at a time a part are not waited for: a loop over events' times."""
    arms = np.unique(arm)
    u, v = np.zeros(len(arms)), np.zeros((len(arms), len(arms)))
    for t in np.unique(time[status == 1]):
        now = time == t
        n = np.array([np.sum((time >= t) & (arm == g)) - np.sum(now & (status == 0) & (arm == g)) * lost for g in arms])
        d = np.array([np.sum(now & (status == 1) & (arm == g)) for g in arms])
        part, all_n, all_d = n / n.sum(), n.sum(), d.sum()
        u += d - all_d * part
        if all_n > 1:
            v += all_d * (all_n - all_d) / (all_n - 1) * (np.diag(part) - np.outer(part, part))
    if np.linalg.matrix_rank(v[:-1, :-1]) < len(arms) - 1:
        return np.nan, np.nan
    statistic = float(u[:-1] @ np.linalg.solve(v[:-1, :-1], u[:-1]))
    return statistic, float(stats.chi2.sf(statistic, len(arms) - 1))


def _log_rank(curves: dict[str, Any], time: pd.Series, status: pd.Series, arm: pd.Series) -> int:
    """statsmodels counts a degree of freedom for every arm: here it is given those that can show something."""
    facts, test = curves["log_rank"], actuarial_log_rank if curves["estimator"] == "actuarial" else survdiff
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
    statistic, p = test(time[there].to_numpy(), status[there].to_numpy(), arm[there].to_numpy())
    off, error = abs(facts["chi_square"] - statistic), facts["error"] + CLOSE * max(1.0, statistic)
    assert off <= error, (facts, statistic)
    assert off <= (1e-3 if facts["of"] == "all counts" else 0.1) * max(1.0, statistic)
    # The error is that of the statistic; near 0 the p-value of two arms changes by more than the statistic does.
    most, least = stats.chi2.sf([max(0.0, facts["chi_square"] - error), facts["chi_square"] + error], facts["df"])
    assert least - CLOSE <= p <= most + CLOSE
    return 2
