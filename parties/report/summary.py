"""What a user sees at the end of a run: how good the model is, what it cost, and what each party learnt.

Everything comes from the run's record. What it says is made here as lines and grids of text, which `print_blocks`
shows on a terminal or as plain text and `parties.report.page` as HTML.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from parties.report.about_text import about_line, is_of
from parties.report.record import REPORT, RESULT
from parties.show.blocks import (
    MISSING,
    Block,
    Grid,
    Line,
    bytes_text,
    count_text,
    entries,
    fixed,
    is_number,
    plural,
    print_blocks,
    seconds_text,
    significant,
    size_text,
    table,
)
from parties.tasks.coefficients import inference_blocks
from parties.tasks.data_summary import data_blocks
from parties.tasks.linear.show import is_linear, linear_blocks
from parties.tasks.logistic.plan_solver import solver_text, unsettled_text
from parties.tasks.predict.show import predict_blocks, shared_model_blocks
from parties.tasks.secure_sum.show import sum_blocks, sum_status
from parties.tasks.statistics.show import statistics_blocks

if TYPE_CHECKING:
    from rich.console import Console

TOP_WEIGHTS: Final = 5
MOST_DOUBT: Final = 0.005
"""An AUC that may be further off is withheld, or told with that (protocols/evaluation/metrics.py)."""

UNRANKED: Final = "The weights depend on the features' units, so their sizes cannot be compared with each other."
_PLACES: Final = {RESULT: "Record", REPORT: "Report"}
ALIGNMENT: Final = "row alignment"
"""What is revealed only where the owners have other columns of the same rows."""

RowSet = Literal["train", "test"]


def print_summary(record: Mapping[str, Any], out: Path, console: Console | None = None) -> None:
    """Prints the summary of a run: in colour on a terminal, as plain text elsewhere.

    Args:
        record: as `result.json` holds it; what it lacks is left out.
        out: the folder of the record.
        console: where to; standard output.
    """
    print_blocks(summary_blocks(record, out), console)


def ending_blocks(record: Mapping[str, Any], out: Path, *, recorded: bool = True) -> list[Block]:
    """How a run ended and where its record is, with nothing of what it gave."""
    name = str(table(record.get("scenario")).get("name") or "the run")
    where = f" Record: {out / RESULT}" if recorded else ""
    alarm = [Line(insecure_text(record), "bold red")] if is_insecure(record) else []
    return [Line(f"{name}: done.{where}", wrap=False), *alarm]


def summary_blocks(record: Mapping[str, Any], out: Path, *, recorded: bool = True) -> list[Block]:
    """All that the summary says, in its order.

    Args:
        recorded: whether the record is in its folder, as it should be.
    """
    blocks: list[Block] = [*status_lines(record)]
    if record.get("status") == "ok" and (text := about_line(record)):
        blocks.append(Line(text))
    if table(record.get("sums")):
        blocks += sum_blocks(record)
    elif table(record.get("statistics")):
        blocks += statistics_blocks(record)
    elif is_linear(record):
        blocks += linear_blocks(record)
    elif table(record.get("predict")):
        blocks += predict_blocks(record)
    elif record.get("status") == "ok" and not is_of(record, "logistic_regression"):
        blocks += [Line(""), Line(not_told_text(record))]
    elif record.get("status") == "ok":
        if table(record.get("training")):
            blocks.append(Line(solver_text(table(record["training"]))))
            blocks += unsettled_lines(record)
        blocks += _quality_blocks(record)
        blocks += inference_blocks(record) or shared_model_blocks(record) or _weight_blocks(record)
        blocks += data_blocks(record)
    if table(record.get("parties")) and not table(record.get("sums")):
        blocks += [traffic_grid(record), seconds_grid(record)]
        if record.get("status") == "ok":
            blocks += [Line(""), plan_line(record)]
    if record.get("revealed"):
        blocks += [revealed_grid(record), Line(""), Line(nothing_else(record))]
    there = [out / name for name in (RESULT, REPORT) if name == RESULT or (out / name).exists()] if recorded else []
    blocks += [Line(""), *(Line(f"{_PLACES[path.name]}: {path}", wrap=False) for path in there)]
    return blocks


def status_lines(record: Mapping[str, Any]) -> list[Line]:
    """How the run ended, and in capitals if it protected nothing."""
    name = str(table(record.get("scenario")).get("name") or "the run")
    parties = table(record.get("parties"))
    if table(record.get("sums")):
        lines = [sum_status(record)]
    elif record.get("status") == "ok":
        owners = len(owners_of(record))
        total = max((_seconds(entry, "total") for entry in parties.values()), default=math.nan)
        online = max((_seconds(entry, "online") for entry in parties.values()), default=math.nan)
        others = len(parties) - owners
        who = f"{plural(owners, 'owner')}" + (f" and {plural(others, 'helper')}" if others else "")
        lines = [Line(f"{name}: done. {who}, {seconds_text(total)} s in all, {seconds_text(online)} s online.", "bold")]
    else:
        error = table(record.get("error"))
        lines = [Line(f"{name}: FAILED. {error.get('message') or 'the record does not say why'}", "bold red")]
        if error.get("hint"):
            lines.append(Line(f"What to do: {error['hint']}"))
        about = f", about {error['party']}" if error.get("party") else ""
        if error.get("code"):
            lines.append(Line(f"Kind of error: {error['code']}{about}"))
    if is_insecure(record):
        lines.append(Line(insecure_text(record), "bold red"))
    return lines


def is_insecure(record: Mapping[str, Any]) -> bool:
    """Whether the run's secrets came from a test seed; a record that does not say which is taken to mean yes."""
    return any(table(told).get("insecure_seed", "") is not None for told in table(record.get("testing")).values())


