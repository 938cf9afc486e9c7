"""`reveal = ["inference"]` over processes: the table is statsmodels', and rounds and bytes are the plan's."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.run.command import mpc, record
from tests.run.scenarios import FEATURES, write_scenario

ASKED = ["inference", "metrics"]


def pooled(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """All owners' rows, from their files."""
    rows = [row for path in sorted(folder.glob("*.csv")) for row in csv.DictReader(path.read_text().splitlines())]
    return np.array([[float(row[f]) for f in FEATURES] for row in rows]), np.array([int(r["outcome"]) for r in rows])


@pytest.mark.parametrize("how", ["open-fisher", pytest.param("shared", marks=pytest.mark.soak)])
def test_a_run(tmp_path: Path, how: str) -> None:
    import statsmodels.api as sm

    path = write_scenario(tmp_path, rows=120, reveal=ASKED, test_fraction=0.0, inference=how, features=list(FEATURES))
    ran = mpc("run", path, "--out", tmp_path / "record")
    assert ran.code == 0, ran.err
    assert "Rounds and bytes sent were as planned, exactly, for every party." in ran.out
    assert "Coefficients per unit of the feature" in ran.out and "McFadden's R2" in ran.out.replace("\n", " ")
    fields = record(tmp_path / "record")
    x, y = pooled(tmp_path)
    model = sm.Logit(y, np.c_[x, np.ones(len(x))]).fit(disp=0)
    table = fields["inference"]
    assert [row["feature"] for row in table] == [*FEATURES, "(intercept)"]
    for row, b, se, p in zip(table, model.params, model.bse, model.pvalues, strict=True):
        assert abs(row["coefficient"] - b) < 1e-3 * se
        assert row["se"] == pytest.approx(se, rel=1e-3) and row["p"] == pytest.approx(p, abs=1e-3)
    assert fields["fit"]["log_likelihood"] == pytest.approx(model.llf, rel=1e-4)
    assert fields["model"]["weights"] == [row["coefficient"] for row in table[:-1]]
    assert fields["comparison"]["pooled"]["max_abs_weight_difference"] < 1e-3
    told = [item["what"] for item in fields["revealed"]]
    if how == "shared":
        assert told[2:6] == ["collinearity check", "convergence check", "model", "standard errors"]
        assert "gradient and Fisher matrix" not in told
    else:
        assert told.count("gradient and Fisher matrix") == 14
        assert "learns the other's" in fields["revealed"][2]["why"]
    report = (tmp_path / "record" / "report.html").read_text()
    assert "Coefficients and their errors" in report and "no standard errors" not in report


def test_separation_ends_the_run_and_says_so(tmp_path: Path) -> None:
    path = write_scenario(tmp_path, reveal=ASKED, inference="open-fisher")
    for name in ("hospital_a", "hospital_b"):
        table = tmp_path / f"{name}.csv"
        head, *lines = table.read_text().splitlines()
        rows = [line.split(",") for line in lines]
        table.write_text("\n".join([head, *(",".join([*r[:-1], str(int(float(r[1]) > 3))]) for r in rows)]) + "\n")
    ran = mpc("run", path, "--out", tmp_path / "record")
    assert ran.code == 3
    assert "separate the two classes" in ran.err.replace("\n", " ")
    assert record(tmp_path / "record")["model"] is None
