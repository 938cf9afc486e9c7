"""A training in the summary: how good the model is, its weights, or where its shares are."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from parties.base.record_files import RESULT
from parties.show.blocks import (
    MISSING,
    Block,
    Grid,
    Line,
    count_text,
    entries,
    files_of,
    is_number,
    owners_of,
    table,
    to_digits,
    to_fixed,
)
from parties.tasks.base import Show
from parties.tasks.coefficients import inference_blocks
from parties.tasks.data_summary import data_blocks
from parties.tasks.logistic.plan_solver import optimum_text, solver_text
from parties.tasks.logistic.private.show import noisy_blocks, noisy_notes
from parties.tasks.privacy.figures import own_figures, reference_figures

TOP_WEIGHTS: Final = 5
MOST_DOUBT: Final = 0.005
"""An AUC that may be further off is withheld, or told with that (protocols/evaluation/metrics.py)."""

UNRANKED: Final = "The weights depend on the features' units, so their sizes cannot be compared with each other."

RowSet = Literal["train", "test"]


def training_blocks(record: Mapping[str, Any]) -> list[Block]:
    """The whole summary of a successful training, in order."""
    if record.get("status") != "ok":
        return []
    if table(record.get("privacy")):
        return [*noisy_blocks(record), *_weight_blocks(record), *noisy_notes(record)]
    blocks: list[Block] = []
    if table(record.get("training")):
        blocks.append(Line(solver_text(table(record["training"]))))
        blocks += optimum_lines(record)
    blocks += _quality_blocks(record)
    blocks += inference_blocks(record) or shared_model_blocks(record) or _weight_blocks(record)
    return [*blocks, *data_blocks(record)]


def shared_model_blocks(record: Mapping[str, Any]) -> list[Block]:
    """Where the shares of a model are; empty if the model was opened."""
    model = table(record.get("model"))
    if not model.get("id"):
        return []
    files = files_of(record, "model_share")
    return [
        Grid("Nobody sees the model: each owner keeps a share of it", ("owner", "file"), files, frozenset({0, 1})),
        Line(
            f"The model's id is {model['id']}. A share says nothing by itself; each is sealed under its owner's key, "
            "and stays with that owner (docs/shared_model.md)."
        ),
    ]


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


def quality_grid(record: Mapping[str, Any], which: RowSet) -> Grid:
    """The metrics of owners' own models, the joint one and the pooled one, on held-out ("test") or training rows."""
    rows = tuple(
        (
            name,
            count_text(metrics.get("rows")),
            accuracy_text(metrics),
            *(to_fixed(metrics.get(key)) for key in ("auc", "log_loss", "brier")),
        )
        for name, metrics in models(record, which)
    )
    where = "held-out rows of all owners" if which == "test" else "training rows"
    columns = ("trained", "rows", "accuracy", "AUC", "log-loss", "Brier")
    return Grid(f"How good the model is, on {where}", columns, rows)


def quality_note(record: Mapping[str, Any], which: RowSet) -> str:
    """A note on the grid's rows; empty if there is none."""
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
            f"AUC together: withheld, as it could be told to {to_digits(error, 2)} only: most scores are close to "
            "each other, and far from their mean. Take logarithms of skewed features, and look for outliers."
        )
    if not (is_number(low) and is_number(high)):
        return ""
    auc, ends = to_fixed(metrics.get("auc")), f"{to_fixed(low)} to {to_fixed(high)}"
    text = f"AUC together: {auc}, 95 % interval {ends} (Hanley-McNeil)."
    return f"{text} Scores in one bin count as equal: it may be off by {to_digits(error, 2)}." if doubt else text


def difference_text(record: Mapping[str, Any]) -> str:
    """How far the weights are from the plaintext ones; empty without a comparison."""
    pooled = table(table(record.get("comparison")).get("pooled"))
    if "max_abs_weight_difference" not in pooled:
        return ""
    value = to_digits(pooled["max_abs_weight_difference"], 2)
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
    text = f"Intercept {to_digits(model.get('intercept'))}."
    if shown < total:
        text += f" All {total} weights are in {RESULT}."
    if all(size is None for _, _, size in ranked_weights(record)):
        text += f" {UNRANKED}"
    return [grid, Line(text)]