def insecure_text(record: Mapping[str, Any]) -> str:
    """The warning of a run under a test seed."""
    named = ", ".join(map(str, table(record.get("testing")))) or "its parties"
    return (
        f"WARNING: THIS RUN PROTECTED NOTHING. The scenario's [testing] insecure_seed made the secret randomness of "
        f"{named} known to all who know the seed. Never use it with real patients."
    )


def _quality_blocks(record: Mapping[str, Any]) -> list[Block]:
    held_out = any(table(sets).get("test") for sets in _all_sets(record))
    which: RowSet = "test" if held_out else "train"
    if not held_out and not any(table(sets).get("train") for sets in _all_sets(record)):
        return [Line(""), Line(no_metrics_text(record))]
    blocks: list[Block] = [quality_grid(record, which)]
    texts = (auc_text(record, which), quality_note(record, which), difference_text(record))
    blocks += [Line(text) for text in texts if text]
    return blocks


def no_metrics_text(record: Mapping[str, Any]) -> str:
    """Why a record has no metrics."""
    if not owners_of(record):
        return "A helper is told neither the model nor how good it is."
    return "The model's metrics were not asked for (`reveal` in the scenario)."


def not_told_text(record: Mapping[str, Any]) -> str:
    """Why a record of another kind than a training has no result."""
    if not owners_of(record):
        return "A helper is told nothing of the result."
    return "The record holds no result."


def quality_grid(record: Mapping[str, Any], which: RowSet) -> Grid:
    """Alone against together against pooled, on held-out ("test") or training rows."""
    rows = tuple(
        (
            name,
            count_text(metrics.get("rows")),
            accuracy_text(metrics),
            *(fixed(metrics.get(key)) for key in ("auc", "log_loss", "brier")),
        )
        for name, metrics in models(record, which)
    )
    where = "held-out rows of all owners" if which == "test" else "training rows"
    columns = ("trained", "rows", "accuracy", "AUC", "log-loss", "Brier")
    return Grid(f"How good the model is, on {where}", columns, rows)


