"""The parts of a plan that only a linear regression has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from parties.show.blocks import Block, Line, count_text, plural
from parties.tasks.base import PlanText
from parties.tasks.linear.settings import LinearTask
from protocols.linear.settings import LinearSettings

USES: Final[Mapping[str, str]] = {
    "MultiplyTriple": "products of sums, and of bits in comparisons; coefficients in their columns' own units",
    "BitsOfWideMask": "comparing columns' spreads with powers of two; whether the inverse is one",
    "WideTruncation": "cutting products to fewer bits",
    "MatmulTriple": "inverting X'X, and multiplying by it",
    "BitsOfMask": "whether a cell of the model is too small (three owners or more)",
    "AnyBit": "one answer for many bits, for the same; whether ids are the same (split columns)",
    "NoisyLift": "the coefficients and their errors in their columns' own units",
    "Uniform": "hiding the rows, once for the whole run (split columns)",
    "HeldGram": "products of columns (split columns)",
    "Truncation": "rows times the roots of their weights, cut to fewer bits (split columns)",
    "Lift": "sums over the rows, into numbers of 256 bits (split columns)",
}
"""The use of each kind of correlated randomness in a linear regression."""


def linear_plan_text(settings: LinearSettings, task: LinearTask) -> PlanText:
    """A linear regression's part of a plan."""
    rows = {owner: {"train": train, "test": test} for owner, (train, test) in settings.rows_by_owner.items()}
    train, test = sum(settings.train_rows), sum(settings.test_rows)
    work = (
        f"{plural(len(settings.owners), 'owner')} and a helper; {count_text(train)} rows in the fit and "
        f"{count_text(test)} held out, {plural(settings.features, 'feature')}."
    )
    return PlanText(
        scenario={"rows": rows, "features": settings.features},
        facts={"inference": settings.inference, "offset": task.offset, "weights": task.weights},
        work=work,
        how=_how(settings, task),
        helper_learns=(
            "how many rows each owner has",
            f"how many features there are ({settings.features}), but none of their values",
            "the scenario's settings, and when the owners ask for more",
        ),
        uses=USES,
        details=_details(settings),
    )


def _how(settings: LinearSettings, task: LinearTask) -> tuple[Line, ...]:
    kind = "Weighted least squares" if settings.weighted else "Ordinary least squares"
    if task.offset is not None:
        kind += f" of {task.target} less {task.offset}"
    if task.weights is not None:
        kind += f", rows weighted by {task.weights}"
    if settings.inference == "shared":
        made = "multiplied" if settings.partition == "vertical" else "added"
        text = f"{kind}: X'X and X'y are {made} and inverted under sharing; only the result is opened."
        return (Line(text),)
    opened = f"{kind}, by every owner for itself: the pooled X'X and X'y are opened"
    if len(settings.owners) == 2:
        opened += ", and so each owner learns the other's, by taking off its own"
    few = 'With few rows they tell much of the rows; inference = "shared" opens neither.'
    return (Line(f'inference = "open-gram": {opened}. {few}', "bold"),)


def _details(settings: LinearSettings) -> tuple[Block, ...]:
    texts = []
    if settings.inference == "shared":
        texts.append(
            "Features that are sums of multiples of each other have no such fit: then one bit says so, and nothing of "
            "the model is opened."
        )
    if settings.weighted:
        opened = "the sum of all weights"
        if settings.partition == "vertical":
            opened += ", and a power of two that none is above, in units of their mean,"
        once = ", and count once among those held out" if settings.metrics else ""
        texts.append(f"Rows are weighted in the fit{once}; {opened} is opened.")
    if settings.offset:
        texts.append("The offset is taken off the target by who has both; nothing of it is opened.")
    return tuple(Line(text) for text in texts)
