"""The job of a logistic regression with [privacy]: what all methods do alike; and those that train on shares.

Of a training on shares nothing is told but gradients or the model, with noise: all owners' rows are filled up to an
agreed number, and there are no metrics.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from parties.data.table import Table
from parties.scenario.file import Scenario
from parties.show.blocks import count_text, plural
from parties.tasks.base import Data, Job, PlanText, all_cells
from parties.tasks.logistic.private.agreed import features_of, held_out, load_agreed_table, most_rows
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.privacy.guarantee import (
    NEIGHBOURS,
    NEIGHBOURS_TEXT,
    NoisyRelease,
    outside,
    privacy_facts,
    privacy_notice,
)
from parties.tasks.private_job import THE_SETTINGS, Method, Res, Set, plan_text, private_job
from parties.tasks.rows.extent import Extent, Rows
from parties.tasks.rows.regression import has_target, table_notice, table_summary
from protocols.training.private.clipped_gradients import Ranges

if TYPE_CHECKING:
    from protocols.rows.results import Trained
    from protocols.training.private.noisy_descent import NoisyTrained

PART: Final = ("training", "model", "metrics", "privacy")
"""This kind's part of a record."""

NEIGHBOURS_OF_COLUMNS: Final = "a patient is one row, of which each owner has a part, and is added or removed at all"
"""What the guarantee compares, where columns are split."""
ROWS_OF_COLUMNS: Final = (
    "Each owner scales its own part of a row to an agreed length, so that no row is longer than agreed, and nobody "
    "sees one whole."
)
_USES: Final[Mapping[str, str]] = {
    "DiscreteGaussian": "noise, which nobody knows whole",
    "OwnMasks": "hiding each owner's own rows, once for the whole run",
    "Uniform": "hiding the rows, once for the whole run",
    "AnyBit": "whether ids are the same",
    "HeldProduct": "the rows times the weights, at each step",
    "SineMask": "the sigmoid, at each step",
    "HeldTransposeProduct": "the gradient, at each step",
    "Truncation": "cutting weights to fewer bits",
}


def part_of(
    trained: Trained | NoisyTrained,
    ranges: Ranges,
    training: Mapping[str, Any],
    privacy: Mapping[str, Any],
    metrics: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The record's `PART`: the model has its weights over the features' ranges, too."""
    model = {
        "features": list(trained.features),
        "weights": list(trained.weights),
        "intercept": trained.intercept,
        "range_weights": [w * width for w, width in zip(trained.weights, ranges.widths, strict=True)],
    }
    return {"training": training, "model": model, "metrics": metrics, "privacy": privacy}


def summary(scenario: Scenario, table: Table) -> str:
    """An owner's data in a sentence."""
    return table_summary(scenario, table, f"{plural(len(table.columns), 'column')} to learn from")


def compare(scenario: Scenario, record: Mapping[str, Any]) -> dict[str, Any]:
    """The `comparison` of a run's record."""
    from parties.tasks.logistic.private.compare import compare_noisy

    return compare_noisy(scenario, record)


# -- of trainings on shares


def job_on_shares(method: Method[Set, Res]) -> Job[Table, Set, Res]:
    """The job by a method that trains on shares."""
    data = Data(load=load_agreed_table, shapes=_shapes, extent=_extent, counts=_counts, has_target=has_target)
    return private_job(method, data, _asked, summary, compare, all_cells)


def plan_text_on_shares(
    scenario: Scenario,
    work: str,
    steps: int,
    how: Sequence[str],
    facts: Mapping[str, Any],
    release: NoisyRelease,
    words: Mapping[str, str],
) -> PlanText:
    """The part of a plan of a training on shares; arguments as of `plan_text`."""
    sizes = {"features": sum(map(len, features_of(scenario))), "steps": steps}
    rows = f"how many rows are agreed on ({count_text(most_rows(scenario))}), not how many there are"
    return plan_text(
        scenario,
        sizes,
        f"{work}, filled up",
        how,
        facts,
        [release],
        words,
        told_exactly(scenario),
        uses=_USES,
        helper_learns=(rows, THE_SETTINGS),
    )


def neighbours_text(scenario: Scenario) -> str:
    """What the guarantee compares, for a plan."""
    if not scenario.vertical:
        return NEIGHBOURS_TEXT
    return (
        f"Neighbours: {NEIGHBOURS_OF_COLUMNS}. Owners know who is in the data: the guarantee is about what the model "
        "tells of a patient's values, to whom it is shown and to the owners who lack them."
    )


def guarantee(scenario: Scenario, noise: Mapping[str, Any], release: NoisyRelease) -> dict[str, Any]:
    """The guarantee and its release, for plan and record."""
    assert scenario.privacy is not None
    facts = privacy_facts(scenario.privacy, noise, [release], told_exactly(scenario))
    return {**facts, "neighbours": _neighbours(scenario)}


def told_exactly(scenario: Scenario) -> list[str]:
    """What is told without noise."""
    least = scenario.task_as(LogisticTask).min_rows
    _, *rest = outside(least)
    most = f"that each owner has {least} (min_rows) to {most_rows(scenario)} (most_rows) rows; not how many they are"
    ids = ["whether all owners' lists of ids are the same"] if scenario.vertical else []
    return [most, *ids, *rest]


def _neighbours(scenario: Scenario) -> str:
    return NEIGHBOURS_OF_COLUMNS if scenario.vertical else NEIGHBOURS


def _counts(scenario: Scenario, rows: int) -> tuple[int, int]:
    return most_rows(scenario), 0


def _shapes(scenario: Scenario) -> tuple[Rows, int]:
    return dict.fromkeys(scenario.owners, (most_rows(scenario), 0)), sum(map(len, features_of(scenario)))


def _extent(scenario: Scenario, table: Table | None) -> Extent:
    rows = dict.fromkeys(scenario.owners, most_rows(scenario))
    return Extent(sum(map(len, features_of(scenario))), True, rows, split=scenario.vertical)


def _asked(scenario: Scenario, me: str, table: Table | None) -> list[tuple[str, str]]:
    assert scenario.privacy is not None
    *asked, (what, rows) = table_notice(scenario, me, table, "target", "to train on")
    if table is not None:
        rows = plural(table.rows, "row")
        if scenario.vertical and scenario.model_task.test_fraction:
            rows += f", of which {held_out(table, scenario).sum()} are held out, by their ids"
    (guaranteed, _), *notice, (told, _) = privacy_notice(scenario.privacy)
    few = f"that there are min_rows at least, and most_rows = {most_rows(scenario)} at most"
    text = f"{scenario.privacy.text}; {_neighbours(scenario)}"
    return [*asked, (what, rows), (guaranteed, text), *notice, (told, few)]
