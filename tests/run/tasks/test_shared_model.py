"""A model that nobody sees, by the command: trained, kept, and asked for scores that are counted by every owner."""

from __future__ import annotations

import csv
import re
import shutil
import signal
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mpc.errors import BeaverlodgeError, UsageError
from parties.report.plan import plan_json, plan_tables
from parties.show.blocks import Line
from parties.tasks.registry import load_scenario, planned
from parties.trust.share_file import Vault, journal_path, key_path, open_share
from tests.parties.shares import FEATURES, OWNERS, csv_of, write_predict, write_shares
from tests.ports import free_ports
from tests.run.apart import PARTIES, separate, start
from tests.run.command import ROOT, Running, approving, mpc, record
from tests.run.scenarios import write_scenario
from tests.run.threads import run_in_threads
from tools.make_new_patients import DEPARTMENTS, SEED, TEST_FRACTION, write_new_patients

A, B = OWNERS
WEIGHTS = (0.8, -0.5, 0.3, 0.1)


def rows(count: int, seed: int = 1) -> np.ndarray:
    """New rows of the weights' own units."""
    return np.random.default_rng(seed).normal(size=(count, len(FEATURES)))


def wanted(x: np.ndarray, weights: Any = WEIGHTS) -> np.ndarray:
    """Their probabilities."""
    result: np.ndarray = 1 / (1 + np.exp(-(x @ np.array(weights[:-1]) + weights[-1])))
    return result


def scores(path: Path) -> dict[str, float]:
    """An owner's file of scores."""
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with path.open(newline="") as file:
        _, *lines = csv.reader(file)
    return {name: float(score) for name, score in lines}


def counted(share: Path, me: str) -> dict[str, int]:
    return dict(open_share(share, me, Vault(me, share.parent)).journal.scored())


def score(folder: Path, scenario: Path) -> tuple[dict[str, Any], dict[str, BeaverlodgeError]]:
    """Every party in a thread; the scores are in the folder `scored`."""
    out = folder / "scored"
    out.mkdir(exist_ok=True)
    return run_in_threads(load_scenario(scenario), out)


@pytest.mark.soak
def test_trained_by_all_scored_for_one_as_the_open_model_would(tmp_path: Path) -> None:
    path = write_scenario(tmp_path, reveal=["metrics"])
    ran = mpc("run", path, "--out", tmp_path / "trained")
    assert ran.code == 0, ran.err
    told = record(tmp_path / "trained")
    assert set(told["model"]) == {"features", "id"} and told["metrics"]["test"]["rows"] > 20
    assert "model" not in {item["what"] for item in told["revealed"]}
    assert "Nobody sees the model" in ran.out and told["model"]["id"] in ran.out and "hospital_b.share" in ran.out
    assert "Nobody sees the model" in (tmp_path / "trained" / "report.html").read_text()
    assert "max_abs_weight_difference" not in told["comparison"]["pooled"]
    assert told["comparison"]["pooled"]["test"]["auc"] == pytest.approx(told["metrics"]["test"]["auc"], abs=0.01)

    path.write_text(path.read_text().replace('reveal = ["metrics"]', 'reveal = ["model"]'))
    assert mpc("run", path, "--out", tmp_path / "open", "--no-compare").code == 0
    model = record(tmp_path / "open")["model"]
    x = rows(40) * np.geomspace(10, 0.1, 3) + 3
    new = {A: csv_of(x), B: csv_of(x[:1] * 1.1, ids="q")}
    predict = write_predict(tmp_path, new, extra='id = "patient"\ngrid = 0.001\nmax_rows = 41\n')
    ran = mpc("run", predict, "--out", tmp_path / "scored")
    assert ran.code == 0, ran.err
    got = scores(tmp_path / "scored" / f"{A}.scores.csv")
    weights = (*model["weights"], model["intercept"])
    assert list(got) == [f"p{k}" for k in range(40)]
    assert np.abs(np.array(list(got.values())) - wanted(x, weights)).max() < 1e-3
    assert list(scores(tmp_path / "scored" / f"{B}.scores.csv")) == ["q0"]
    facts = record(tmp_path / "scored")
    assert facts["predict"]["model"] == told["model"]["id"] and facts["predict"]["scored_so_far"] == {A: 40, B: 1}
    assert facts["parties"][A]["scores"] == f"{A}.scores.csv"
    assert [(item["what"], item["to"], item["shape"]) for item in facts["revealed"]] == [
        ("scores", [A], [40]),
        ("scores", [B], [1]),
    ]
    keys = {"model", "partition", "rows", "features", "output", "grid", "max_rows", "scored_so_far"}  # and no score
    assert set(facts["predict"]) == keys and not any(facts.get(key) for key in ("model", "metrics", "comparison"))
    assert "scored over all runs" in ran.out and "40 of 41" in ran.out
    assert "40 of 41" in (tmp_path / "scored" / "report.html").read_text()
    assert "Rounds and bytes sent were as planned, exactly, for every party." in ran.out
    assert "40 of 41" in mpc("report", tmp_path / "scored").out


