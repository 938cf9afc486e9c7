"""`kind = "predict"`: the steps of a run that scores new rows by a model that nobody sees."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mpc.errors import DisagreementError, InternalError, UsageError
from mpc.links.meeting.handshake import Agreement
from mpc.links.meeting.offer import Common
from mpc.ring.array import Array
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from parties.base.private_files import replace_file
from parties.data.vertical import digest_bits
from parties.scenario.file import Scenario
from parties.scenario.problems import quote
from parties.show.blocks import MISSING, count_text, plural
from parties.tasks.base import Data, Job, Notice, PlanText, Run, all_cells
from parties.tasks.predict.data import PredictTable, check_cap, here, load_predict_table, most_rows, opened, too_many
from parties.tasks.predict.plan import predict_facts, predict_plan_text
from parties.tasks.predict.settings import PredictTask
from parties.tasks.rows.extent import Extent, Rows
from parties.tasks.rows.regression import NOT_STATED, group_counts
from parties.trust.share_file import OpenShare, Vault, read_bound
from protocols.prediction.columns_job import NewColumns, vertical_predict_job
from protocols.prediction.rows_job import NewRows, PredictSettings, predict_job

SCORES_END: Final = ".scores.csv"
"""The ending of the files of owners' scores, beside the record."""

_SCORES: Final = "scores"
_CLASSES: Final = "classes"
"""What a policy calls rounded probabilities, and classes, which tell less and go with "scores" too."""

_JOINT_SCORES: Final = "joint-scores"
_JOINT_CLASSES: Final = "joint-classes"
"""The same of rows of which all owners have parts: they tell one owner something of each of the others' patients."""


@dataclass(frozen=True)
class Scored:
    """What an owner gets: scores (m,), the rows' names, the model's id, and how many rows were scored so far for each
    owner by this one's count."""

    scores: Array
    ids: tuple[str, ...]
    model: str
    so_far: Mapping[str, int]


def predict_settings(scenario: Scenario, rows: Rows, columns: int) -> PredictSettings:
    """The public settings of a run.

    Raises:
        UsageError: nobody has a row, or somebody has more than may be scored at all.
    """
    group_counts(scenario, rows)  # where columns are split, all owners have the same
    counts = scenario.task_as(PredictTask).scored({owner: rows[owner][0] for owner in scenario.owners})
    if not any(counts.values()):
        raise UsageError("no owner has a row to score", "name `data` for one of them, with one row or more")
    most = most_rows(scenario, columns)
    for owner, count in counts.items():
        if count > most:
            default = "" if scenario.task_as(PredictTask).max_rows else f" by a model of {plural(columns, 'feature')}"
            raise UsageError(
                f"{owner} has {plural(count, 'row')} to score, but each owner may score {count_text(most)} in "
                f"all{default}",
                "score fewer rows; max_rows in [task] allows for more, which would tell the model itself "
                "(docs/shared_model.md)",
                party=owner,
            )
    steps, split = scenario.task_as(PredictTask).steps, scenario.vertical
    return PredictSettings(scenario.owners, scenario.helper, tuple(counts.values()), columns, steps, split)


def _common(table: PredictTable) -> Common:
    hint = "name the shares of one training: its record has the model's id, and so has each share's file"
    return Common(table.bound.model, "shares of different models", hint)


def _features(scenario: Scenario) -> int | None:
    """How many features the model has, if a share of it is here."""
    for owner in scenario.owners:
        try:
            return len(read_bound(here(scenario, owner), owner).features)
        except UsageError:
            continue
    return None


def _shapes(scenario: Scenario) -> tuple[Rows, int]:
    features = _features(scenario)
    if features is None:
        owner = next((one for one in scenario.owners if scenario.parties[one].model is not None), scenario.owners[0])
        read_bound(here(scenario, owner), owner)  # raises the error
        raise InternalError("a share was not there, and then it was", "start it again")
    rows = {}
    for owner in scenario.owners:
        spec = scenario.parties[owner]
        stated = 0 if spec.data is None and not scenario.vertical else None
        count = spec.rows if spec.rows is not None else stated
        rows[owner] = (load_predict_table(scenario, owner).rows if count is None else count), 0
    return rows, features


def _extent(scenario: Scenario, table: PredictTable | None) -> Extent:
    stated = {owner: scenario.parties[owner].rows for owner in scenario.owners}
    rows = {owner: count for owner, count in stated.items() if count is not None}
    features = None
    if table is not None:
        rows[table.owner], features = table.rows, len(table.columns)
    if scenario.vertical and rows:  # all owners have the same
        rows = dict.fromkeys(scenario.owners, next(iter(rows.values())) if table is None else table.rows)
    return Extent(features, features is not None, rows, split=scenario.vertical)


def _plan(settings: PredictSettings) -> Plan:
    job = vertical_predict_job if settings.split else predict_job
    return make_plan(lambda p: job(p, None, settings), settings.owners, settings.helper)


def _program(scenario: Scenario, agreement: Agreement, table: PredictTable) -> ProgramFactory:
    """An owner's program, if no owner asks for more scores than this one allows.

    The rows are counted once all is ready to be opened, and before anything is: a peer that refuses ends the run in
    its first round, with nothing counted.
    """
    share = table.opened
    if share is None:
        raise InternalError("the share of the model was not opened", "please report this as a bug")
    if agreement.columns != table.columns:
        raise DisagreementError(
            "the owners' shares are of models with other features", "name the shares of one training"
        )
    rows = dict(zip(scenario.owners, agreement.settings.rows, strict=True))
    most, session = most_rows(scenario, len(table.columns)), agreement.session.hex()
    check_cap(share, rows, most)
    job = _job(agreement, table, share, lambda: share.count(session, rows, most))

    async def run(p: Party) -> Scored:
        scores = await job(p)
        if scores is None:
            raise InternalError("a run without a result", "please report this as a bug")
        return Scored(table.as_here(scores), table.ids, table.bound.model, share.journal.scored())

    return run


