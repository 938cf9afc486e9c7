"""`kind = "predict"` where columns are split: what is kept, an owner's rows, the policy, releases, what is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError, UsageError
from mpc.links.meeting.handshake import Agreement
from mpc.links.meeting.shapes import SplitColumns
from mpc.runtime.interfaces import Revealed
from mpc.runtime.plan import make_plan
from mpc.sharing.share import Share
from parties.doctor.checks import check_data
from parties.doctor.estimate import PlanEstimate, estimate_plan
from parties.report.consent import consent_blocks
from parties.report.plan import plan_json, plan_tables
from parties.scenario.file import Scenario
from parties.show.blocks import Grid
from parties.tasks.logistic.keep import keep_model
from parties.tasks.predict.data import load_predict_table
from parties.tasks.predict.show import predict_blocks
from parties.tasks.registry import job_of, load_scenario, planned
from parties.trust.releases import Releases
from parties.trust.share_file import Vault, read_bound
from protocols.evaluation.shared_model import kept_scale
from protocols.prediction.columns_job import vertical_predict_job
from protocols.prediction.rows_job import PredictSettings
from protocols.rows.kept_model import SharedModel, Units
from protocols.rows.results import Trained
from tests.parties.asked import asked_and_read, check_policy
from tests.parties.shares import FEATURES, OWNERS, write_split_predict, write_split_shares
from tests.parties.tasks.predict.test_run import words

A, B = OWNERS
ROWS = np.array([[0.5, -1.0, 2.0], [1.0, 0.0, -0.5], [3.0, 4.0, 5.0]])
TURNED = {A: (2, 0, 1), B: (1, 2, 0)}


def scenario(folder: Path, extra: str = "", to: str = A, **shares: Any) -> Scenario:
    write_split_shares(folder / "trained", np.zeros(4).tolist(), **shares)
    return load_scenario(write_split_predict(folder, ROWS, to=to, extra=extra, orders=TURNED))


def test_rows_are_brought_into_one_order_and_scores_back(tmp_path: Path) -> None:
    one = scenario(tmp_path)
    a, b = (load_predict_table(one, name) for name in OWNERS)
    assert (a.in_order == ROWS[:, :2]).all() and (b.in_order == ROWS[:, 2:]).all()
    assert a.sorted_ids == b.sorted_ids == ("p0", "p1", "p2")
    assert a.ids == ("p2", "p0", "p1") and a.columns == b.columns == FEATURES
    assert a.as_here(np.array([0.0, 0.1, 0.2])).tolist() == [0.2, 0.0, 0.1]
    assert b.as_here(np.zeros(0)).size == 0
    assert a.digest != b.digest


def test_an_owner_that_had_the_target_alone_needs_the_ids(tmp_path: Path) -> None:
    columns: dict[str, tuple[str, ...]] = {A: FEATURES, B: ()}
    one = scenario(tmp_path, columns=columns)
    path = tmp_path / f"{A}_new.csv"
    path.write_text("patient,years,dose,marker\np0,1,2,3\n")
    (tmp_path / f"{B}_new.csv").write_text("patient,seen\np0,yes\n")
    table = load_predict_table(one, B)
    assert table.values.shape == (1, 0) and table.sorted_ids == ("p0",)
    assert [note.text for note in table.notes] == ["columns that are not used: seen"]
    assert load_predict_table(one, A).values.tolist() == [[1, 2, 3]]
    path.write_text("patient,years,dose\np0,1,2\n")
    with pytest.raises(DataError, match="there is no column 'marker'"):
        load_predict_table(one, A)


def test_every_owner_needs_data_and_as_many_rows(tmp_path: Path) -> None:
    path = scenario(tmp_path).path
    text = path.read_text()
    path.write_text(text.replace(f'data = "{B}_new.csv"\n', ""))
    with pytest.raises(UsageError, match=r"\[parties.hospital_b\] does not say where its data are"):
        load_predict_table(load_scenario(path), B)
    path.write_text(text.replace("data = ", "rows = 3\ndata = ", 1).replace(f'data = "{B}', f'rows = 4\ndata = "{B}'))
    with pytest.raises(UsageError, match="the owners have different rows"):
        load_scenario(path)
    path.write_text(text)
    (tmp_path / f"{B}_new.csv").write_text("patient,marker\np0,1\n")
    with pytest.raises(DataError, match="different numbers of rows: hospital_a 3, hospital_b 1"):
        planned(load_scenario(path))


def test_the_cap_is_that_of_the_one_that_gets_scores(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="hospital_b has 3 rows to score, but each owner may score 2 in all"):
        planned(scenario(tmp_path, to=B))


def test_a_policy_names_scores_of_split_columns_apart(tmp_path: Path) -> None:
    for extra, text, refused in (
        ("", 'reveals = ["joint-scores"]\n', ""),
        ("", 'reveals = ["scores"]\n', "it reveals 'joint-scores'"),
        ('output = "class"\n', 'reveals = ["joint-classes"]\n', ""),
        ('output = "class"\n', 'reveals = ["joint-scores"]\n', ""),
        ("", 'reveals = ["joint-classes"]\n', "it reveals 'joint-scores'"),
    ):
        check_policy(load_scenario(write_split_predict(tmp_path, ROWS, extra=extra)), B, tmp_path, text, refused)


def test_what_another_learns_of_rows_is_a_release_of_them(tmp_path: Path) -> None:
    """Of whoever gets the scores, nobody learns anything: of the others, somebody does."""
    one = scenario(tmp_path, extra="max_rows = 3\n")
    pools = job_of(one).data.pools
    assert not pools(one, A) and pools(one, B)
    table, releases = load_predict_table(one, B), Releases(tmp_path)
    run = releases.entry(one, table, table.columns, "s")
    with releases.noting(run, [Revealed("scores", (A,), (3,), "")], lambda text: None) as noting:
        noting.opening()
    (again,) = Releases(tmp_path).warnings(run)  # such as hospital a would ask for to find out its own weights
    assert again.startswith("repeat: results of these very rows")


def test_consent_and_plan_say_who_learns_what_of_whom(tmp_path: Path) -> None:
    one = scenario(tmp_path, extra="max_rows = 3\n")
    publics = dict.fromkeys(one.parties, "bl1-x")
    mine, theirs = (words(asked_and_read(one, name, load_predict_table(one, name), publics)) for name in OWNERS)
    assert "rows that are scored, for this party alone" in mine and "id, which brings the rows into one order" in mine
    assert "rows that are scored, for hospital_a alone" in theirs and "what hospital_a may learn of them" in theirs
    assert "an owner may score 3 rows, not fewer than the 3 features" in theirs
    settings, plan = planned(one)
    said, facts = words(plan_tables(plan, settings, one)), plan_json(plan, settings, one)
    assert "3 new rows, of which every owner has other columns" in said
    assert "hospital_a learns of the rows the probability of each, rounded to 0.01" in said
    assert "each other's columns they know from the training" in said
    assert facts["scenario"]["rows"] == {name: {"train": 3, "test": 0} for name in OWNERS}
    assert facts["predict"]["rows"] == {A: 3, B: 0} and facts["predict"]["partition"] == "vertical"
    assert facts["rounds"] == 21 and facts["helper"]["learns"][0] == "how many rows are scored"
    assert (
        job_of(one).notice.outcome(one)
        == "Revealed: rounded probabilities of rows that all owners have parts of, to 'hospital_a' alone."
    )
    shown = words(predict_blocks({"predict": {**facts["predict"], "model": "m"}}))
    assert "Every owner has other columns of these rows, and hospital_a alone has their scores." in shown


@pytest.mark.parametrize("to", OWNERS)
def test_the_consent_says_that_scores_go_to_one_owner(tmp_path: Path, to: str) -> None:
    """Also before anything was opened, when only what does not depend on rows can be shown."""
    one = scenario(tmp_path, to=to, extra="max_rows = 1000\n")
    blocks = consent_blocks(one, "helper", dict.fromkeys(one.parties, "bl1-x"))
    (grid,) = (block for block in blocks if isinstance(block, Grid) and block.title == "What the owners will learn")
    assert {row[0]: row[1] for row in grid.rows} == {"row alignment": "all owners", "scores": to}
    fewer = tmp_path / "fewer"  # than the rows that stand in for those that are not known: there is no plan
    fewer.mkdir()
    unknown = scenario(fewer, to=to, extra="max_rows = 3\n")
    said = words(consent_blocks(unknown, "helper", dict.fromkeys(one.parties, "bl1-x")))
    assert f"Revealed: rounded probabilities of rows that all owners have parts of, to '{to}' alone." in said


def test_a_doctor_knows_all_owners_rows_by_its_own(tmp_path: Path) -> None:
    one = scenario(tmp_path, extra="max_rows = 3\n")
    table, findings = check_data(one, B)
    assert table is not None and "3 rows of 1 column to score by model" in findings[0].text
    known = estimate_plan(one, table)
    assert isinstance(known, PlanEstimate) and known.assumed == "" and len(known.plan.rounds) == 21


def test_what_is_kept_says_whose_each_column_is(tmp_path: Path) -> None:
    path = tmp_path / "training.toml"
    path.write_text(
        'schema = 1\nname = "t"\n[parties.a]\nrole = "owner"\nfeatures = ["x", "x:sex"]\n'
        '[parties.b]\nrole = "owner"\n[parties.helper]\nrole = "helper"\n'
        '[task]\nkind = "logistic_regression"\npartition = "vertical"\nid = "i"\ntarget = "y"\nreveal = []\n'
        'dates = "days"\n[task.categories]\nsex = ["f", "m"]\nstage = ["I", "II", "III"]\n'
    )
    one = load_scenario(path)
    how = PredictSettings(one.owners, one.helper, (1, 0), 5, None, split=True)
    plan = make_plan(lambda p: vertical_predict_job(p, None, how), one.owners, one.helper)
    columns = {"a": ("x", "x:sex=m"), "b": ("x", "stage=II", "stage=III")}
    features = ("a:x", "x:sex=m", "b:x", "stage=II", "stage=III")
    agreement = Agreement(b"s" * 16, {}, columns["a"], plan, {}, {}, SplitColumns(columns, "b"))
    for name, terms, levels in (
        ("a", ("x", "x:sex"), {"sex": ("f", "m")}),
        ("b", ("x", "stage"), {"stage": ("I", "II", "III")}),
    ):
        width = len(columns[name])
        units = Units.known(np.zeros(width), np.ones(width))
        kept = SharedModel(Share(np.zeros(6, dtype=np.uint64), kept_scale(5)), units)
        keep_model(one, agreement, Trained(features, (), 0.0, (), None, kept=kept), Vault(name, tmp_path))
        bound = read_bound(tmp_path / f"{name}.share", name)
        assert bound.split and bound.columns == columns and bound.features == features
        assert (bound.own_features, bound.terms, bound.categories) == (columns[name], terms, levels)