@pytest.mark.soak
@pytest.mark.parametrize(
    ("extra", "task"),
    [
        ('[task.categories]\nsex = ["f", "m"]\n', {"features": ["years", "dose", "years:marker", "sex"], "epochs": 4}),
        ("", {"standardise": "private", "solver": "newton", "iterations": 40, "l2": 0.05}),
        ("", {"standardise": False, "solver": "nesterov", "iterations": 20, "learning_rate": 0.001}),
    ],
    ids=["products and categories", "private", "not standardised"],
)
def test_three_owners_whatever_the_features_and_their_scales(tmp_path: Path, extra: str, task: dict[str, Any]) -> None:
    names = ("hospital_a", "hospital_b", "hospital_c")
    path = write_scenario(tmp_path, 3, reveal=["metrics"], extra=extra, **{"features": list(FEATURES), **task})
    tables = {name: with_sex(tmp_path / f"{name}.csv", k) for k, name in enumerate(names)}
    (tmp_path / "trained").mkdir()
    assert not run_in_threads(load_scenario(path), tmp_path / "trained")[1]
    path.write_text(path.read_text().replace('reveal = ["metrics"]', 'reveal = ["model"]'))
    model = run_in_threads(load_scenario(path), tmp_path)[0]["hospital_a"]["model"]
    new = tables["hospital_b"].drop(columns="outcome").head(20)
    rows_of = {**dict.fromkeys(names), "hospital_c": new.to_csv(index=False)}
    assert not score(tmp_path, write_predict(tmp_path, rows_of, extra="grid = 0.001\nmax_rows = 20\n"))[1]
    got = list(scores(tmp_path / "scored" / "hospital_c.scores.csv").values())
    columns = new.assign(**{"years:marker": new["years"] * new["marker"], "sex=m": (new["sex"] == "m").astype(float)})
    x = columns[model["features"]].to_numpy(dtype=float)
    assert np.abs(np.array(got) - wanted(x, (*model["weights"], model["intercept"]))).max() < 1e-3


def with_sex(path: Path, seed: int) -> pd.DataFrame:
    """The table with one column more."""
    table = pd.read_csv(path)
    table.insert(1, "sex", np.random.default_rng(seed).choice(["f", "m"], len(table)))
    table.to_csv(path, index=False)
    return table


@pytest.mark.parametrize("extra", ["grid = 0.05\n", 'output = "class"\n', 'id = "patient"\n'])
def test_scores_are_on_their_grid(tmp_path: Path, extra: str) -> None:
    write_shares(tmp_path / "trained", WEIGHTS)
    x = rows(2)
    results, errors = score(tmp_path, write_predict(tmp_path, {A: None, B: csv_of(x)}, extra=extra))
    assert not errors
    found = scores(tmp_path / "scored" / f"{B}.scores.csv")
    assert list(found) == (["p0", "p1"] if extra.startswith("id") else ["1", "2"])
    steps = {"grid": 20, "outp": 1, "id =": 100}[extra[:4]]
    assert list(found.values()) == pytest.approx(np.rint(wanted(x) * steps) / steps, abs=1e-9)
    assert not (tmp_path / "scored" / f"{A}.scores.csv").exists()
    assert "scores" not in results[A]["party"] and results[A]["predict"] == results[B]["predict"]
    assert results["helper"]["predict"] is None


