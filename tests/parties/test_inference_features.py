"""A factor and interactions, from the owners' files to the table, beside statsmodels' formula on the pooled file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parties.data import load_owner_table
from parties.rows import own_rows, settings_for
from parties.scenario import load_scenario
from protocols.inference_job import inference_job
from tests.helpers import lockstep

SCENARIO = """schema = 1
name = "factors"
[parties.a]
role = "owner"
data = "a.csv"
[parties.b]
role = "owner"
data = "b.csv"
[parties.helper]
role = "helper"
[task]
kind = "logistic_regression"
target = "ill"
features = ["age", "male", "stage", "age:male", "stage:male"]
test_fraction = 0.0
reveal = ["inference"]
inference = "HOW"
[task.categories]
stage = ["I", "II", "III"]
"""


def write_tables(folder: Path) -> list[dict[str, Any]]:
    """Two owners' files, and their rows."""
    generator = np.random.default_rng(2)
    rows = []
    for name in ("a", "b"):
        lines = ["age,male,stage,ill"]
        for _ in range(250):
            age, male, stage = int(generator.integers(30, 80)), int(generator.integers(2)), int(generator.integers(3))
            z = 0.05 * (age - 55) + male * (0.4 - 0.03 * (age - 55)) + 0.6 * stage - 0.8
            ill = int(generator.random() < 1 / (1 + np.exp(-z)))
            level = ["I", "II", "III"][stage]
            rows.append({"age": age, "male": male, "stage": level, "ill": ill})
            lines.append(f"{age},{male},{level},{ill}")
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return rows


@pytest.mark.parametrize("how", ["shared", "open-fisher"])
def test_a_factor_and_interactions(tmp_path: Path, how: str) -> None:
    import pandas as pd
    import statsmodels.formula.api as smf

    rows = write_tables(tmp_path)
    (tmp_path / "s.toml").write_text(SCENARIO.replace("HOW", how))
    scenario = load_scenario(tmp_path / "s.toml")
    features = scenario.training.feature_names
    assert features is not None
    own = {owner: own_rows(load_owner_table(scenario, owner), scenario, features) for owner in scenario.owners}
    settings = settings_for(scenario, dict.fromkeys(scenario.owners, (250, 0)), len(features))

    def factory(owner: str) -> Any:
        return lambda p: inference_job(p, None if p.dry else own[owner], settings)

    outcome = lockstep({owner: factory(owner) for owner in scenario.owners})
    found = outcome.results["a"].inference
    model = smf.logit("ill ~ age + male + stage + age:male + male:stage", pd.DataFrame(rows)).fit(disp=0)
    named = {"(intercept)": "Intercept", "age:male": "age:male", "age": "age", "male": "male"} | {
        f"stage={level}{rest}": name
        for level in ("II", "III")
        for rest, name in (("", f"stage[T.{level}]"), (":male", f"male:stage[T.{level}]"))
    }
    assert [row.feature for row in found.table] == [*features, "(intercept)"]
    for row in found.table:
        name = named[row.feature]
        assert abs(row.coefficient - model.params[name]) < 1e-3 * model.bse[name]
        assert row.se == pytest.approx(model.bse[name], rel=1e-3)
        assert row.p == pytest.approx(model.pvalues[name], abs=1e-3)
    assert found.df == model.df_model == 7
