"""`kind = "predict"`: its settings, an owner's rows and the model's features, the cap, the policy, what is shown."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import BeaverlodgeError, DataError, DisagreementError, UsageError
from parties.cli.output import Output
from parties.cli.run_locally import run_locally
from parties.doctor.checks import check_data, check_ready, check_releases
from parties.doctor.estimate import PlanEstimate, estimate_plan
from parties.doctor.findings import Finding
from parties.report.consent import consent_blocks
from parties.report.plan import plan_tables
from parties.scenario.file import Scenario
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.logistic.show import shared_model_blocks
from parties.tasks.predict.data import PredictTable, load_predict_table, most_rows, opened, too_many
from parties.tasks.predict.show import predict_blocks
from parties.tasks.registry import job_of, load_scenario, planned
from parties.trust.share_file import Vault, share_path
from tests.parties.asked import asked_and_read, check_policy
from tests.parties.shares import FEATURES, OWNERS, csv_of, write_predict, write_shares
from tests.run.scenarios import write_scenario

A, B = OWNERS
ROWS = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5]])


def scenario(
    folder: Path, a: str | None = csv_of(ROWS), b: str | None = None, extra: str = "", **shares: Any
) -> Scenario:
    weights = np.zeros(1 + len(shares.get("features", FEATURES)))
    write_shares(folder / "trained", weights.tolist(), **shares)
    return load_scenario(write_predict(folder, {A: a, B: b}, extra=extra))


def error(folder: Path, csv: str, extra: str = "", **shares: Any) -> BeaverlodgeError:
    with pytest.raises(BeaverlodgeError) as caught:
        load_predict_table(scenario(folder, csv, extra=extra, **shares), A)
    return caught.value


@pytest.mark.parametrize(
    ("task", "refused"),
    [
        ('kind = "logistic_regression"\ntarget = "y"\n', True),
        ('kind = "logistic_regression"\ntarget = "y"\nreveal = ["inference"]\n', True),
        ('kind = "statistics"\ncolumns = ["years"]\n', True),
        ('kind = "logistic_regression"\ntarget = "y"\nreveal = ["metrics"]\n', False),
        ('kind = "logistic_regression"\ntarget = "y"\nreveal = []\n', False),
    ],
)
def test_a_share_has_a_place_where_a_model_stays_shared_alone(tmp_path: Path, task: str, refused: bool) -> None:
    path = write_predict(tmp_path, {A: "", B: ""})
    path.write_text(path.read_text().replace('kind = "predict"\n', task))
    if not refused:
        assert "model" not in load_scenario(path).task_as(LogisticTask).reveal
        return
    with pytest.raises(UsageError, match=r"\[parties.hospital_a\] has model, but no model stays shared"):
        load_scenario(path)


def test_where_the_share_is_changes_no_digest_and_asks_anew(tmp_path: Path) -> None:
    one = load_scenario(write_predict(tmp_path, {A: None, B: None}, "here"))
    other = load_scenario(write_predict(tmp_path, {A: None, B: None}, "there", name="predict"))
    assert one.digest == other.digest and one.local_settings(A) != other.local_settings(A)
    assert one.local_settings(A)["model"] and one.local_settings("helper")["model"] is None


def test_rows_are_in_the_models_order_whatever_the_files(tmp_path: Path) -> None:
    turned = csv_of(ROWS[:, [2, 0, 1]], ("marker", "years", "dose"))
    table = load_predict_table(scenario(tmp_path, turned, extra='id = "patient"\n'), A)
    assert (table.values == ROWS).all() and table.columns == FEATURES and table.ids == ("p0", "p1")
    assert not table.notes and repr(table) == "PredictTable(owner='hospital_a', rows=2, columns=3)"


def test_features_are_made_as_in_the_training(tmp_path: Path) -> None:
    features = ("age", "stage=II", "stage=III", "age:smoker=yes", "seen")
    shares: dict[str, Any] = {
        "features": features,
        "terms": ("age", "stage", "age:smoker", "seen"),
        "categories": {"stage": ("I", "II", "III"), "smoker": ("no", "yes")},
        "dates": "days",
    }
    csv = "name,smoker,seen,stage,age\nx,YES,1970-01-02,III,40\ny,no,1970-01-11,i,50\n"
    table = load_predict_table(scenario(tmp_path, csv, **shares), A)
    assert table.values.tolist() == [[40, 0, 1, 40, 1], [50, 0, 0, 0, 10]]
    assert [note.text for note in table.notes] == ["columns that are not used: name"]


DATA = [
    ("years,dose\n1,2\n", "there is no column 'marker' (the model)"),
    ("years,dose,marker\n1,2,\n3,4,5\n", "column 'marker' lacks a value in 1 row (first in data row 1)"),
    ("years,dose,marker\n1,2,x\n3,4,5\n", "column 'marker' is not numeric"),
    ("years,dose,marker\n1,2,1e300\n", "column 'marker' holds a value beyond 2^40"),
]


@pytest.mark.parametrize(("csv", "words"), DATA, ids=[words for _, words in DATA])
def test_rows_that_cannot_be_scored_are_named(tmp_path: Path, csv: str, words: str) -> None:
    found = error(tmp_path, csv)
    assert isinstance(found, DataError) and words in found.message and A in found.message and found.hint


def test_an_id_that_repeats_and_stated_rows_that_are_others(tmp_path: Path) -> None:
    csv = "patient,years,dose,marker\nx,1,2,3\nx,1,2,3\n"
    assert "repeats" in error(tmp_path, csv, 'id = "patient"\n').message
    path = tmp_path / "predict.toml"
    text = path.read_text().replace("[parties.hospital_b]\n", "[parties.hospital_b]\nrows = 4\n")
    path.write_text(text.replace("data = ", "rows = 3\ndata = "))
    with pytest.raises(UsageError, match=r"\[parties.hospital_b\] states rows, but no data to score"):
        load_predict_table(load_scenario(path), B)
    with pytest.raises(DataError, match="the scenario says rows = 3, but there are 2"):
        load_predict_table(load_scenario(path), A)


def test_a_model_of_others_or_of_another_partition_is_refused(tmp_path: Path) -> None:
    columns = {A: FEATURES[:2], B: FEATURES[2:]}
    found = error(tmp_path, csv_of(ROWS), partition="vertical", columns=columns)
    assert "is of a model of split columns" in found.message and 'partition = "vertical"' in found.hint
    whole = tmp_path / "whole"
    whole.mkdir()
    found = error(whole, csv_of(ROWS), extra='partition = "vertical"\nid = "patient"\nreveal_to = ["hospital_a"]\n')
    assert "is of a model of columns that all owners have" in found.message and "remove partition" in found.hint
    other = tmp_path / "other"
    other.mkdir()
    found = error(other, csv_of(ROWS), owners=(A, "hospital_c"))
    assert "hospital_a, hospital_c hold, but the scenario's owners are hospital_a, hospital_b" in found.message


@pytest.mark.parametrize(("owners", "features", "most"), [(2, 30, 29), (3, 30, 14), (5, 30, 7), (2, 1, 0), (4, 6, 1)])
def test_all_owners_but_one_together_stay_below_the_features(
    tmp_path: Path, owners: int, features: int, most: int
) -> None:
    names = [f"o{k}" for k in range(owners)]
    path = write_predict(tmp_path, dict.fromkeys(names))
    assert most_rows(load_scenario(path), features) == most and most * (owners - 1) < features
    assert too_many(load_scenario(path), features) == ""
    path.write_text(path.read_text() + f"max_rows = {most + 1}\n")
    assert most_rows(load_scenario(path), features) == most + 1
    assert too_many(load_scenario(path), features).startswith(
        "an owner may" if owners == 2 else "all owners but one may"
    )


def ready(one: Scenario, me: str = A) -> PredictTable:
    return opened(one, load_predict_table(one, me), Vault(me, one.directory))


def test_own_rows_are_looked_at_before_anybody_is_met(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    table = ready(one)
    assert table.notes[-1].text.endswith("rows scored so far: none; each owner may score 2")
    assert table.opened is not None
    table.opened.count("s", {A: 1, B: 1}, 2)
    with pytest.raises(DisagreementError, match="1 are left to it: 1 were counted here") as caught:
        ready(one)
    assert caught.value.party == A
    assert "rows scored so far: none" in ready(one, B).notes[-1].text  # by its own count


def test_a_run_without_rows_is_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no owner has a row to score"):
        planned(scenario(tmp_path, None, None))


def test_a_policy_goes_by_kind_and_by_what_is_told(tmp_path: Path) -> None:
    for extra, text, refused in (
        ("", 'kinds = ["predict"]\nreveals = ["scores"]\n', ""),
        ("", 'kinds = ["logistic_regression"]\n', "the task is 'predict'"),
        ("", 'reveals = ["classes"]\n', "it reveals 'scores'"),
        ('output = "class"\n', 'reveals = ["classes"]\n', ""),
        ('output = "class"\n', 'reveals = ["scores"]\n', ""),
        ('output = "class"\n', 'reveals = ["model"]\n', "it reveals 'classes'"),
    ):
        check_policy(
            load_scenario(write_predict(tmp_path, {A: None, B: None}, extra=extra)), A, tmp_path, text, refused
        )


def words(blocks: Any) -> str:
    found = []
    for block in blocks:
        found += (
            [block.text] if hasattr(block, "text") else [block.title, *(cell for row in block.rows for cell in row)]
        )
    return " ".join(found)


def test_consent_shows_the_model_the_rows_and_the_cap(tmp_path: Path) -> None:
    one = scenario(tmp_path, extra="max_rows = 50\n")
    said = words(asked_and_read(one, A, load_predict_table(one, A), dict.fromkeys(one.parties, "bl1-x")))
    for text in (
        "its share of the model, a file",
        "0123456789abcdef",
        "rows that each owner may score in all",
        "an owner may score 50 rows, not fewer than the 3 features",
        "hospital_a_new.csv",
    ):
        assert text in said
    one = load_scenario(write_predict(tmp_path, {A: None, B: None}))
    said = words(asked_and_read(one, B, load_predict_table(one, B), dict.fromkeys(one.parties, "bl1-x")))
    assert "rounded probabilities of each owner's new rows, to that owner alone" in said


def test_a_doctor_opens_the_share_and_knows_the_plan(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    table, findings = check_data(one, A)
    assert table is not None and "2 rows to score by model 0123456789abcdef" in findings[0].text
    (found,) = check_ready(one, table, Vault(A, tmp_path))
    assert found.level == "ok" and "rows scored so far: none" in found.text
    known = estimate_plan(one, table)
    assert isinstance(known, PlanEstimate) and len(known.plan.rounds) == 19
    (tmp_path / "trained" / "hospital_a.share.scored").unlink()
    (found,) = check_ready(one, table, Vault(A, tmp_path))
    assert found.level == "problem" and "is missing" in found.text
    none, findings = check_data(one, B)  # which has no rows
    assert none is not None and none.rows == 0 and findings[0].level == "ok"
    assert not any("releases" in finding.text for finding in check_releases(one, B, tmp_path, none))


def test_what_the_summary_says_of_records_that_lack_things() -> None:
    assert shared_model_blocks({"model": {"features": ["x"], "weights": [1.0]}}) == []
    assert "abc" in words(shared_model_blocks({"model": {"id": "abc"}, "parties": None}))
    assert predict_blocks({"predict": {}}) == []
    for facts in (
        {"rows": {"a": 3}},
        {"rows": None, "grid": "x"},
        {"rows": {"a": 1}, "scored_so_far": {"a": None}},
    ):
        assert predict_blocks({"predict": facts})


def test_the_file_of_scores_is_its_owners_alone(tmp_path: Path) -> None:
    from parties.tasks.predict.run import Scored

    one = scenario(tmp_path, extra='id = "patient"\n')
    keep = job_of(one).run.keep
    assert keep is not None
    scored = Scored(np.array([0.07, 1.0]), ('a,"b"', "c"), "m", {})
    assert keep(one, None, scored, Vault(A, tmp_path)) == {"scores": "hospital_a.scores.csv"}  # type: ignore[arg-type]
    path = tmp_path / "hospital_a.scores.csv"
    assert path.read_text() == 'patient,probability\n"a,""b""",0.07\nc,1\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_share_is_in_a_folder_unless_its_place_ends_in_share(tmp_path: Path) -> None:
    for where, path in (("x", "x/hospital_a.share"), ("x/y.share", "x/y.share"), ("x.d/", "x.d/hospital_a.share")):
        one = load_scenario(write_predict(tmp_path, {A: None, B: None}, where))
        assert share_path(one, A, tmp_path / "out") == tmp_path / path
    one = load_scenario(write_scenario(tmp_path, reveal=["metrics"]))
    assert share_path(one, A, tmp_path / "out") == tmp_path / "out" / "hospital_a.share"
    one = load_scenario(write_predict(tmp_path, {A: None, B: None}, "both.share"))
    with pytest.raises(UsageError, match="hospital_a and hospital_b have the same file for their shares"):
        run_locally(one, tmp_path / "run", Output(), compare=False)
    assert not (tmp_path / "run").exists()


def test_consent_to_a_training_says_that_nobody_sees_the_model(tmp_path: Path) -> None:
    for reveal, said in ((["metrics"], True), ([], True), (["model"], False)):
        one = load_scenario(write_scenario(tmp_path, reveal=reveal))
        table = job_of(one).data.load(one, A)
        shown = words(asked_and_read(one, A, table, dict.fromkeys(one.parties, "bl1-x")))
        assert ("nobody sees it: each owner keeps a share" in shown) == said
        settings, plan = planned(one)
        assert ("Nobody will see the model" in words(plan_tables(plan, settings, one))) == said


def test_a_helper_without_a_share_is_shown_what_is_known(tmp_path: Path) -> None:
    path = write_predict(tmp_path, {A: csv_of(ROWS), B: None})
    path.write_text(
        path.read_text().replace("data = ", "rows = 2\ndata = ").replace(f"[parties.{B}]", f"[parties.{B}]\nrows = 1")
    )
    one = load_scenario(path)
    said = words(consent_blocks(one, "helper", dict.fromkeys(one.parties, "bl1-x")))
    assert "helper has no data" in said and "to that owner alone" in said
    known = estimate_plan(one, None)
    assert isinstance(known, Finding) and known.level == "warning" and "who holds a share" in known.hint