def quality_note(record: Mapping[str, Any], which: RowSet) -> str:
    """What to know about the grid's rows; empty if there is nothing."""
    if not table(record.get("comparison")):
        return ""
    if which == "train":
        return "Alone: on that owner's own training rows. Together and pooled: on all owners' training rows."
    return "Alone and pooled were trained in the clear, which only a run with all data on one machine can do."


def auc_text(record: Mapping[str, Any], which: RowSet) -> str:
    """The joint model's AUC with its interval; empty where there is none."""
    metrics = table(table(record.get("metrics")).get(which))
    low, high, error = metrics.get("auc_low"), metrics.get("auc_high"), metrics.get("auc_error")
    doubt = error is not None and is_number(error) and error > MOST_DOUBT
    if doubt and metrics.get("auc") is None:
        return (
            f"AUC together: withheld, as it could be told to {significant(error, 2)} only: most scores are close to "
            "each other, and far from their mean. Take logarithms of skewed features, and look for outliers."
        )
    if not (is_number(low) and is_number(high)):
        return ""
    text = f"AUC together: {fixed(metrics.get('auc'))}, 95 % interval {fixed(low)} to {fixed(high)} (Hanley-McNeil)."
    return f"{text} Scores in one bin count as equal: it may be off by {significant(error, 2)}." if doubt else text


def difference_text(record: Mapping[str, Any]) -> str:
    """How far the weights are from the plaintext ones; empty without a comparison."""
    pooled = table(table(record.get("comparison")).get("pooled"))
    if "max_abs_weight_difference" not in pooled:
        return ""
    value = significant(pooled["max_abs_weight_difference"], 2)
    if value == MISSING:
        return "Largest difference from the plaintext weights: none to give, the plaintext training diverged."
    return f"Largest difference from the plaintext weights: {value} (standardised units, intercept included)."


def models(record: Mapping[str, Any], which: RowSet) -> list[tuple[str, Mapping[str, Any]]]:
    """Each model's name and its metrics on a set of rows; no metrics are an empty table."""
    comparison = table(record.get("comparison"))
    named = [(f"{owner} alone", table(sets)) for owner, sets in table(comparison.get("alone")).items()]
    named.append(("together (this run)", table(record.get("metrics"))))
    if comparison.get("pooled"):
        named.append(("pooled in the clear", table(comparison["pooled"])))
    return [(name, table(sets.get(which))) for name, sets in named]


def _all_sets(record: Mapping[str, Any]) -> list[object]:
    comparison = table(record.get("comparison"))
    return [record.get("metrics"), comparison.get("pooled")]


def _weight_blocks(record: Mapping[str, Any]) -> list[Block]:
    grid = weights_grid(record, TOP_WEIGHTS)
    if grid is None:
        return []
    model = table(record.get("model"))
    total, shown = len(entries(model.get("features"))), len(grid.rows)
    text = f"Intercept {significant(model.get('intercept'))}."
    if shown < total:
        text += f" All {total} weights are in {RESULT}."
    if all(size is None for _, _, size in ranked_weights(record)):
        text += f" {UNRANKED}"
    return [grid, Line(text)]


def unsettled_lines(record: Mapping[str, Any]) -> list[Line]:
    """What to know of weights that need not be the optimum's; nothing where they are."""
    training = table(record.get("training"))
    text = unsettled_text(training)
    return [Line(text, "bold red" if training.get("converged") is False else "")] if text else []


def weights_grid(record: Mapping[str, Any], top: int | None = None) -> Grid | None:
    """The model's weights, largest effect first; with odds ratios if the training converged. None without a model."""
    ranked = ranked_weights(record)
    if not ranked:
        return None
    title = "The model's weights" + (f", the {top} largest" if top is not None and top < len(ranked) else "")
    if all(size is None for _, _, size in ranked):
        title += " per unit" if top is not None and top < len(ranked) else ""
        plain = tuple((n, significant(w), odds_text(w)) for n, w, _ in ranked[:top])
        grid = Grid(title, ("feature", "per unit", "odds ratio per unit"), plain)
    else:
        rows = tuple((n, significant(w), significant(s), odds_text(s)) for n, w, s in ranked[:top])
        grid = Grid(title, ("feature", "per unit", "per standard deviation", "odds ratio per s.d."), rows)
    if table(record.get("training")).get("converged"):
        return grid
    return replace(grid, columns=grid.columns[:-1], rows=tuple(row[:-1] for row in grid.rows))


