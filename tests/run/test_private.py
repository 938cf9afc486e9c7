"""standardise = "private" over real processes: the reference's model and metrics, and no mean or deviation anywhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.examples import sample
from tests.run.command import mpc, record
from tests.run.scenarios import write_scenario


@pytest.mark.parametrize("owners", sample([2, 3], 2))
def test_private_standardisation_as_a_user_runs_it(tmp_path: Path, owners: int) -> None:
    path = write_scenario(tmp_path, owners, standardise="private", test_fraction=0.2)
    out = tmp_path / "record"
    ran = mpc("run", path, "--out", out)
    assert ran.code == 0, ran.err
    result = record(out)
    assert result["comparison"]["pooled"]["max_abs_weight_difference"] <= 1e-4
    assert abs(result["metrics"]["test"]["auc"] - result["comparison"]["pooled"]["test"]["auc"]) <= 0.005
    assert result["model"]["standardised_weights"] is result["model"]["standardised_intercept"] is None
    whats = [item["what"] for item in result["revealed"]]
    assert whats[:5] == ["cells of the model", "feature scales", "feature scales", "range check", "model"]
    assert not {"feature means", "feature standard deviations", "mean score"} & set(whats)
    plan = json.loads(mpc("plan", path, "--json").out)
    for name, party in result["parties"].items():
        assert party["bytes_sent"] == plan["bytes"][name]
        assert party["rounds"] == (plan["rounds"] if party["role"] == "owner" else 0)
