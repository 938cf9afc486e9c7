"""Statistics in the summary and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

from parties.show.blocks import MISSING, Block, Grid, Line, count_text, entries, is_number, table
from parties.tasks.base import Show
from parties.tasks.coefficients import p_text
from parties.tasks.privacy.guarantee import spent_text
from parties.tasks.statistics.private.show import columns_grid, interval_text, notes, number_text

_MOST_TIMES: Final = 12
"""The most points of a survival curve that are shown; the record has all."""

_WITHHELD: Final = "*"
"""The mark of a withheld number."""

_OF_SUMS: Final = ("count", "missing", "sum", "mean", "variance", "sd")
_WHOLE: Final = frozenset({"count", "missing"})
_ESTIMATORS: Final = {"kaplan-meier": "Kaplan-Meier", "actuarial": "actuarial: times lie between points"}


def statistics_blocks(record: Mapping[str, Any]) -> list[Block]:
    """All statistics of a record, as lines and tables."""
    found = table(record.get("statistics"))
    if not found:
        return []
    privacy = table(record.get("privacy"))
    blocks: list[Block] = [Line(""), Line(spent_text(privacy, "patients"))] if privacy else []
    by = table(found.get("by"))
    if by:
        blocks.append(_groups_grid(by))
    blocks += columns_grid(found, by) if privacy else _description_grids(found, by)
    for parts in (_histograms, _tables, _correlations, _t_tests, _survival):
        blocks += parts(found, by)
    return [*blocks, *(notes(privacy) if privacy else _marks_note(found))]


def _marks_note(found: Mapping[str, Any]) -> list[Block]:
    """What the marks in the tables mean, or that no cell can be withheld."""
    rule = table(found.get("small_cells"))
    if not rule:
        small = "small_cells" in found and found["small_cells"] is None
        return [Line(""), Line("min_cell = 0: counts were told however few patients they are of.")] if small else []
    few = f"1 to {rule['min_cell'] - 1:g}" if is_number(rule.get("min_cell")) else "few"
    text = (
        f"{_WITHHELD} withheld: for some owner, the others have {few} patients in this cell, or in one that "
        f"would follow from it; {count_text(rule.get('withheld'))} of {count_text(rule.get('cells'))} counts."
    )
    text += " The rows that lack a value are a cell, too." if rule.get("missing_cells") == "tested" else ""
    text += f" Means, deviations and tests are also withheld where {few} of the others' patients have "
    text += "another value than the commonest"
    text += f", or where one value is more than {rule['dominance']} % of a sum." if rule.get("dominance") else "."
    return [Line(""), Line(text)]


def _cell_text(one: Mapping[str, Any], key: str, text: str, value: Any = None) -> str:
    """A number's text, or the mark if it is withheld."""
    return _WITHHELD if value is None and key in entries(one.get("withheld")) else text


def _count(value: Any) -> str:
    """A count of a table, where null means that it is withheld."""
    return _WITHHELD if value is None else count_text(value)


def _groups_grid(by: Mapping[str, Any]) -> Grid:
    levels, rows = entries(by.get("levels")), entries(by.get("rows"))
    cells = [(str(level), _count(n)) for level, n in zip(levels, rows, strict=False)]
    return Grid("Rows in each group", (str(by.get("column")), "rows"), (*cells, ("missing", _count(by.get("without")))))