def ranked_weights(record: Mapping[str, Any]) -> list[tuple[str, float, float | None]]:
    """Each feature's weight in its own unit and per standard deviation (None if not known), largest effect first."""
    model = table(record.get("model"))
    names, weights = entries(model.get("features")), entries(model.get("weights"))
    standardised: Sequence[Any] = entries(model.get("standardised_weights"))
    # Without standardisation both are the same numbers, and neither is per standard deviation.
    if len(standardised) != len(names) or list(standardised) == list(weights):
        standardised = [None] * len(names)
    ranked = [(str(n), w, s) for n, w, s in zip(names, weights, standardised, strict=False)]
    return sorted(ranked, key=lambda one: -_size(one[1] if one[2] is None else one[2]))


def traffic_grid(record: Mapping[str, Any]) -> Grid:
    """Each party's process, rounds, messages and bytes."""
    rows = []
    for name, entry in table(record.get("parties")).items():
        party = table(entry)
        traffic = [bytes_text(party.get(key)) for key in ("bytes_sent", "bytes_received")]
        pid = str(party["pid"]) if isinstance(party.get("pid"), int) else MISSING
        counts = (count_text(party.get("rounds")), count_text(party.get("messages")))
        rows.append((str(name), str(party.get("role", MISSING)), pid, *counts, *traffic))
    columns = ("party", "role", "process", "rounds", "messages", "bytes sent", "bytes received")
    return Grid("What it cost", columns, tuple(rows), frozenset({0, 1}))


def seconds_grid(record: Mapping[str, Any]) -> Grid:
    """Each party's seconds; a helper has no training of its own, and other kinds of task have none at all."""
    other = table(record.get("statistics")) or table(record.get("predict")) or is_linear(record)
    trained = not other
    keys = tuple(key for key in ("connect", "setup", "online", "training", "total") if trained or key != "training")
    rows = tuple(
        (
            str(name),
            *(
                MISSING
                if key == "training" and table(entry).get("role") != "owner"
                else seconds_text(_seconds(entry, key))
                for key in keys
            ),
        )
        for name, entry in table(record.get("parties")).items()
    )
    return Grid("Seconds (training is a part of online)" if trained else "Seconds", ("party", *keys), rows)


def plan_line(record: Mapping[str, Any]) -> Line:
    """Whether rounds and bytes were as planned, or where they were not."""
    found = plan_differences(record)
    if found:
        return Line("NOT AS PLANNED: " + "; ".join(found) + ".", "bold red")
    return Line("Rounds and bytes sent were as planned, exactly, for every party.")


def plan_differences(record: Mapping[str, Any]) -> list[str]:
    """Where what was measured is not what was planned, in words."""
    plan, parties = table(record.get("plan")), table(record.get("parties"))
    found = []
    for name, entry in parties.items():
        party = table(entry)
        planned = {
            "rounds": plan.get("rounds") if party.get("role") == "owner" else None,
            "bytes_sent": table(plan.get("bytes")).get(name, MISSING),
            "messages": table(plan.get("messages")).get(name),
        }
        for key, expected in planned.items():
            if expected is not None and party.get(key) != expected:
                words = key.replace("_", " ")
                found.append(f"{name} {words} {count_text(party.get(key))}, planned {count_text(expected)}")
    return found


def correlations_grid(correlations: object, title: str) -> Grid:
    """What the helper dealt (or will), by kind."""
    rows = tuple(
        (str(kind), count_text(table(row).get("count")), bytes_text(table(row).get("correction_bytes")))
        for kind, row in table(correlations).items()
    )
    return Grid(title, ("kind", "count", "bytes sent"), rows)


