"""A factor and interactions, from the owners' files to the table, beside statsmodels' formula on the pooled file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parties.data.table import load_owner_table
from parties.scenario.file import Scenario
from parties.tasks.logistic.settings.shape import settings_for
from parties.tasks.logistic.settings.task import LogisticTask
from parties.tasks.registry import load_scenario
from parties.tasks.rows.regression import own_rows
from protocols.inference.rows_job import inference_job
from protocols.rows.results import Inference
from tests.helpers import lockstep
from tests.protocols.inference.test_rows_job import show

TASK = """[task]
kind = "logistic_regression"
target = "ill"
FEATURES
test_fraction = 0.0
reveal = ["inference"]
inference = "HOW"
[task.categories]
stage = ["I", "II", "III"]
"""
TERMS = 'features = ["age", "male", "stage", "age:male", "stage:male"]'
FORMULA = "ill ~ age + male + stage + age:male + male:stage"


def scenario_of(folder: Path, owners: str, task: str, features: Mapping[str, str] | None = None) -> Scenario:
    """A scenario of owners whose names are letters, each with a file; where columns are split, with these features."""
    lines = ['schema = 1\nname = "factors"\n[parties.helper]\nrole = "helper"']
    for name in owners:
        lines.append(f'[parties.{name}]\nrole = "owner"\ndata = "{name}.csv"\n{(features or {}).get(name, "")}')
    (folder / "s.toml").write_text("\n".join([*lines, task]))
    return load_scenario(folder / "s.toml")


def draw_rows(count: int) -> list[dict[str, Any]]:
    """Patients with a factor, whose risk depends on products of columns, too."""
    generator = np.random.default_rng(2)
    rows = []
    for k in range(count):
        age, male, stage = int(generator.integers(30, 80)), int(generator.integers(2)), int(generator.integers(3))
        z = 0.05 * (age - 55) + male * (0.4 - 0.03 * (age - 55)) + 0.6 * stage - 0.8
        ill = int(generator.random() < 1 / (1 + np.exp(-z)))
        dose = round(float(generator.normal()), 3)
        rows.append({"who": f"p{k}", "age": age, "male": male, "stage": "I" * (stage + 1), "dose": dose, "ill": ill})
    return rows


def write_csv(path: Path, rows: list[dict[str, Any]], columns: Sequence[str]) -> None:
    lines = [",".join(columns), *(",".join(str(row[name]) for name in columns) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def assert_is_the_formulas(found: Inference, rows: list[dict[str, Any]], formula: str) -> None:
    """The table is statsmodels', by its names of the same features; with -s it is printed beside it."""
    import pandas as pd
    import statsmodels.formula.api as smf

    model = smf.logit(formula, pd.DataFrame(rows)).fit(disp=0)
    named = {"(intercept)": "Intercept"} | {
        f"stage={level}{rest}": name
        for level in ("II", "III")
        for rest, name in (("", f"stage[T.{level}]"), (":male", f"male:stage[T.{level}]"))
    }
    assert len(found.table) == len(model.params)
    names = [named.get(row.feature, row.feature) for row in found.table]
    show(found, model.params[names], model.bse[names])
    for row, name in zip(found.table, names, strict=True):
        b, se, p = model.params[name], model.bse[name], model.pvalues[name]
        assert abs(row.coefficient - b) < 1e-3 * se
        assert row.se == pytest.approx(se, rel=1e-3)
        assert row.p == pytest.approx(p, abs=1e-3)
    assert found.df == model.df_model


@pytest.mark.parametrize(
    ("owners", "how"),
    [("ab", "shared"), ("ab", "open-fisher"), pytest.param("abc", "shared", marks=pytest.mark.soak)],
)
def test_a_factor_and_interactions(tmp_path: Path, owners: str, how: str) -> None:
    rows = draw_rows(250 * len(owners))
    for k, name in enumerate(owners):
        write_csv(tmp_path / f"{name}.csv", rows[k :: len(owners)], ("age", "male", "stage", "ill"))
    scenario = scenario_of(tmp_path, owners, TASK.replace("FEATURES", TERMS).replace("HOW", how))
    features = scenario.task_as(LogisticTask).feature_names
    assert features is not None
    own = {owner: own_rows(load_owner_table(scenario, owner), scenario, features) for owner in scenario.owners}
    settings = settings_for(scenario, dict.fromkeys(scenario.owners, (250, 0)), len(features))

    def factory(owner: str) -> Any:
        return lambda p: inference_job(p, None if p.dry else own[owner], settings)

    outcome = lockstep({owner: factory(owner) for owner in scenario.owners})
    found = outcome.results["a"].inference
    assert [row.feature for row in found.table] == [*features, "(intercept)"]
    assert_is_the_formulas(found, rows, FORMULA)