def _description_grids(found: Mapping[str, Any], by: Mapping[str, Any]) -> list[Block]:
    """Two tables: statistics from sums, and statistics on grids."""
    groups = [
        (str(name), table(one)) for name, groups in table(found.get("columns")).items() for one in entries(groups)
    ]
    blocks: list[Block] = []
    keys = [key for key in _OF_SUMS if any(key in one for _, one in groups)]
    if keys:
        rows = [
            (name, *_group(one, by), *(_value(one, key, count_text if key in _WHOLE else number_text) for key in keys))
            for name, one in groups
        ]
        blocks.append(Grid("Columns", ("column", *_group_head(by), *keys), tuple(rows), _left(by)))
    shares = list(dict.fromkeys(share for _, one in groups for share in table(one.get("quantiles"))))
    ends = [end for end in ("min", "max") if any(end in one for _, one in groups)]
    if shares or ends:
        rows = [
            (name, *_group(one, by), *_on_grid(one, ends, shares))
            for name, one in groups
            if "quantiles" in one or set(ends) & set(one)
        ]
        heads = (*ends[:1], *(f"{100 * float(share):g} %" for share in shares), *ends[1:])
        title = "Columns on their grids: the smallest point that so many values do not exceed"
        blocks.append(Grid(title, ("column", *_group_head(by), *heads), tuple(rows), _left(by)))
    return blocks


def _on_grid(one: Mapping[str, Any], ends: list[str], shares: list[str]) -> list[str]:
    found = [table(one.get("quantiles")).get(share) for share in shares]
    quantiles = [_cell_text(one, "quantiles", number_text(value), value) for value in found]
    first, last = ([_value(one, end) for end in part] for part in (ends[:1], ends[1:]))
    return [*first, *quantiles, *last]


def _value(one: Mapping[str, Any], key: str, text: Callable[[Any], str] | None = None) -> str:
    """The number under a key of a group's facts."""
    return _cell_text(one, key, (text or number_text)(one.get(key)), one.get(key))


