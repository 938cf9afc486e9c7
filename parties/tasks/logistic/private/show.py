"""A logistic regression with [privacy] in words: what was spent, how the model came about, and how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import Block, Grid, Line, count_text, entries, is_number, table, to_digits, to_fixed
from parties.tasks.privacy.guarantee import outside_line, spent_text

UNIT: Final = "in units of features that are scaled to their agreed ranges"
OBJECTIVE: Final = "objective-perturbation"
"""The `solver` of a record's or plan's `training`."""

_EXACT: Final = "without noise, in the clear"
_NO_METRICS: Final = "No metrics are told: they would have to be noisy, too. Only a run on one machine counts them."
_BY_COINS: Final = (
    "Their rows are held out by the public seed; the run's own were held out by its owners' secret coins."
)
_BY_IDS: Final = "Rows are held out by their ids where columns are split; else this run's model was trained on all."
_OF_MODELS: Final = ("output", "objective")
"""The methods whose model alone is told."""


def noisy_blocks(record: Mapping[str, Any]) -> list[Block]:
    """What was spent, how the model was made, and how good it is."""
    privacy = table(record.get("privacy"))
    noise, facts = table(privacy.get("noise")), table(record.get("training"))
    if (method := noise.get("method")) in _OF_MODELS:
        unit, text = UNIT if method == "output" else noise_unit(to_digits(noise.get("norm"), 3)), output_text(facts)
    else:
        unit = f"in a sum to which a row adds a norm of at most {to_digits(noise.get('norm'), 3)}"
        text = step_text(facts)
    blocks: list[Block] = [Line(spent_text(privacy, unit)), Line(text)]
    return [*blocks, *_quality(record)]


def _on_shares(record: Mapping[str, Any]) -> bool:
    """Whether the model was trained on shares: then there are no metrics."""
    noise = table(table(record.get("privacy")).get("noise"))
    return noise.get("method") in _OF_MODELS or bool(table(record.get("training")).get("shared"))


def step_text(facts: Mapping[str, Any]) -> str:
    """What a step is, in sentences, from `noisy_training_facts`."""
    rate = facts.get("rate")
    each = "all rows" if rate == 1.0 else f"rows, each drawn with chance {to_digits(rate, 3)}"
    numbers = [("learning rate", "learning_rate"), ("momentum", "momentum"), ("l2", "l2")]
    parts = ", ".join(f"{words} {to_digits(facts.get(key), 3)}" for words, key in numbers)
    norm = to_digits(facts.get("norm"), 3)
    short = f"Each row's gradient is clipped to norm {norm}"
    if facts.get("shared"):
        short = f"Gradients are made under sharing, of rows that are at most {norm} long, and so are their gradients"
    return (
        f"Noisy gradients: {count_text(facts.get('steps'))} steps over {each}, {parts}. {short}; the model is the mean "
        "of the second half of the steps."
    )


def noise_unit(norm: Any) -> str:
    """What the noise of an objective is added to, and how far a row moves that."""
    return f"in the sum of gradients that the training starts from, to which a row adds a norm of at most {norm}"


def output_text(facts: Mapping[str, Any]) -> str:
    """How the model came about, in sentences, from plan or record."""
    one = {key: to_digits(facts.get(key), 3) for key in ("l2", "penalty", "norm", "sensitivity", "distance")}
    if facts.get("solver") == OBJECTIVE:
        return (
            f"Objective perturbation: {count_text(facts.get('steps'))} steps to the minimum of the losses of all rows "
            f"(each at most {one['norm']} long), {one['penalty']} / 2 times the weights' squares, the intercept's too "
            f"(l2 = {one['l2']}), and a linear term of noise that nobody knows. What is computed is within "
            f"{one['distance']} of it, which a little noise on the result covers."
        )
    return (
        f"Output perturbation: {count_text(facts.get('steps'))} steps to the minimum of the losses of all rows (each "
        f"at most {one['norm']} long) and {one['penalty']} / 2 times the weights' squares, the intercept's too (l2 = "
        f"{one['l2']}). One patient moves the minimum by at most {one['sensitivity']}, and what is computed is within "
        f"{one['distance']} of it; noise covers both."
    )


def noisy_notes(record: Mapping[str, Any]) -> list[Block]:
    """What the guarantee does not cover."""
    return [Line(""), outside_line(table(record.get("privacy")))]


def _quality(record: Mapping[str, Any]) -> list[Block]:
    """The noisy metrics of held-out rows; on one machine the exact ones beside it, of other models too."""
    told = table(table(record.get("metrics")).get("test"))
    comparison = table(record.get("comparison"))
    rows = []
    if told:
        ends = table(told.get("intervals"))
        cells = (f"{to_fixed(told.get(key), 3)}{_ends(ends.get(key))}" for key in ("accuracy", "auc"))
        rows.append(("this run, with noise", to_digits(told.get("rows")), *cells))
    named = [(f"{owner} alone, {_EXACT}", sets) for owner, sets in table(comparison.get("alone")).items()]
    named += [(f"pooled, {_EXACT}", comparison.get("pooled")), ("this run, counted exactly", comparison.get("run"))]
    which = "test" if table(table(comparison.get("run")).get("test")) or told else "train"
    for name, sets in named:
        one = table(table(sets).get(which))
        if one:
            rows.append((name, str(one.get("rows")), to_fixed(one.get("accuracy"), 3), to_fixed(one.get("auc"), 3)))
    if not rows:
        why = _NO_METRICS if _on_shares(record) else "No metrics were asked for."
        return [Line(""), Line(why)]
    brackets = " (in brackets: 95 % intervals for the noise)" if told else ""
    title = f"How good the model is, on {'held-out' if which == 'test' else 'training'} rows"
    blocks: list[Block] = [Grid(title + brackets, ("model", "rows", "accuracy", "AUC"), tuple(rows))]
    if told and not is_number(told.get("auc")):
        blocks.append(Line("AUC of this run: there are too few held-out rows of one class for the noise."))
    if comparison:
        text = "The exact lines are known only where all data are on one machine, and no epsilon covers them."
        blocks.append(Line(f"{text} {_BY_IDS if _on_shares(record) else _BY_COINS}"))
    return blocks


def _ends(ends: Any) -> str:
    low, high = (*entries(ends), None, None)[:2]
    return f" ({to_fixed(low, 3)} to {to_fixed(high, 3)})" if is_number(low) and is_number(high) else ""