def _job(
    agreement: Agreement, table: PredictTable, share: OpenShare, count: Callable[[], None]
) -> Callable[[Party], Coroutine[Any, Any, Array | None]]:
    """The protocol on an owner's own rows, or on its own columns of common rows."""
    settings, x = agreement.settings, table.in_order
    if not table.bound.split:
        rows = NewRows(share.model, table.columns, x, count)
        return lambda p: predict_job(p, rows, settings)
    names = {owner: table.bound.columns[owner] for owner in table.bound.owners}
    ids = digest_bits(agreement.owners_key, table.sorted_ids)
    columns = NewColumns(share.model, names, x, ids, count)
    return lambda p: vertical_predict_job(p, columns, settings)


def _before(scenario: Scenario, agreement: Agreement) -> list[str]:
    warning = too_many(scenario, len(agreement.columns))
    return [warning] if warning else []


def _record(scenario: Scenario, agreement: Agreement, scored: Scored | None) -> dict[str, Any]:
    """The record's part, which all owners know; the scores are in a file of their owner alone."""
    if scored is None:
        return {"predict": None}
    facts = predict_facts(agreement.settings, scenario)
    return {"predict": {"model": scored.model, **facts, "scored_so_far": dict(scored.so_far)}}


def _keep(scenario: Scenario, agreement: Agreement, scored: Scored, vault: Vault) -> dict[str, Any]:
    """Write the owner's scores, if it has any, to a file that it alone can read; returns the path for the record."""
    if not scored.scores.size:
        return {}
    task = scenario.task_as(PredictTask)
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    lines.writerow((task.id or "row", "class" if task.steps is None else "probability"))
    names = scored.ids or tuple(str(place + 1) for place in range(len(scored.scores)))
    lines.writerows(zip(names, (f"{score:.6g}" for score in scored.scores), strict=True))
    path = vault.folder / (vault.party + SCORES_END)
    replace_file(path, text.getvalue().encode())
    return {"scores": path.name}


def _plan_text(settings: PredictSettings, scenario: Scenario) -> PlanText:
    return predict_plan_text(settings, scenario)


def _data_notice(scenario: Scenario, me: str, table: PredictTable | None) -> list[tuple[str, str]]:
    use = "brings the rows into one order" if scenario.vertical else "names the rows in the file of scores"
    task = scenario.task_as(PredictTask)
    rows = [(f"id, which {use}", task.id)] if task.id else []
    if table is None:
        most = task.max_rows
        told = "fewer than the model has features" if most is None else count_text(most)
        return [
            *rows,
            ("columns", "those that the model of this share needs"),
            *_row_requests(scenario, me, scenario.parties[me].rows),
            ("rows that each owner may score in all, over all runs", told),
        ]
    warning = too_many(scenario, len(table.columns))
    return [
        ("model", table.bound.model),
        *rows,
        ("columns", ", ".join(table.bound.terms) or MISSING),
        *_row_requests(scenario, me, table.rows),
        ("rows that each owner may score in all, over all runs", count_text(most_rows(scenario, len(table.columns)))),
        *([("WARNING", warning)] if warning else []),
    ]


def _row_requests(scenario: Scenario, me: str, count: int | None) -> list[tuple[str, str]]:
    """Who learns what of a party's rows; None if it is not known yet how many there are."""
    rows = NOT_STATED if count is None else count_text(count)
    if scenario.task_as(PredictTask).gets_scores(me):
        return [("rows that are scored, for this party alone", rows)]
    to = " and ".join(scenario.task_as(PredictTask).reveal_to or ())
    told = "what these columns add to each row's score: docs/shared_model.md"
    return [(f"rows that are scored, for {to} alone", rows), (f"what {to} may learn of them", told)]


def _summary(scenario: Scenario, table: PredictTable) -> str:
    rows = plural(table.rows, "row") + (f" of {plural(table.values.shape[1], 'column')}" if scenario.vertical else "")
    return f"data: {table.source}: {rows} to score by model {table.bound.model}, whose share is here"


def _reveals(scenario: Scenario) -> list[tuple[str, ...]]:
    scores, classes = (_JOINT_SCORES, _JOINT_CLASSES) if scenario.vertical else (_SCORES, _CLASSES)
    return [(scores,)] if scenario.task_as(PredictTask).steps is not None else [(classes, scores)]


def _pools(scenario: Scenario, owner: str) -> bool:
    """A score of split columns tells its one owner of the others' columns."""
    return scenario.vertical and not scenario.task_as(PredictTask).gets_scores(owner)


def _outcome(scenario: Scenario) -> str:
    task = scenario.task_as(PredictTask)
    what = "classes" if task.steps is None else "rounded probabilities"
    if scenario.vertical:
        return f"Revealed: {what} of rows that all owners have parts of, to {quote(task.reveal_to or ())} alone."
    return f"Revealed: {what} of each owner's new rows, to that owner alone."


PREDICT: Job[PredictTable, PredictSettings, Scored] = Job(
    data=Data(
        load=load_predict_table,
        shapes=_shapes,
        extent=_extent,
        ready=opened,
        common=_common,
        pools=_pools,
    ),
    run=Run(
        settings=predict_settings,
        plan=_plan,
        program=_program,
        record=_record,
        before=_before,
        keep=_keep,
        pooled=all_cells,
    ),
    notice=Notice(
        plan=_plan_text,
        data=_data_notice,
        summary=_summary,
        outcome=_outcome,
        reveals=_reveals,
        small_counts=lambda scenario, least: [],  # each score is one row's, and its owner's
    ),
)