def test_the_cap_holds_across_runs(tmp_path: Path) -> None:
    shares = write_shares(tmp_path / "trained", WEIGHTS)
    one = write_predict(tmp_path, {A: csv_of(rows(1)), B: None})
    for k in (1, 2):
        assert not score(tmp_path, one)[1]
        assert counted(shares[A], A) == counted(shares[B], B) == {A: k, B: 0}
    _, errors = score(tmp_path, one)
    assert errors[A].code == "disagreement" and "0 are left to it: 2 were counted here" in errors[A].message
    assert errors[B].told_by is not None and errors[B].code == "disagreement"
    other = write_predict(tmp_path, {A: None, B: csv_of(rows(2))}, name="other")  # each owner has a count of its own
    assert not score(tmp_path, other)[1]
    assert counted(shares[A], A) == {A: 2, B: 2}


def test_every_owner_counts_and_peers_hear_code_and_stage_alone(tmp_path: Path) -> None:
    """Hospital a puts back its share and journal as they were: hospital b has counted, and takes no part."""
    shares = write_shares(tmp_path / "trained", WEIGHTS)
    files = (shares[A], journal_path(shares[A]))
    for path in files:
        shutil.copy(path, tmp_path / path.name)
    two = write_predict(tmp_path, {A: csv_of(rows(2)), B: None})
    assert not score(tmp_path, two)[1]
    for path in files:
        shutil.copy(tmp_path / path.name, path)
    before = {name: journal_path(path).read_bytes() for name, path in shares.items()}
    (tmp_path / "scored" / f"{A}.scores.csv").unlink()
    _, errors = score(tmp_path, two)
    assert errors[B].code == "disagreement" and errors[B].party == A and errors[B].told_by is None
    for words in ("hospital_a asks for the scores of 2 rows", "2 were counted here"):
        assert words in errors[B].message
    for name in (A, "helper"):
        assert errors[name].told_by is not None and errors[name].code == "disagreement"
        assert "counted" not in str(errors[name]) and "rows" not in str(errors[name])
    assert {name: journal_path(path).read_bytes() for name, path in shares.items()} == before  # nothing was opened
    assert not (tmp_path / "scored" / f"{A}.scores.csv").exists()


def test_a_journal_that_is_gone_ends_the_run_at_once(tmp_path: Path) -> None:
    shares = write_shares(tmp_path / "trained", WEIGHTS)
    journal_path(shares[B]).unlink()
    scenario = write_predict(tmp_path, {A: csv_of(rows(1)), B: None})
    ran = mpc("run", scenario, "--out", tmp_path / "scored")
    assert ran.code == 2
    assert f"the journal of scored rows {journal_path(shares[B]).resolve()} is missing" in ran.err.replace("\n", " ")
    assert "train a new model" in ran.err and counted(shares[A], A) == {}
    assert not list((tmp_path / "scored").glob("*.csv"))


def test_shares_of_two_models_do_not_meet(tmp_path: Path) -> None:
    shares = write_shares(tmp_path / "trained", WEIGHTS)
    write_shares(tmp_path / "other", WEIGHTS, seed=4, model="f" * 32)
    where = {A: "trained", B: "other/hospital_b.share"}
    _, errors = score(tmp_path, write_predict(tmp_path, {A: csv_of(rows(1)), B: None}, where))
    assert {name: error.code for name, error in errors.items()} == dict.fromkeys(PARTIES, "disagreement")
    assert any("shares of different models" in errors[name].message for name in OWNERS)  # the other may be told first
    assert counted(shares[A], A) == {}
    where = {A: "trained", B: "trained/hospital_a.share"}
    _, errors = score(tmp_path, write_predict(tmp_path, {A: csv_of(rows(1)), B: None}, where))
    assert errors[B].code == "usage" and "is the share of hospital_a, not of hospital_b" in errors[B].message