def revealed_grid(record: Mapping[str, Any], title: str = "What was revealed") -> Grid:
    """What was opened to whom and why; what has the same reader and reason stands in one row."""
    owners = owners_of(record)
    items = _counted([table(item) for item in entries(record.get("revealed"))])
    rows = []
    for (to, why), group in groupby(items, key=lambda item: (_readers(item, owners), str(item.get("why", "")))):
        same = list(group)
        numbers = " + ".join(size_text(item.get("shape")) for item in same)
        rows.append((", ".join(str(item.get("what", MISSING)) for item in same), numbers, to, why))
    return Grid(title, ("what", "numbers", "to", "why"), tuple(rows), frozenset({0, 1, 2, 3}))


def _counted(reveals: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The reveals, with those that are the same but for their place put into one."""
    found: list[Mapping[str, Any]] = []
    for _, group in groupby(reveals, key=lambda item: [item.get(key) for key in ("what", "to", "why", "shape")]):
        same = list(group)
        one, times = same[0], len(same)
        what, shape = f"{one.get('what', MISSING)} ({times} times)", [times, *entries(one.get("shape"))]
        found.append(one if times == 1 else {**one, "what": what, "shape": shape})
    return found


def nothing_else(record: Mapping[str, Any]) -> str:
    """What nobody learnt, and what the helper did."""
    if table(record.get("sums")):
        return "No client's vector was opened, nor the sum of fewer: the masks cancel in the whole sum only."
    helpers = [str(n) for n, entry in table(record.get("parties")).items() if table(entry).get("role") == "helper"]
    split = any(table(item).get("what") == ALIGNMENT for item in entries(record.get("revealed")))
    helper = f" {', '.join(helpers)} was shown no value, only how many rows and columns there are." if helpers else ""
    return (
        "Nothing else was opened but under uniform masks, each used once. "
        f"{also_learnt(split=split, scored=bool(record.get('predict')))}{helper}"
    )


def also_learnt(*, split: bool, scored: bool) -> str:
    """What owners learn of each other beside what is opened, where columns are split or not, and rows scored or not."""
    if split and scored:
        return "The owners also learn how many rows they all have; each other's columns they know from the training."
    if split:
        return "The owners also learn the names of each other's columns, and who has the target."
    return "The owners also learn each other's numbers of rows."


def owners_of(record: Mapping[str, Any]) -> list[str]:
    """The owners' names."""
    return [str(n) for n, entry in table(record.get("parties")).items() if table(entry).get("role") == "owner"]


def accuracy_text(metrics: Mapping[str, Any]) -> str:
    """The accuracy, and how many rows that is."""
    accuracy, counts = metrics.get("accuracy"), table(metrics.get("confusion"))
    if not is_number(accuracy):
        return MISSING
    right = [counts.get("true_positives"), counts.get("true_negatives")]
    rows = metrics.get("rows")
    told = f" ({sum(right)}/{rows})" if all(map(is_number, [*right, rows])) else ""  # type: ignore[arg-type]
    return f"{100 * accuracy:.1f} %{told}"  # type: ignore[operator]


def odds_text(weight: Any) -> str:
    """exp(weight) for reading."""
    if not is_number(weight):
        return MISSING
    return significant(math.exp(weight), 3) if abs(weight) < 700 else ("> 1e300" if weight > 0 else "< 1e-300")


def _readers(item: Mapping[str, Any], owners: Sequence[str]) -> str:
    to = [str(name) for name in entries(item.get("to"))]
    return "all owners" if owners and to == list(owners) else ", ".join(to) or MISSING


def _seconds(entry: object, key: str) -> Any:
    value = table(table(entry).get("seconds")).get(key)
    return value if is_number(value) else math.nan


def _size(value: Any) -> float:
    return abs(value) if is_number(value) else -1.0
