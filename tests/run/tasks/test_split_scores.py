"""A model of split columns that nobody sees, by the command: new rows of which every owner has other columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.parties.shares import OWNERS, write_split_predict, write_split_shares
from tests.run.command import mpc, record
from tests.run.tasks.test_shared_model import WEIGHTS, counted, rows, score, scores, wanted
from tests.run.tasks.test_vertical import toml_of

A, B = OWNERS
TURNED = {A: [2, 0, 1], B: [1, 2, 0]}


def test_one_owner_gets_the_scores_and_all_count(tmp_path: Path) -> None:
    """By real processes: neither the files' order nor whose turn it was changes what is scored."""
    shares = write_split_shares(tmp_path / "trained", WEIGHTS)
    x = rows(3)
    scenario = write_split_predict(tmp_path, x, extra="max_rows = 5\n", orders=TURNED)
    ran = mpc("run", scenario, "--out", tmp_path / "scored")
    assert ran.code == 0, ran.err
    got = scores(tmp_path / "scored" / f"{A}.scores.csv")
    assert list(got) == ["p2", "p0", "p1"]
    assert list(got.values()) == pytest.approx(np.rint(wanted(x[TURNED[A]]) * 100) / 100, abs=1e-9)
    assert not (tmp_path / "scored" / f"{B}.scores.csv").exists()
    told = record(tmp_path / "scored")
    assert told["predict"]["partition"] == "vertical" and told["predict"]["rows"] == {A: 3, B: 0}
    assert told["predict"]["scored_so_far"] == {A: 3, B: 0}
    assert [(item["what"], item["to"], item["shape"]) for item in told["revealed"]] == [
        ("row alignment", [A, B], [1]),
        ("scores", [A], [3]),
    ]
    said = " ".join(ran.out.split())
    assert "Rounds and bytes sent were as planned, exactly, for every party." in said
    assert "Every owner has other columns of these rows, and hospital_a alone has their scores." in said
    assert counted(shares[A], A) == counted(shares[B], B) == {A: 3, B: 0}


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [("p0,", "q0,", "the owners' lists of ids differ"), ("p0,", "#", "different numbers of rows: hospital_a 2")],
    ids=["other ids", "other numbers"],
)
def test_rows_that_are_not_the_same_are_refused_and_not_counted(
    tmp_path: Path, one: str, other: str, words: str
) -> None:
    shares = write_split_shares(tmp_path / "trained", WEIGHTS)
    scenario = write_split_predict(tmp_path, rows(2))
    file = tmp_path / f"{B}_new.csv"
    lines = file.read_text().replace(one, other).splitlines()
    file.write_text("\n".join(line for line in lines if not line.startswith("#")) + "\n")
    _, errors = score(tmp_path, scenario)
    assert any(words in errors[name].message for name in (A, B))  # one may hear of it from the other first
    assert {errors[name].code for name in (A, B)} == {"data"}
    assert counted(shares[A], A) == counted(shares[B], B) == {}


KNOWN, NEW = 120, 20


def split_tables() -> dict[str, pd.DataFrame]:
    """Three owners' columns of the same made-up patients, in other orders; the last has a category and the target."""
    draw, count = np.random.default_rng(4), KNOWN + NEW
    ids = [f"p{k:03d}" for k in range(count)]
    x = draw.normal(size=(count, 4)) * [10, 1, 0.1, 3] + 3
    sex = draw.choice(["f", "m"], count)
    z = (x - 3) @ [0.1, -0.8, 6.0, 0.2] + (sex == "m")
    y = (draw.uniform(size=count) < 1 / (1 + np.exp(-z))).astype(int)
    tables = {
        "alpha": pd.DataFrame({"patient": ids, "years": x[:, 0], "dose": x[:, 1]}),
        "beta": pd.DataFrame({"patient": ids, "marker": x[:, 2]}),
        "gamma": pd.DataFrame({"patient": ids, "size": x[:, 3], "sex": sex, "outcome": y}),
    }
    return {owner: table.sample(frac=1, random_state=k) for k, (owner, table) in enumerate(tables.items())}


def write_split(path: Path, parties: dict[str, dict[str, Any]], **task: Any) -> Path:
    """A scenario of these owners, each with its settings, and a helper."""
    owners = {name: {"role": "owner", **party} for name, party in parties.items()}
    named = {"name": path.stem, "seed": 3, "parties": {**owners, "helper": {"role": "helper"}}}
    path.write_text(toml_of({"schema": 1, **named, "task": {"partition": "vertical", "id": "patient", **task}}))
    return path


LISTED = {"alpha": ["dose", "years:dose"], "beta": ["marker"], "gamma": ["size:sex", "sex"]}
SGD: dict[str, Any] = {"epochs": 4, "batch_size": 32, "categories": {"sex": ["f", "m"]}}
NEWTON: dict[str, Any] = {"solver": "newton", "iterations": 40, "l2": 0.05}


@pytest.mark.soak
@pytest.mark.parametrize(
    ("task", "listed"), [(SGD, {}), (SGD, LISTED), (NEWTON, {})], ids=["category", "products", "newton"]
)
def test_trained_by_all_scored_for_one_as_the_open_model_would(
    tmp_path: Path, task: dict[str, Any], listed: dict[str, list[str]]
) -> None:
    tables, parties, new = split_tables(), {}, {}
    for owner, table in tables.items():
        old = table["patient"] < f"p{KNOWN}"
        table[old].to_csv(tmp_path / f"{owner}.csv", index=False)
        table[~old].drop(columns="outcome", errors="ignore").to_csv(tmp_path / f"{owner}_new.csv", index=False)
        parties[owner] = {"data": f"{owner}.csv", **({"features": listed[owner]} if listed else {})}
        new[owner] = {"data": f"{owner}_new.csv", "model": "trained"}
    asked = {"kind": "logistic_regression", "target": "outcome", **task}
    training = write_split(tmp_path / "training.toml", parties, **asked, reveal=["metrics"])
    ran = mpc("run", training, "--out", tmp_path / "trained")
    assert ran.code == 0, ran.err
    assert 'kind = "predict" scores new rows by it' in " ".join(mpc("plan", training).out.split())
    open_one = write_split(tmp_path / "open.toml", parties, **asked, reveal=["model"])
    assert mpc("run", open_one, "--out", tmp_path / "open", "--no-compare").code == 0
    model = record(tmp_path / "open")["model"]

    predict = write_split(tmp_path / "new.toml", new, kind="predict", reveal_to=["beta"], grid=0.001, max_rows=NEW)
    ran = mpc("run", predict, "--out", tmp_path / "scored")
    assert ran.code == 0, ran.err
    got = scores(tmp_path / "scored" / "beta.scores.csv")
    assert list(got) == [one for one in tables["beta"]["patient"] if one >= f"p{KNOWN}"]
    joined = tables["alpha"].merge(tables["beta"], on="patient").merge(tables["gamma"], on="patient")
    joined = joined.set_index("patient").loc[list(got)]
    male = (joined["sex"] == "m").astype(float)
    made = {"sex=m": male, "years:dose": joined["years"] * joined["dose"], "size:sex=m": joined["size"] * male}
    x = joined.assign(**made)[model["features"]].to_numpy(dtype=float)
    weights = (*model["weights"], model["intercept"])
    assert np.abs(np.array(list(got.values())) - wanted(x, weights)).max() < 1e-3
    again = mpc("run", predict, "--out", tmp_path / "again")  # all processes are new ones
    assert again.code == 5 and "0 are left to it" in " ".join(again.err.split())
