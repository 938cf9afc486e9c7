"""The summary's and the report's description of a run: the outcome, its coding, the rows, the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import count_text, is_number, plural, table
from parties.tasks.registry import KINDS

_MISSING: Final[Mapping[str, str]] = {
    "refuse": "none: a run with a missing value is refused",
    "drop": "rows with a missing value were dropped",
    "mean": "replaced by the mean of their owner's rows",
}


def outcome_text(record: Mapping[str, Any]) -> str:
    """The outcome and its positive value; empty without an outcome, or for an older record that lacks it."""
    outcome = table(table(record.get("about")).get("outcome"))
    if not outcome.get("column"):
        return ""
    positive = outcome.get("positive")
    return f"{outcome['column']}" + (f", where {positive} counts as 1" if positive else "")


def rows_text(record: Mapping[str, Any]) -> str:
    """Each owner's rows, and the number held out."""
    told = []
    for owner, counts in table(record.get("rows")).items():
        train, test = (table(counts).get(key) for key in ("train", "test"))
        if is_number(train) and (train or test):
            more = f" and {count_text(test)} held out" if is_number(test) and test else ""
            told.append(f"{owner} {count_text(train)}{more}")
    return "; ".join(told)


def about_line(record: Mapping[str, Any]) -> str:
    """The outcome and the rows in one sentence; empty for a record without both."""
    outcome, rows = outcome_text(record), rows_text(record)
    parts = [f"Outcome: {outcome}."] if outcome else []
    return " ".join([*parts, f"Rows: {rows}."] if rows else parts)


def about_facts(record: Mapping[str, Any]) -> dict[str, str]:
    """The facts that a reader needs to repeat the run, by name; unknown ones are left out."""
    about = table(record.get("about"))
    levels = table(about.get("reference_levels"))
    excluded = {
        name: table(party)["rows_excluded"]
        for name, party in table(record.get("parties")).items()
        if is_number(table(party).get("rows_excluded"))
    }
    kind = about.get("kind")
    facts = {
        "Kind": (KINDS[kind].words if kind in KINDS else str(kind)) if kind else "",
        "Outcome": outcome_text(record),
        "Rows": rows_text(record),
        "Rows excluded": "; ".join(f"{name} {plural(count, 'row')}" for name, count in excluded.items()),
        "Reference levels": ", ".join(f"{column} = {level}" for column, level in levels.items()),
        "Missing values": _MISSING.get(str(about.get("missing")), ""),
        "Seed (public)": "" if about.get("seed") is None else str(about["seed"]),
        "Version": str(about.get("version") or ""),
        "Started": str(about.get("started") or "").replace("T", " ").replace("Z", " UTC"),
    }
    return {name: text for name, text in facts.items() if text}
