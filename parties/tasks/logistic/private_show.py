"""A logistic regression with [privacy] in the summary and the report: what was spent, and how good the model is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.show.blocks import Block, Grid, Line, count_text, entries, is_number, table, to_digits, to_fixed
from parties.tasks.private import outside_line, spent_text

_EXACT: Final = "without noise, in the clear"


def noisy_blocks(record: Mapping[str, Any]) -> list[Block]:
    """What was spent, how the model was made, and how good it is."""
    privacy = table(record.get("privacy"))
    unit = f"in a sum to which a row adds a norm of at most {to_digits(table(privacy.get('noise')).get('norm'), 3)}"
    blocks: list[Block] = [Line(spent_text(privacy, unit)), Line(step_text(table(record.get("training"))))]
    return [*blocks, *_quality(record)]


def step_text(facts: Mapping[str, Any]) -> str:
    """What a step is, in sentences, from `noisy_training_facts`."""
    rate = facts.get("rate")
    each = "all rows" if rate == 1.0 else f"rows, each drawn with chance {to_digits(rate, 3)}"
    numbers = [("learning rate", "learning_rate"), ("momentum", "momentum"), ("l2", "l2")]
    parts = ", ".join(f"{words} {to_digits(facts.get(key), 3)}" for words, key in numbers)
    return (
        f"Noisy gradients: {count_text(facts.get('steps'))} steps over {each}, {parts}. Each row's gradient is clipped "
        f"to norm {to_digits(facts.get('norm'), 3)}; the model is the mean of the second half of the steps."
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
    for name, sets in named:
        one = table(table(sets).get("test"))
        if one:
            rows.append((name, str(one.get("rows")), to_fixed(one.get("accuracy"), 3), to_fixed(one.get("auc"), 3)))
    if not rows:
        return [Line(""), Line("No metrics were asked for.")]
    title = "How good the model is, on held-out rows (in brackets: 95 % intervals for the noise)"
    blocks: list[Block] = [Grid(title, ("model", "rows", "accuracy", "AUC"), tuple(rows))]
    if told and not is_number(told.get("auc")):
        blocks.append(Line("AUC of this run: there are too few held-out rows of one class for the noise."))
    if comparison:
        text = (
            "The exact lines are known only where all data are on one machine, and no epsilon covers them. Their rows "
            "are held out by the public seed; the run's own were held out by its owners' secret coins."
        )
        blocks.append(Line(text))
    return blocks


def _ends(ends: Any) -> str:
    low, high = (*entries(ends), None, None)[:2]
    return f" ({to_fixed(low, 3)} to {to_fixed(high, 3)})" if is_number(low) and is_number(high) else ""
