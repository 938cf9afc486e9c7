"""`kind = "linear_regression"` by the command, each party a process: the table is statsmodels' on the pooled rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.run.command import ROOT, mpc, record
from tests.run.tables import hips, write_tables

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