@pytest.mark.soak
@pytest.mark.parametrize("stage", ["scores", "opening"])
def test_a_killed_run_counts_if_anything_could_have_been_opened(tmp_path: Path, stage: str) -> None:
    shares = write_shares(tmp_path / "trained", WEIGHTS)
    scenario = write_predict(tmp_path, {A: csv_of(rows(2)), B: None}, extra="[network]\nlatency_ms = 150.0\n")
    running = Running("run", scenario, "--out", tmp_path / "scored")
    log = tmp_path / "scored" / f"{A}.log"
    running.wait_for(lambda: log.exists() and f"INFO {stage}\n" in log.read_text(), f"stage {stage}")
    if stage == "opening":
        running.wait_for(lambda: journal_path(shares[A]).read_text().count("\n") == 2, "a line in the journal")
    running.party(A).send_signal(signal.SIGKILL)
    ran = running.end()
    assert ran.code != 0 and not (tmp_path / "scored" / f"{A}.scores.csv").exists()
    seen = {name: counted(path, name) for name, path in shares.items()}
    if stage == "scores":
        assert seen == {A: {}, B: {}}
        scenario.write_text(scenario.read_text().replace("150.0", "0.0"))
        assert mpc("run", scenario, "--out", tmp_path / "again").code == 0
    else:
        assert seen[A] == {A: 2, B: 0}
        ran = mpc("run", scenario, "--out", tmp_path / "again")
        assert ran.code == 5 and "0 are left to it" in ran.err.replace("\n", " ")


def keyed(tmp_path: Path, scenario: Path) -> Path:
    """A scenario of rows to score, with the keys of `separate` and addresses of its own."""
    text = scenario.read_text()
    ports = dict(zip(OWNERS, free_ports(2), strict=True))
    for name in PARTIES:
        line = re.search(r'"public_key": ("[^"]+")', (tmp_path / "keys" / f"{name}.key").read_text())
        assert line is not None
        address = f'address = "127.0.0.1:{ports[name]}"\n' if name in ports else ""
        text = text.replace(f"[parties.{name}]\n", f"[parties.{name}]\npublic_key = {line[1]}\n{address}")
    scenario.write_text(text)
    return scenario


@pytest.mark.soak
def test_three_commands_train_keep_and_score(tmp_path: Path) -> None:
    training = separate(tmp_path, reveal=["metrics"])
    for name, run in {name: start(training, name) for name in PARTIES}.items():
        ran = run.end()
        assert ran.code == 0, (name, ran.err)
    shares = {name: tmp_path / name / f"{name}.share" for name in OWNERS}
    assert not any(key_path(path).exists() for path in shares.values())
    assert not (tmp_path / "helper" / "helper.share").exists() and record(tmp_path / "helper")["model"] is None
    where = {name: f"{name}" for name in OWNERS}
    x = rows(2) * np.geomspace(10, 0.1, 3) + 3
    predict = keyed(tmp_path, write_predict(tmp_path, {A: csv_of(x), B: None}, where, extra='id = "patient"\n'))
    shown = mpc("party", predict, "--as", A, "--keys", tmp_path / "keys")
    assert shown.code == 2 and "rows that are scored, for this party alone" in shown.out
    assert record(tmp_path / A)["model"]["id"] not in shown.out, "the share is opened once that is approved"
    ran = mpc("approve", predict, "--as", B, "--keys", tmp_path / "keys", "--digest", approving(predict, B)[1])
    assert ran.code == 0, ran.err
    doctor = mpc("doctor", predict, "--as", B, "--keys", tmp_path / "keys", "--seconds", "3")
    assert "rows scored so far: none; each owner may score 2" in doctor.out.replace("\n", " ")
    folders = {name: tmp_path / f"scored_{name}" for name in PARTIES}
    for name in PARTIES:
        (tmp_path / f"policy_{name}.toml").write_text('kinds = ["predict"]\nreveals = ["scores"]\nminimum_rows = 50\n')

    def begin(*names: str, again: str = "") -> dict[str, Running]:
        return {
            name: Running(
                *("party", predict, "--as", name, "--keys", tmp_path / "keys", "--out", f"{folders[name]}{again}"),
                *(*approving(predict, name), "--policy", tmp_path / f"policy_{name}.toml"),
            )
            for name in names
        }

    for name, run in begin(*PARTIES).items():
        ran = run.end()
        assert ran.code == 0, (name, ran.err)
    assert list(scores(folders[A] / f"{A}.scores.csv")) == ["p0", "p1"]
    assert list(record(folders[B])["parties"]) == [B] and "scores" not in record(folders[B])["parties"][B]
    assert len((tmp_path / "keys" / "releases.jsonl").read_text().splitlines()) == 4  # of the training alone
    ends = {name: run.end() for name, run in begin(*PARTIES, again="_again").items()}
    assert {ran.code for ran in ends.values()} == {5}
    (tmp_path / f"policy_{A}.toml").write_text('reveals = ["classes"]\n')
    ran = begin(A, again="_otherwise")[A].end()
    assert ran.code == 2 and "refuses this run: reveals = [\"classes\"], but it reveals 'scores'" in ran.err