def _histograms(found: Mapping[str, Any], by: Mapping[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    for column, one in table(found.get("histograms")).items():
        edges, groups = entries(table(one).get("edges")), [table(g) for g in entries(table(one).get("groups"))]
        bins = [f"{number_text(a)} to {number_text(b)}" for a, b in pairwise(edges)]
        names = ["below", *bins, "above"]
        counts = [[g.get("below"), *entries(g.get("counts")), g.get("above")] for g in groups]
        rows = tuple((name, *(_count(c[k]) for c in counts)) for k, name in enumerate(names))
        heads = [str(g.get("group")) if by else "rows" for g in groups]
        blocks.append(Grid(f"Histogram of {column}" + _by(by), ("from, to under", *heads), rows))
        blocks += _together(groups, by)
    return blocks


def _together(groups: list[Mapping[str, Any]], by: Mapping[str, Any]) -> list[Block]:
    """The totals of bins that are withheld each."""
    told = []
    for group in groups:
        for one in map(table, entries(group.get("merged"))):
            if one.get("count") is not None:
                where = f"{by.get('column')} {group.get('group')}, " if by else ""
                ends = [
                    f"{word} {number_text(one[end])}"
                    for word, end in (("from", "from"), ("under", "to"))
                    if is_number(one.get(end))
                ]
                told.append(f"{where}{' '.join(ends) or 'all bins'}: {count_text(one['count'])}")
    return [Line(f"Bins together: {'; '.join(told)}.")] if told else []


def _tables(found: Mapping[str, Any], by: Mapping[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    for one in map(table, entries(found.get("tables"))):
        a, b = table(one.get("rows")), table(one.get("columns"))
        for group in map(table, entries(one.get("groups"))):
            where = f", {by.get('column')} {group.get('group')}" if by else ""
            levels = entries(a.get("levels"))
            counts = [entries(line) for line in entries(group.get("counts"))]
            rows = tuple((str(n), *map(_count, line)) for n, line in zip(levels, counts, strict=False))
            heads = (str(a.get("column")), *map(str, entries(b.get("levels"))))
            blocks.append(Grid(f"{a.get('column')} by {b.get('column')}{where}", heads, rows))
            blocks.append(Line(_chi_square_text(group, "Chi-square", noisy="intervals" in group)))
    return blocks


def _correlations(found: Mapping[str, Any], by: Mapping[str, Any]) -> list[Block]:
    rows, noisy = [], found.get("rows") is None
    for one in map(table, entries(found.get("correlations"))):
        pair = " and ".join(map(str, entries(one.get("columns"))))
        for group in map(table, entries(one.get("groups"))):
            ends = [interval_text(table(group.get("intervals")).get("r"))] if noisy else []
            numbers = (_value(group, "count", count_text), _value(group, "r"), *ends, _value(group, "p", p_text))
            rows.append((pair, *_group(group, by), *numbers))
    heads = ("columns", *_group_head(by), "rows", "r", *(["95 % interval"] if noisy else []), "p")
    return [Grid("Correlations (Pearson)", heads, tuple(rows), _left(by))] if rows else []


def _t_tests(found: Mapping[str, Any], by: Mapping[str, Any]) -> list[Block]:
    rows = []
    for one in map(table, entries(found.get("t_tests"))):
        for group in map(table, entries(one.get("groups"))):
            for test in map(table, entries(group.get("tests"))):
                levels = " - ".join(map(str, entries(test.get("levels"))))
                interval = MISSING
                if is_number(test.get("low")) and is_number(test.get("high")):
                    interval = f"{number_text(test['low'])} to {number_text(test['high'])}"
                interval = _cell_text(test, "low", interval, test.get("low"))
                numbers = (_value(test, key) for key in ("t", "df"))
                rows.append(
                    (
                        str(one.get("column")),
                        *_group(group, by),
                        f"{one.get('between')}: {levels}",
                        _value(test, "difference"),
                        interval,
                        *numbers,
                        _value(test, "p", p_text),
                    )
                )
    heads = ("column", *_group_head(by), "between", "difference", "95 % interval", "t", "df", "p")
    left = _left(by) | {len(_group_head(by)) + 1}
    return [Grid("Differences of means (Welch)", heads, tuple(rows), frozenset(left))] if rows else []


def _survival(found: Mapping[str, Any], by: Mapping[str, Any]) -> list[Block]:
    blocks: list[Block] = []
    for one in map(table, entries(found.get("survival"))):
        times = entries(one.get("times"))
        for group in map(table, entries(one.get("groups"))):
            where = f", {by.get('column')} {group.get('group')}" if by else ""
            curves = [table(curve) for curve in entries(group.get("curves"))]
            survival = [entries(curve.get("survival")) for curve in curves]
            shown = _times_shown(survival)
            rows = [(number_text(times[k]), *(_at(curve, k) for curve in curves)) for k in shown]
            for words, key in (("rows", "count"), ("events", "events")):
                rows.append((words, *(_arm_count(curve, key) for curve in curves)))
            rows.append(("median", *(_median(curve) for curve in curves)))
            if any("intervals" in curve for curve in curves):
                rows.append(("its interval", *(interval_text(table(c.get("intervals")).get("median")) for c in curves)))
            heads = (str(one.get("time")), *(str(curve.get("level") or "all") for curve in curves))
            between = f" by {one.get('between')}" if one.get("between") else ""
            name = _ESTIMATORS.get(str(group.get("estimator")), "Kaplan-Meier")
            blocks.append(Grid(f"Survival to {one.get('event')}{between}{where} ({name})", heads, tuple(rows)))
            blocks += _curve_note(group, curves, shown)
            if one.get("between"):
                noisy = any("intervals" in curve for curve in curves)
                blocks.append(Line(_log_rank_text(group, noisy=noisy)))
    return blocks


def _at(curve: Mapping[str, Any], k: int) -> str:
    """A curve at one of its times, with its interval if it has one; of a curve that is withheld, the mark."""
    values, intervals = entries(curve.get("survival")), entries(table(curve.get("intervals")).get("survival"))
    if k >= len(values):
        return _WITHHELD
    if k < len(intervals):
        return f"{number_text(values[k])} ({interval_text(intervals[k])})" if is_number(values[k]) else "too noisy"
    return number_text(values[k])


def _arm_count(curve: Mapping[str, Any], key: str) -> str:
    """The patients or events of an arm, with their interval if there is noise: sums of many noisy cells."""
    interval = table(curve.get("intervals")).get(key)
    return _value(curve, key, count_text) + (f" ({interval_text(interval)})" if interval is not None else "")


def _median(curve: Mapping[str, Any]) -> str:
    """A curve's median, or after which time and by which it was reached."""
    after, by = curve.get("median_after"), curve.get("median")
    if not is_number(by) or "at_risk" not in entries(curve.get("withheld")):
        return _value(curve, "median")
    return f"{number_text(after)} to {number_text(by)}" if is_number(after) else f"by {number_text(by)}"


def _at_most(curve: Mapping[str, Any], shown: list[int]) -> float:
    """The largest error of a curve at the times that are shown."""
    errors = entries(curve.get("error"))
    return max((errors[k] for k in shown if k < len(errors) and is_number(errors[k])), default=0.0)


def _curve_note(group: Mapping[str, Any], curves: Sequence[Mapping[str, Any]], shown: list[int]) -> list[Line]:
    """How a curve is made of what is disclosed: of stretches, near that of all counts; or until noise hides it."""
    noisy = [entries(curve.get("survival")) for curve in curves if "intervals" in curve]
    if any(survival and survival[-1] is None for survival in noisy):
        return [Line("A curve ends where the noise is large beside the patients who are still at risk.")]
    if not group.get("deferred"):
        return []
    if not shown:
        text = "No point of a curve is told: each is withheld, or could be off by two standard errors or more."
        return [Line(text)]
    text = "Told at the ends of stretches in which enough had the event; who was lost is counted by lots. At the times "
    most = max(_at_most(curve, shown) for curve in curves)
    return [Line(f"{text}shown within {number_text(most)} of the curve that all counts would give.")]


def _log_rank_text(group: Mapping[str, Any], *, noisy: bool) -> str:
    test = _log_rank(group)
    text = _chi_square_text(test, "Log-rank: chi-square", noisy=noisy)
    if not is_number(test.get("error")) or not test["error"]:
        return text
    return f"{text[:-1]}; of {test.get('of')}, within {number_text(test['error'])}."


def _log_rank(group: Mapping[str, Any]) -> Mapping[str, Any]:
    """The test of a group's curves, which says if it is withheld."""
    hidden = "log_rank" in entries(group.get("withheld"))
    return {"withheld": ["log_rank"]} if hidden else table(group.get("log_rank"))


def _times_shown(curves: list[Sequence[Any]]) -> list[int]:
    """Some of the times at which the curves are disclosed, the last among them."""
    told = [k for k, values in enumerate(zip(*curves, strict=False)) if any(is_number(value) for value in values)]
    step = max(1, -(-len(told) // _MOST_TIMES))
    return [k for place, k in enumerate(told) if (place + 1) % step == 0 or place == len(told) - 1]


def _chi_square_text(test: Mapping[str, Any], name: str, *, noisy: bool) -> str:
    if {"chi_square", "log_rank"} & set(entries(test.get("withheld"))):
        return f"{name}: withheld."
    if not is_number(test.get("chi_square")):
        return f"{name}: no test, as the noise is too large." if noisy else f"{name}: nothing to compare."
    return f"{name} {number_text(test['chi_square'])}, df {test.get('df')}, p {p_text(test.get('p'))}."


def _group(group: Mapping[str, Any], by: Mapping[str, Any]) -> tuple[str, ...]:
    return (str(group.get("group")),) if by else ()


def _group_head(by: Mapping[str, Any]) -> tuple[str, ...]:
    return (str(by.get("column")),) if by else ()


def _left(by: Mapping[str, Any]) -> frozenset[int]:
    return frozenset({0, 1}) if by else frozenset({0})


def _by(by: Mapping[str, Any]) -> str:
    return f", by {by.get('column')}" if by else ""


SHOW: Final = Show("What all owners' rows say", statistics_blocks)
