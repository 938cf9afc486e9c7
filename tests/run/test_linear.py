"""`kind = "linear_regression"` by the command, each party a process: the table is statsmodels' on the pooled rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from parties.doctor.checks import check_data
from parties.doctor.estimate import PlanHere, plan_here
from parties.tasks.registry import load_scenario
from tests.run.command import ROOT, mpc, record
from tests.run.tables import each_by_a_command, hips, write_tables

HIPS = ROOT / "scenarios" / "hips_linear.toml"


def assert_is_statsmodels(
    told: dict[str, Any], x: pd.DataFrame, y: pd.Series, close: float = 1e-6, weights: Any = 1.0
) -> None:
    import statsmodels.api as sm

    model = sm.WLS(y.to_numpy(), np.c_[x.to_numpy(dtype=float), np.ones(len(x))], weights=weights).fit()
    rows, fit = told["inference"], told["fit"]
    assert [row["feature"] for row in rows] == [*x.columns, "(intercept)"]
    for key, wanted in (("coefficient", model.params), ("se", model.bse), ("t", model.tvalues), ("p", model.pvalues)):
        np.testing.assert_allclose([row[key] for row in rows], wanted, rtol=close, atol=close)
    np.testing.assert_allclose([[row["low"], row["high"]] for row in rows], model.conf_int(), rtol=close)
    assert (fit["rows"], fit["df"], fit["residual_df"]) == (len(x), len(x.columns), model.df_resid)
    found = [fit[key] for key in ("r2", "adjusted_r2", "residual_se", "f", "p")]
    wanted = [model.rsquared, model.rsquared_adj, np.sqrt(model.mse_resid), model.fvalue, model.f_pvalue]
    np.testing.assert_allclose(found, wanted, rtol=close)


def test_the_hips_give_what_the_pooled_rows_give(tmp_path: Path) -> None:
    ran = mpc("run", HIPS, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    told = record(tmp_path / "run")
    every = hips()[["age", "bmi", "pain_before", "smoker", "sex", "pain_after"]]
    rows = every.dropna()
    x = rows[["age", "bmi", "pain_before"]].assign(
        **{
            "smoker=former": rows["smoker"] == "former",
            "smoker=current": rows["smoker"] == "current",
            "sex=m": rows["sex"] == "m",
        }
    )
    assert_is_statsmodels(told, x, rows["pain_after"])
    assert told["data"]["missing"]["pain_after"] == every["pain_after"].isna().sum() > 50
    assert told["model"]["weights"] == [row["coefficient"] for row in told["inference"][:-1]]
    assert told["comparison"]["pooled"]["max_difference_in_se"] < 1e-6
    assert len(told["comparison"]["alone"]["west"]["inference"]) == 7
    assert [item["what"] for item in told["revealed"]] == [
        "cells of the model", "missing values", "feature scales", "feature scales", "collinearity check", "model",
        "standard errors", "standard errors", "fit",
    ]  # fmt: skip
    assert "Rounds and bytes sent were as planned, exactly, for every party." in ran.out
    for words in ("Coefficients per unit of the feature", "F test of all features", "north alone"):
        assert words in ran.out
    report = (tmp_path / "run" / "report.html").read_text()
    assert "The linear regression" in report and "F test of all features" in report
    again = mpc("report", tmp_path / "run")
    assert again.code == 0 and "F test of all features" in again.out


def small(folder: Path, **task: str) -> tuple[Path, pd.DataFrame]:
    """Two owners' stays in hospital, with gaps in a feature."""
    rng = np.random.default_rng(5)
    tables = {}
    for name, count in (("a", 40), ("b", 55)):
        rows = pd.DataFrame({"age": rng.normal(60, 9, count).round(1), "ward": rng.choice(["I", "II"], count)})
        rows["stay"] = (rows["age"] / 10 + (rows["ward"] == "II") * 2 + rng.normal(size=count)).round(2)
        rows.loc[::9, "age"] = np.nan
        tables[name] = rows
    settings = "\n".join(f"{key} = {value}" for key, value in task.items())
    path = write_tables(
        folder,
        tables,
        'kind = "linear_regression"\ntarget = "stay"\nfeatures = ["age", "ward", "age:ward"]\n'
        f'missing = "mean"\n{settings}\n[task.categories]\nward = ["I", "II"]\n',
    )
    return path, pd.concat(rows.assign(age=rows["age"].fillna(rows["age"].mean())) for rows in tables.values())


