"""What the summary and the report say of a pooled odds ratio."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import MISSING, Block, Grid, Line, count_text, entries, is_number, table, to_digits, to_fixed
from parties.tasks.base import Show
from parties.tasks.coefficients import p_text


def blocks(record: Mapping[str, Any]) -> list[Block]:
    """The strata's tables and the estimate; which strata are withheld, if any is."""
    if not (part := table(record.get("mantel_haenszel"))):
        return []
    columns = [table(part.get(name)).get("column", MISSING) for name in ("exposure", "outcome")]
    rows, withheld = [], []
    for stratum in entries(part.get("strata")):
        one = table(stratum)
        counts = [count for row in entries(one.get("counts")) for count in entries(row)]
        withheld += [] if counts else [str(one.get("level"))]
        rows.append((str(one.get("level")), *(map(count_text, counts) if counts else ["*"] * 4)))
    heads = ("stratum", "exposed, event", "exposed, none", "not, event", "not, none")
    grid = Grid(f"{columns[0]} by {columns[1]} in each stratum", heads, tuple(rows))
    if withheld:
        text = f"No estimate: too few rows in a cell of {', '.join(withheld)}. Join strata and run it again."
        return [grid, Line(text)]
    return [grid, *map(Line, _texts(table(part.get("estimate"))))]


def _texts(found: Mapping[str, Any]) -> list[str]:
    texts = ["The tables determine no odds ratio: in every stratum a product of its cells is 0."]
    if is_number(found.get("odds_ratio")):
        low, high = to_digits(found.get("low")), to_digits(found.get("high"))
        texts = [f"Pooled odds ratio {to_digits(found['odds_ratio'])}, 95 % interval {low} to {high}."]
    if is_number(found.get("chi_square")):
        chi = to_fixed(found["chi_square"], 2)
        texts.append(f"Mantel-Haenszel test of an odds ratio of 1: chi-square {chi}, p {p_text(found.get('p'))}.")
    if is_number(found.get("breslow_day")):
        texts.append(
            f"Breslow-Day test of one odds ratio in all strata: chi-square {to_fixed(found['breslow_day'], 2)} with "
            f"{found.get('breslow_day_df')} degrees of freedom, p {p_text(found.get('breslow_day_p'))}."
        )
    return texts


def _figures(record: Mapping[str, Any]) -> dict[str, Any]:
    found = table(table(record.get("mantel_haenszel")).get("estimate"))
    return {"odds ratio": found.get("odds_ratio"), "chi-square": found.get("chi_square")}


_NOTE: Final = "The tests have no continuity correction."

SHOW: Final = Show("The odds ratio over strata", blocks, note=_NOTE, figures=_figures)