def optimum_lines(record: Mapping[str, Any]) -> list[Line]:
    """A note on weights that may not be at the optimum; none if they are."""
    training = table(record.get("training"))
    text = optimum_text(training)
    return [Line(text, "bold red" if training.get("converged") is False else "")] if text else []


def weights_grid(record: Mapping[str, Any], top: int | None = None) -> Grid | None:
    """The model's weights, largest effect first; with odds ratios if the training converged. None without a model."""
    ranked = ranked_weights(record)
    if not ranked:
        return None
    title = "The model's weights" + (f", the {top} largest" if top is not None and top < len(ranked) else "")
    if all(size is None for _, _, size in ranked):
        title += " per unit" if top is not None and top < len(ranked) else ""
        plain = tuple((n, to_digits(w), odds_text(w)) for n, w, _ in ranked[:top])
        grid = Grid(title, ("feature", "per unit", "odds ratio per unit"), plain)
    else:
        rows = tuple((n, to_digits(w), to_digits(s), odds_text(s)) for n, w, s in ranked[:top])
        grid = Grid(title, ("feature", "per unit", scale_of(record), "odds ratio per s.d."), rows)
    if table(record.get("training")).get("converged"):
        return grid
    return replace(grid, columns=grid.columns[:-1], rows=tuple(row[:-1] for row in grid.rows))


def scale_of(record: Mapping[str, Any]) -> str:
    """The unit in which weights can be compared with each other."""
    return "over the agreed range" if table(record.get("model")).get("range_weights") else "per standard deviation"


def ranked_weights(record: Mapping[str, Any]) -> list[tuple[str, float, float | None]]:
    """Each feature's weight in its own unit and by `scale_of` (None if not known), largest effect first."""
    model = table(record.get("model"))
    names, weights = entries(model.get("features")), entries(model.get("weights"))
    standardised: Sequence[Any] = entries(model.get("range_weights") or model.get("standardised_weights"))
    # Without standardisation both are the same numbers, and neither is per standard deviation.
    if len(standardised) != len(names) or list(standardised) == list(weights):
        standardised = [None] * len(names)
    ranked = [(str(n), w, s) for n, w, s in zip(names, weights, standardised, strict=False)]
    return sorted(ranked, key=lambda one: -_size(one[1] if one[2] is None else one[2]))


def accuracy_text(metrics: Mapping[str, Any]) -> str:
    """The accuracy, as a percentage and as rows."""
    accuracy, counts = metrics.get("accuracy"), table(metrics.get("confusion"))
    if not is_number(accuracy):
        return MISSING
    right = [counts.get("true_positives"), counts.get("true_negatives")]
    rows = metrics.get("rows")
    told = f" ({sum(right)}/{rows})" if all(map(is_number, [*right, rows])) else ""  # type: ignore[arg-type]
    return f"{100 * accuracy:.1f} %{told}"  # type: ignore[operator]


def odds_text(weight: Any) -> str:
    """exp(weight) as text."""
    if not is_number(weight):
        return MISSING
    return to_digits(math.exp(weight), 3) if abs(weight) < 700 else ("> 1e300" if weight > 0 else "< 1e-300")


def _size(value: Any) -> float:
    return abs(value) if is_number(value) else -1.0


def _sections(record: Mapping[str, Any]) -> list[str]:
    from parties.tasks.logistic.page import training_sections

    return training_sections(record)


def training_figures(record: Mapping[str, Any]) -> dict[str, Any]:
    """How good the joint model is, on held-out rows where there are any, and how far it is from one in the clear."""
    sets = table(record.get("metrics"))
    which = "test" if table(sets.get("test")) or own_figures(record, "test") else "train"
    metrics = own_figures(record, which) or table(sets.get(which))
    named = {"accuracy": "accuracy", "AUC": "auc", "log-loss": "log_loss", "Brier": "brier"}
    return {
        **{f"{name} ({which})": metrics.get(key) for name, key in named.items()},
        **reference_figures(record, which, {f"{name} ({which})": key for name, key in named.items()}),
        "steps": table(record.get("training")).get("steps"),
        "weight error": table(table(record.get("comparison")).get("pooled")).get("max_abs_weight_difference"),
    }


SHOW: Final = Show("The model", training_blocks, sections=_sections, trains=True, figures=training_figures)