@pytest.mark.soak
@pytest.mark.parametrize("how", ["open-gram", "shared"])
def test_interactions_and_means_in_place_of_gaps(tmp_path: Path, how: str) -> None:
    path, rows = small(tmp_path, inference=f'"{how}"')
    ran = mpc("run", path, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    second = (rows["ward"] == "II").astype(float)
    x = pd.DataFrame({"age": rows["age"], "ward=II": second, "age:ward=II": second * rows["age"]})
    told = record(tmp_path / "run")
    assert_is_statsmodels(told, x, rows["stay"])
    if how == "open-gram":
        whats = ["cells of the model", "sums of columns", "sums of products of columns"]
        assert [item["what"] for item in told["revealed"]] == whats
        assert "learns the other's" in told["revealed"][1]["why"]


@pytest.mark.soak
def test_held_out_rows_judge_the_fit(tmp_path: Path) -> None:
    path, _ = small(tmp_path, test_fraction="0.3", reveal='["inference", "metrics"]')
    ran = mpc("run", path, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    told = record(tmp_path / "run")
    test = told["metrics"]["test"]
    assert test["rows"] + told["fit"]["rows"] == 95 and 0 < test["r2"] < 1 and test["rmse"] > test["mae"] > 0
    assert f"On {test['rows']} held-out rows: R2" in ran.out


@pytest.mark.soak
def test_a_mistake_in_the_target_is_told_to_its_owner_alone(tmp_path: Path) -> None:
    path, _ = small(tmp_path)
    table = tmp_path / "b.csv"
    table.write_text(table.read_text().replace("ward,stay", "ward,remark").replace("remark", "stay,remark", 1))
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], *(f"{line},x".replace(",I,", ",I,long") for line in lines[1:])]) + "\n")
    ran = mpc("run", path, "--out", tmp_path / "run")
    assert ran.code == 3
    assert "b, b.csv: column 'stay' is not numeric: data row" in ran.err.replace("\n", " ")
    assert "numeric" not in (tmp_path / "run" / "a.log").read_text()


@pytest.mark.soak
def test_all_owners_get_the_same_and_the_helper_nothing(tmp_path: Path) -> None:
    told = each_by_a_command(tmp_path, HIPS)
    assert told["north"]["inference"] == told["east"]["inference"] == told["west"]["inference"]
    assert told["helper"]["model"] is None and "inference" not in told["helper"]


def test_a_doctor_knows_the_plan(tmp_path: Path) -> None:
    one = load_scenario(HIPS)
    table, findings = check_data(one, "east")
    assert table is not None and "227 rows, 6 features, target 'pain_after'" in findings[0].text
    assert isinstance(plan_here(one, table), PlanHere)


SPLIT = 'kind = "linear_regression"\npartition = "vertical"\ntarget = "stay"\nid = "id"\n'


