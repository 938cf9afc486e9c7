"""The parts of a plan, and of a record, that only a scoring has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.scenario.file import Scenario
from parties.show.blocks import Line, count_text, plural
from parties.tasks.base import PlanText
from parties.tasks.predict.data import most_rows, too_many
from parties.tasks.predict.settings import PredictTask
from protocols.prediction.rows_job import PredictSettings

USES: Final[Mapping[str, str]] = {
    "MatmulTriple": "rows times weights",
    "AnyBit": "whether all owners have the same ids",
    "BitsOfMask": "comparing scores with 0 and with what the sigmoid is right for; rounding them",
    "BitProduct": "bringing scores to where the sigmoid is right",
    "MultiplyTriple": "products of bits, for the same",
    "LowerBits": "rounding scores to the grid",
    "BitNumber": "comparisons' answers as numbers",
    "SineMask": "the sigmoid",
    "Truncation": "cutting its sum to fewer bits",
}
"""The use of each kind of correlated randomness in a scoring."""


def predict_facts(settings: PredictSettings, scenario: Scenario) -> dict[str, Any]:
    """The scoring's public numbers, as `result.json` and `mpc plan --json` have them."""
    return {
        "partition": scenario.task_as(PredictTask).partition,
        "rows": dict(zip(settings.owners, settings.rows, strict=True)),
        "features": settings.features,
        "output": scenario.task_as(PredictTask).output,
        "grid": None if settings.steps is None else 1 / settings.steps,
        "max_rows": most_rows(scenario, settings.features),
    }


def predict_plan_text(settings: PredictSettings, scenario: Scenario) -> PlanText:
    """A scoring's part of a plan."""
    facts = predict_facts(settings, scenario)
    there = dict.fromkeys(settings.owners, sum(settings.rows)) if settings.split else facts["rows"]
    each = ", ".join(f"{owner} {count_text(count) if count else 'none'}" for owner, count in facts["rows"].items())
    new = f"new rows: {each}"
    if settings.split:
        new = f"{plural(sum(settings.rows), 'new row')}, of which every owner has other columns"
    work = (
        f"{plural(len(settings.owners), 'owner')} and a helper; {new}; a model of "
        f"{plural(settings.features, 'feature')}, of which each owner holds a share and which nobody sees."
    )
    return PlanText(
        scenario={"rows": {owner: {"train": count, "test": 0} for owner, count in there.items()}},
        facts={"predict": facts},
        work=work,
        how=(Line(_what(facts, scenario)), *_cap(facts, too_many(scenario, settings.features))),
        helper_learns=(
            f"how many rows {'are' if settings.split else 'each owner has'} scored",
            f"how many features there are ({settings.features}), but none of their values",
            "the scenario's settings, and when the owners ask for more",
        ),
        uses=USES,
        details=(),
    )


def _what(facts: Mapping[str, Any], scenario: Scenario) -> str:
    what = "the class of each, 1 where the probability is 1/2 or more"
    if facts["grid"] is not None:
        what = f"the probability of each, rounded to {facts['grid']:g}"
    if scenario.vertical:
        to = " and ".join(scenario.task_as(PredictTask).reveal_to or ())
        return (
            f"{to} learns of the rows {what}; the others learn nothing of them but that all owners have the same. A "
            f"score may tell {to} what the others' columns add to it: docs/shared_model.md."
        )
    return f"An owner learns of its own rows {what}; of another's it learns nothing but how many there are."


def _cap(facts: Mapping[str, Any], warning: str) -> tuple[Line, ...]:
    counted = (
        f"Each owner may score {plural(facts['max_rows'], 'row')} by this model in all, over all runs: every owner "
        "counts them beside its share, before anything is opened, and takes part in no more."
    )
    return (Line(counted), Line(f"{warning[:1].upper()}{warning[1:]}.", "bold")) if warning else (Line(counted),)
