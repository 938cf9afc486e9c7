"""`reveal = ["inference"]` over processes: the table is statsmodels', and rounds and bytes are the plan's."""

from __future__ import annotations

import csv
import itertools
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
        assert told[3:7] == ["collinearity check", "convergence check", "model", "standard errors"]
        assert "gradient and Fisher matrix" not in told
    else:
        assert told.count("gradient and Fisher matrix") == 14
        assert "learns the other's" in fields["revealed"][3]["why"]
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


def add_columns(folder: Path, *, only: str = "hospital") -> tuple[np.ndarray, np.ndarray]:
    """Columns of offsets and weights to the owners' files; returns them, over all owners that get them."""
    generator = np.random.default_rng(8)
    offsets, counts = [], []
    for path in sorted(folder.glob(f"{only}*.csv")):
        head, *lines = path.read_text().splitlines()
        o, c = generator.normal(-1, 0.5, len(lines)).round(3), generator.integers(0, 4, len(lines))
        path.write_text("\n".join([f"{head},shift,times", *map("{},{},{}".format, lines, o, c)]) + "\n")
        offsets.append(o)
        counts.append(c)
    return np.concatenate(offsets), np.concatenate(counts)


@pytest.mark.parametrize("how", ["open-fisher", pytest.param("shared", marks=pytest.mark.soak)])
def test_an_offset_weights_and_calibration(tmp_path: Path, how: str) -> None:
    import statsmodels.api as sm

    path = write_scenario(
        tmp_path, rows=150, reveal=[*ASKED, "calibration"], test_fraction=0.0, inference=how, features=list(FEATURES),
        offset="shift", weights="times", min_cell=4,
    )  # fmt: skip
    offset, counts = add_columns(tmp_path)
    ran = mpc("run", path, "--out", tmp_path / "record", timeout=300)
    assert ran.code == 0, ran.err
    assert "Rounds and bytes sent were as planned, exactly, for every party." in ran.out
    out = " ".join(ran.out.split())
    assert "with shift as offset and times as weights" in out
    assert "Calibration on training rows of all owners, by tenths of predicted risk" in out
    fields = record(tmp_path / "record")
    x, y = pooled(tmp_path)
    glm = sm.GLM(y, np.c_[x, np.ones(len(x))], family=sm.families.Binomial(), offset=offset, freq_weights=counts).fit()
    for row, b, se in zip(fields["inference"], glm.params, glm.bse, strict=True):
        assert abs(row["coefficient"] - b) < 1e-3 * se and row["se"] == pytest.approx(se, rel=1e-3)
    assert fields["fit"]["weight"] == counts.sum() and fields["fit"]["rows"] == len(y)
    assert fields["fit"]["log_likelihood"] == pytest.approx(glm.llf, rel=1e-4)
    assert fields["comparison"]["pooled"]["max_abs_weight_difference"] < 1e-3
    quality = fields["metrics"]["train"]
    assert quality["auc_low"] < quality["auc"] < quality["auc_high"]
    assert quality["auc"] == pytest.approx(fields["comparison"]["pooled"]["train"]["auc"], abs=2e-3)
    assert f"95 % interval {quality['auc_low']:.4f} to {quality['auc_high']:.4f}" in out
    groups = fields["calibration"]["train"]
    assert fields["calibration"]["min_cell"] == 4 and "Tenths are joined where fewer than 4 patients" in out
    assert (groups[0]["first"], groups[-1]["last"]) == (1, 10)
    assert all(one["last"] + 1 == other["first"] for one, other in itertools.pairwise(groups))
    z = x @ np.array(fields["model"]["weights"]) + fields["model"]["intercept"] + offset
    assert sum(one["rows"] for one in groups) == len(y)
    assert sum(one["expected"] for one in groups) == pytest.approx((1 / (1 + np.exp(-z))).sum(), rel=1e-5)
    report = (tmp_path / "record" / "report.html").read_text()
    assert "by tenths of predicted risk" in report and "Hanley-McNeil" in report
