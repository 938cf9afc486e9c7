"""The fewest rows of an owner that a run takes, and the fewest for each feature of a model: sums show few rows.

The sums of two owners less one's own are the other's; over a single row they are that patient, and a model without a
penalty whose features are nearly as many as the rows goes through them. Held-out rows are a cell: with the model in
hand, the log-loss of a single one is its score and its class.
"""

from __future__ import annotations

from mpc.errors import DataError
from parties.scenario.file import Scenario
from parties.scenario.models import ModelTask
from parties.show.blocks import count_text, plural
from parties.tasks.rows.extent import Rows


def refuse_few(scenario: Scenario, rows: Rows, features: int) -> None:
    """Refuse owners with too few rows, and a model without a penalty that is disclosed and rests on too few.

    Args:
        rows: each owner's numbers of rows: to compute with, and held out.
        features: how many the owners share, or have together.

    Raises:
        DataError: there are too few of either; says whose or how many, and which setting says so.
    """
    task = scenario.task
    least: int | None = dict(task).get("min_rows")
    if least is None:  # a score is of one row, and its owner alone gets it
        return
    few = [owner for owner, (used, _) in rows.items() if used < least]
    if few:
        owner_texts = ", ".join(f"{owner} has {plural(rows[owner][0], 'row')}" for owner in few)
        kind = " to train on" if isinstance(task, ModelTask) else ""
        raise DataError(
            f"{owner_texts}{kind}, and min_rows = {least}: sums over so few would show its patients",
            "add rows, or leave this owner out; a lower min_rows in [task] has to be allowed by every owner's policy",
        )
    if isinstance(task, ModelTask):
        _refuse_few_held_out(task, rows)
    most = most_features(scenario, rows)
    if isinstance(task, ModelTask) and most is not None and features > most:
        others = _others(scenario, rows)
        whose = "there are" if scenario.vertical else "the others of an owner have"
        least = task.min_rows_per_feature
        asked = count_text(least * features)
        raise DataError(
            f"{whose} {plural(others, 'row')} to train on, and min_rows_per_feature = {least} "
            f"asks for {asked} with {plural(features, 'feature')}: a model of so many would say too much of each row",
            "name fewer `features`, or set `l2`; every owner's policy has to allow a lower min_rows_per_feature",
        )


def _refuse_few_held_out(task: ModelTask, rows: Rows) -> None:
    """Refuse metrics over 1 to min_cell - 1 held-out rows of an owner."""
    if "metrics" not in task.reveal:  # a calibration goes with these
        return
    few = [owner for owner, (_, held_out) in rows.items() if 0 < held_out < task.min_cell]
    if few:
        owner_texts = ", ".join(f"{owner} has {plural(rows[owner][1], 'held-out row')}" for owner in few)
        raise DataError(
            f"{owner_texts}, and min_cell = {task.min_cell}: metrics over so few would show its patients",
            "change `test_fraction` (with 0 the metrics are of the training rows alone), add rows, or take "
            '"metrics" out of reveal; every owner\'s policy has to allow a lower min_cell',
        )


def most_features(scenario: Scenario, rows: Rows) -> int | None:
    """The most features of a model without a penalty that is disclosed; None: any number."""
    task = scenario.task
    if not isinstance(task, ModelTask) or not task.told_without_penalty or not task.min_rows_per_feature:
        return None
    if scenario.privacy is not None:  # noise covers each row, however few there are
        return None
    return _others(scenario, rows) // task.min_rows_per_feature


def _others(scenario: Scenario, rows: Rows) -> int:
    """The fewest rows that the other owners of any owner have together; where columns are split, all rows."""
    counts = [used for used, _ in rows.values()]
    return counts[0] if scenario.vertical else sum(counts) - max(counts)
