"""Inference where columns are split, beside statsmodels on the joined table."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protocols.inference.columns_job import vertical_inference_job
from protocols.plain.logistic_columns import joined
from protocols.rows.own_rows import OwnColumns
from protocols.rows.results import INTERCEPT, Trained
from protocols.rows.settings import TrainingSettings
from tests.helpers import lockstep
from tests.protocols.inference.test_rows_job import breast_cancer, show
from tests.protocols.training.test_columns_job import divided

HOW: dict[str, Any] = {"inference": "shared", "solver": "irls", "iterations": 14}


def run(own: dict[str, OwnColumns], how: TrainingSettings) -> tuple[Trained, list[str]]:
    def factory(name: str) -> Any:
        return lambda p: vertical_inference_job(p, None if p.dry else own[name], how)

    outcome = lockstep({name: factory(name) for name in how.owners})
    first, *others = (outcome.results[name] for name in how.owners)
    assert all(other == first for other in others)
    assert isinstance(first, Trained)
    return first, [item.what for item in outcome.reveals]


@pytest.mark.parametrize(("widths", "target"), [([2, 3], 1), ([1, 2, 2], 0)])
def test_it_is_statsmodels_on_the_joined_table(widths: list[int], target: int) -> None:
    import statsmodels.api as sm

    own, how = divided(*breast_cancer(), widths, target, metrics=len(widths) == 2, **HOW)
    found, revealed = run(own, how)
    rows, table = joined(own), found.inference
    model = sm.Logit(rows.y_train, np.c_[rows.x_train, np.ones(len(rows.x_train))]).fit(disp=0, maxiter=100)
    assert table is not None
    show(table, model.params, model.bse)
    assert [row.feature for row in table.table] == [*found.features, INTERCEPT]
    for row, b, se, p in zip(table.table, model.params, model.bse, model.pvalues, strict=True):
        assert abs(row.coefficient - b) < 1e-3 * se
        assert row.se == pytest.approx(se, rel=1e-3)
        assert row.p == pytest.approx(p, abs=1e-3)
    checks = ["row alignment", "collinearity check", "convergence check", "model", "standard errors", "standard errors"]
    assert revealed[:6] == checks
    if how.metrics:
        assert table.log_likelihood == pytest.approx(model.llf, rel=1e-4)
        assert table.p == pytest.approx(model.llr_pvalue, abs=1e-9)
    else:
        assert revealed == checks and table.log_likelihood is None and table.p is None


def test_units_that_are_far_apart() -> None:
    import statsmodels.api as sm

    generator = np.random.default_rng(6)
    x = generator.normal(size=(250, 3)) * [1e-9, 1.0, 1e9] + [1e-9, 400.0, -3e9]
    z = (x - [1e-9, 400.0, -3e9]) / [1e-9, 1.0, 1e9] @ [1.0, -0.5, 0.8]
    y = (generator.random(250) < 1 / (1 + np.exp(-z))).astype(float)
    own, how = divided(x, y, [1, 2], **HOW)
    found, _ = run(own, how)
    rows = joined(own)
    scaled = rows.x_train / [1e-9, 1.0, 1e9]
    model = sm.Logit(rows.y_train, np.c_[scaled, np.ones(len(scaled))]).fit(disp=0)
    assert found.inference is not None
    for row, se, unit in zip(found.inference.table, model.bse, [1e-9, 1.0, 1e9, 1.0], strict=True):
        assert row.se * unit == pytest.approx(se, rel=1e-3)