def test_the_new_patients_are_the_tools_and_not_trained_on(tmp_path: Path) -> None:
    write_new_patients(tmp_path)
    for name in ("new_patients", *(f"new_{department}" for department in DEPARTMENTS)):
        there = ROOT / "scenarios" / "data" / f"{name}.csv"
        assert (tmp_path / f"{name}.csv").read_bytes() == there.read_bytes()
        assert "malignant" not in there.read_text() and there.read_text().count("\n") == 11
    for name in ("shared_model", "split_model"):
        training = load_scenario(ROOT / "scenarios" / f"{name}.toml")
        assert (training.seed, training.model_task.test_fraction) == (SEED, TEST_FRACTION)


@pytest.mark.soak
def test_the_two_scenarios_run_and_a_third_scoring_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    words = ("run", "scenarios/shared_model.toml", "--out", "runs/shared_model")
    ran = mpc(*words, cwd=tmp_path)
    assert ran.code == 0, ran.err
    again = mpc(*words, cwd=tmp_path)
    assert again.code == 2 and "runs/shared_model holds the record of another run" in again.err, again.err
    for k in (10, 20):
        ran = mpc("run", "scenarios/predict.toml", "--out", f"runs/{k}", cwd=tmp_path)
        assert ran.code == 0, ran.err
        assert f"{k} of 29" in ran.out
    assert len(scores(tmp_path / "runs" / "10" / f"{A}.scores.csv")) == 10
    ran = mpc("run", "scenarios/predict.toml", "--out", "runs/30", cwd=tmp_path)
    assert ran.code == 5 and "of the 29 that each owner may have in all, 9 are left to it" in ran.err.replace("\n", " ")


@pytest.mark.soak
def test_the_two_scenarios_of_split_columns_run_as_they_are(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "scenarios", tmp_path / "scenarios")
    ran = mpc("run", "scenarios/split_model.toml", "--out", "runs/split_model", cwd=tmp_path)
    assert ran.code == 0, ran.err
    ran = mpc("run", "scenarios/split_predict.toml", "--out", "runs/10", cwd=tmp_path)
    assert ran.code == 0, ran.err
    assert "10 of 14" in ran.out and len(scores(tmp_path / "runs" / "10" / "pathology.scores.csv")) == 10
    ran = mpc("run", "scenarios/split_predict.toml", "--out", "runs/20", cwd=tmp_path)
    assert ran.code == 5 and "of the 14 that each owner may have in all, 4 are left to it" in ran.err.replace("\n", " ")


def test_what_is_wrong_before_a_run_is_said_by_the_plan(tmp_path: Path) -> None:
    path = write_predict(tmp_path, {A: csv_of(rows(1)), B: None})
    with pytest.raises(UsageError, match="there is no share of a model") as caught:
        planned(load_scenario(path))
    assert "`model` in [parties.hospital_a]" in caught.value.hint
    write_shares(tmp_path / "trained", WEIGHTS)
    (tmp_path / f"{A}_new.csv").write_text(csv_of(rows(3)))
    with pytest.raises(UsageError, match="hospital_a has 3 rows to score, but each owner may score 2 in all"):
        planned(load_scenario(path))
    path.write_text(path.read_text() + "max_rows = 9\n")
    scenario = load_scenario(path)
    settings, plan = planned(scenario)
    lines = [block.text for block in plan_tables(plan, settings, scenario) if isinstance(block, Line)]
    assert any("An owner may score 9 rows, not fewer than the 3 features: 4 exact scores" in one for one in lines)
    facts = plan_json(plan, settings, scenario)
    told = {
        "partition": "horizontal",
        "rows": {A: 3, B: 0},
        "features": 3,
        "output": "probability",
        "grid": 0.01,
        "max_rows": 9,
    }
    assert facts["predict"] == told and facts["rounds"] == 19 and facts["helper"]["opened"] == []
