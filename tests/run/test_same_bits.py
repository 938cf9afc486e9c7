"""Under a test seed a model is the same, bit for bit: in lockstep, in processes, and on unlike processors."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mpc.randomness.streams import insecure_entropy
from mpc.runtime.lockstep import run_lockstep
from parties.cli.run_locally import orders
from parties.data.table import load_owner_table
from parties.processes.launcher import launch
from parties.report.record import start_record
from parties.scenario.file import Scenario
from parties.tasks.logistic.settings.shape import settings_for
from parties.tasks.registry import load_scenario, plan_for
from parties.tasks.rows.regression import own_rows, row_counts
from protocols.rows.results import Trained
from protocols.training.rows_job import training_job
from tests.examples import sample
from tests.helpers import cpu_features
from tests.parties.tasks.logistic.private.scenarios import scenario as noisy
from tests.run.scenarios import write_scenario

SEED = "[testing]\ninsecure_seed = 11\n"


def in_lockstep(scenario: Scenario) -> Trained:
    tables = {owner: load_owner_table(scenario, owner) for owner in scenario.owners}
    counts = {owner: row_counts(scenario, table.rows) for owner, table in tables.items()}
    features = tables[scenario.owners[0]].columns
    settings = settings_for(scenario, counts, len(features))

    def factory(owner: str) -> Any:
        own = own_rows(tables[owner], scenario, features)
        return lambda p: training_job(p, own, settings)

    outcome = run_lockstep(
        {owner: factory(owner) for owner in scenario.owners},
        plan_for(scenario, counts, len(features)),
        entropy={name: insecure_entropy(11, name) for name in scenario.parties},
    )
    result: Trained = outcome.results[scenario.owners[0]]
    return result


def in_processes(scenario: Scenario, out: Path, environments: dict[str, dict[str, str]] | None = None) -> Any:
    out.mkdir()
    start_record(out, scenario.name, scenario.digest)
    return launch(
        scenario.path,
        scenario.parties,
        partial(orders, scenario),
        out=out,
        on_event=lambda name, event: None,
        environments=environments,
    )


@pytest.mark.parametrize("owners", sample([2, 3], 3))
def test_lockstep_and_processes(tmp_path: Path, owners: int) -> None:
    scenario = load_scenario(write_scenario(tmp_path, owners, extra=SEED))
    expected = in_lockstep(scenario)
    results = in_processes(scenario, tmp_path / "record")
    for owner in scenario.owners:
        model = results[owner]["model"]
        assert model["standardised_weights"] == list(expected.standardised[:-1])
        assert model["standardised_intercept"] == expected.standardised[-1]
        assert model["weights"] == list(expected.weights)
        assert results[owner]["metrics"] == expected.metrics
        assert results[owner]["testing"] == {"insecure_seed": 11}


def _switched_off() -> str:
    """The processor features that this numpy can do without, all of them."""
    return " ".join(cpu_features())


def test_owners_with_unlike_processors(tmp_path: Path) -> None:
    features = _switched_off()
    if not features:
        pytest.skip("this processor has no feature that numpy could be told to do without")
    scenario = load_scenario(write_scenario(tmp_path, 2, extra=SEED))
    expected = in_lockstep(scenario)
    old = {"NPY_DISABLE_CPU_FEATURES": features, "OPENBLAS_CORETYPE": "Prescott"}
    results = in_processes(scenario, tmp_path / "record", {"hospital_b": old})
    for owner in scenario.owners:
        assert results[owner]["model"]["standardised_weights"] == list(expected.standardised[:-1])


def test_noisy_models_of_unlike_processors(tmp_path: Path) -> None:
    """What follows from noisy sums each owner computes by itself, and must come to the same."""
    features = _switched_off()
    if not features:
        pytest.skip("this processor has no feature that numpy could be told to do without")
    scenario = noisy(tmp_path, SEED, 100)
    old = {"NPY_DISABLE_CPU_FEATURES": features, "OPENBLAS_CORETYPE": "Prescott"}
    results = in_processes(scenario, tmp_path / "record", {"b": old})
    for key in ("model", "metrics", "training"):
        assert results["a"][key] is not None
        assert results["a"][key] == results["b"][key]