@pytest.mark.parametrize("categories", [True, pytest.param(False, marks=pytest.mark.soak)])
def test_columns_that_are_split(tmp_path: Path, categories: bool) -> None:
    """The same patients in another order; the target's owner has a factor, or no other column."""
    rng = np.random.default_rng(6)
    rows = pd.DataFrame({"id": [f"p{k}" for k in range(70)], "age": rng.normal(60, 9, 70), "dose": rng.gamma(2, 3, 70)})
    rows["ward"] = rng.choice(["I", "II"], 70)
    rows["stay"] = rows["age"] / 10 + (rows["ward"] == "II") * 2 + rng.normal(size=70)
    kept = ["id", "ward", "stay"] if categories else ["id", "stay"]
    path = write_tables(
        tmp_path,
        {"a": rows[["id", "age", "dose"]], "b": rows[kept].sample(frac=1, random_state=1)},
        f'{SPLIT}[task.categories]\nward = ["I", "II"]\n' if categories else SPLIT,
    )
    ran = mpc("run", path, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    x = rows[["age", "dose"]]
    told = record(tmp_path / "run")
    assert_is_statsmodels(
        told, x.assign(**{"ward=II": rows["ward"] == "II"}) if categories else x, rows["stay"], close=1e-4
    )
    assert told["comparison"]["pooled"]["max_difference_in_se"] < 1e-3
    assert "target's deviation" in [item["what"] for item in told["revealed"]]
    assert "The owners also learn the names of each other's columns" in ran.out.replace("\n", " ")


ASIDE = 'offset = "usual"\nweights = "times"\n'


def weighted(count: int, seed: int) -> pd.DataFrame:
    """Stays, what is usual for each, and by how many measurements each is known: of some by none."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"id": range(count), "age": rng.normal(60, 9, count).round(1), "dose": rng.gamma(2, 3, count)})
    rows["usual"], rows["times"] = rng.normal(7, 2, count).round(2), rng.integers(0, 6, count)
    rows["stay"] = rows["usual"] + rows["age"] / 10 + rng.normal(size=count) / np.sqrt(rows["times"].clip(lower=1))
    return rows


@pytest.mark.parametrize("how", ["shared", pytest.param("open-gram", marks=pytest.mark.soak)])
def test_weights_and_an_offset(tmp_path: Path, how: str) -> None:
    tables = {name: weighted(count, seed) for seed, (name, count) in enumerate((("a", 40), ("b", 55), ("c", 20)))}
    path = write_tables(
        tmp_path,
        tables,
        f'kind = "linear_regression"\ntarget = "stay"\nfeatures = ["age", "dose"]\ninference = "{how}"\n{ASIDE}',
    )
    ran = mpc("run", path, "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    told, rows = record(tmp_path / "run"), pd.concat(tables.values())
    assert_is_statsmodels(told, rows[["age", "dose"]], rows["stay"] - rows["usual"], weights=rows["times"])
    fit = told["fit"]
    assert (fit["weight"], fit["offset"], fit["weights"]) == (rows["times"].sum(), "usual", "times")
    assert told["comparison"]["pooled"]["max_difference_in_se"] < 1e-6
    assert told["comparison"]["alone"]["c"]["fit"]["weight"] == tables["c"]["times"].sum()
    assert "sum of weights" in [item["what"] for item in told["revealed"]]
    out = " ".join(ran.out.split())
    said = (
        f"Weighted least squares of the target less usual on 115 rows, weighted by times ({fit['weight']:.0f} in all)"
    )
    assert said in out and "Rounds and bytes sent were as planned, exactly, for every party." in out
    assert said in (tmp_path / "run" / "report.html").read_text()


@pytest.mark.soak
@pytest.mark.parametrize("asides", [ASIDE, 'offset = "usual"\n', 'weights = "times"\n'])
def test_weights_and_an_offset_of_columns_that_are_split(tmp_path: Path, asides: str) -> None:
    rows = weighted(90, 4)
    named = [name for name in ("usual", "times") if name in asides]
    tables = {"a": rows[["id", "age"]], "b": rows[["id", "stay", *named]][::-1], "c": rows[["id", "dose"]]}
    ran = mpc("run", write_tables(tmp_path, tables, SPLIT + asides), "--out", tmp_path / "run")
    assert ran.code == 0, ran.err
    told = record(tmp_path / "run")
    y = rows["stay"] - rows["usual"] * ("usual" in named)
    counts = rows["times"] if "times" in named else 1.0
    assert_is_statsmodels(told, rows[["age", "dose"]], y, close=1e-4, weights=counts)
    assert told["comparison"]["pooled"]["max_difference_in_se"] < 1e-3
    assert "Rounds and bytes sent were as planned, exactly, for every party." in " ".join(ran.out.split())
