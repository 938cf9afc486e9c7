"""Simulated clients: rows dealt to them, every row to one and the same in every process; what a sweep compares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc.errors import UsageError
from parties.tasks.federated.reveals import split_record
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.federated.show.plan import federated_plan, plan_blocks
from parties.tasks.federated.show.summary import SHOW
from parties.tasks.registry import load_any
from parties.tasks.star.rows import ClientRows

TEXT = """
schema = 1
name = "dealt"
seed = 7

[parties.server]
role = "server"

[clients]
count = 20
processes = 2
data = "all.csv"
split = "labels"
alpha = 0.1

[task]
kind = "federated"
target = "y"
features = ["x"]
"""

ROWS = 400


def loaded(folder: Path, *changes: tuple[str, str]) -> FederatedScenario:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "dealt.toml"
    path.write_text(text)
    lines = (f"{row},{int(row % 3 == 0)}" for row in range(ROWS))  # x names the row
    (folder / "all.csv").write_text("\n".join(["x,y", *lines]) + "\n")
    scenario = load_any(path)
    assert isinstance(scenario, FederatedScenario)
    return scenario


def dealt(scenario: FederatedScenario) -> list[np.ndarray]:
    """Each client's cells, every one read as by a process of its own."""
    return [ClientRows(scenario, scenario.read_columns).of(name, 1) for name in scenario.hosted_clients]


@pytest.mark.parametrize("rule", ["labels", "quantity"])
def test_every_row_is_at_one_client_in_any_process(tmp_path: Path, rule: str) -> None:
    scenario = loaded(tmp_path, ('"labels"', f'"{rule}"'))
    once, apart = ClientRows(scenario, scenario.read_columns), dealt(scenario)
    assert all(np.array_equal(once.of(name, 1), one) for name, one in zip(scenario.hosted_clients, apart, strict=True))
    assert sorted(np.concatenate(apart)[:, 0]) == list(range(ROWS))
    sizes = [len(one) for one in apart]
    assert (max(sizes) - min(sizes) <= 1) == (rule == "labels")


def test_labels_are_spread_as_unevenly_as_alpha_says(tmp_path: Path) -> None:
    """At 0.1 most clients have nearly one class; at 1000 clients differ by chance alone."""

    def spread(alpha: str) -> float:
        return float(np.std([one[:, 1].mean() for one in dealt(loaded(tmp_path, ("0.1", alpha)))]))

    assert spread("0.1") > 0.3 > 0.2 > spread("1000")


def test_another_seed_rule_or_alpha_deals_otherwise(tmp_path: Path) -> None:
    def first(*changes: tuple[str, str]) -> list[float]:
        return list(dealt(loaded(tmp_path, *changes))[0][:, 0])

    found = [first(), first(("seed = 7", "seed = 8")), first(("0.1", "0.2")), first(("count = 20", "count = 21"))]
    assert all(one != other for k, one in enumerate(found) for other in found[:k])
    assert first() == found[0]


def test_the_rule_is_in_the_plan_and_the_record(tmp_path: Path) -> None:
    scenario = loaded(tmp_path)
    assert split_record(scenario) == {"by": "labels", "column": "y", "alpha": 0.1, "clients": 20}
    assert federated_plan(scenario)["split"] == split_record(scenario)
    assert "20 clients by labels in 'y', Dirichlet(0.1), by the public seed 7" in str(plan_blocks(scenario))
    assert split_record(loaded(tmp_path, ('split = "labels"\nalpha = 0.1', 'by = "x"'))) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("alpha = 0.1", ""), "split and alpha go together"),
        (("alpha = 0.1", "alpha = 0"), "alpha must be a number above 0"),
        (("alpha = 0.1", 'alpha = 0.1\nby = "x"'), "or in several, whose a row is"),
        (('"all.csv"', '"{client}.csv"'), "or in several, whose a row is"),
        (('"labels"', '"rows"'), 'split must be "labels" or "quantity"'),
        (('["x"]', '["x"]\nmodel = "linear"\ntarget_range = [0, 1]'), "needs a target of classes"),
    ],
)
def test_a_split_that_says_nothing_is_refused(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        loaded(tmp_path, change)


def test_fewer_rows_than_clients_are_not_dealt(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="400 rows are too few for 401 clients"):
        dealt(loaded(tmp_path, ("count = 20", "count = 401")))


def test_a_runs_figures_are_the_last_models() -> None:
    personal = {"gain_in": "accuracy", "accuracy": {"global": 0.7, "alone": 0.5, "ditto": 0.8}, "loss": {"alone": 9.0}}
    rounds = [{"phase": "train", "loss": 2.0}, {"loss": 1.0, "accuracy": 0.7, "auc": {"1": {"auc": 0.9}}}]
    found = SHOW.figures({"federated": {"rounds": [rounds[0], rounds[1] | {"personal": personal}]}})
    assert {name: value for name, value in found.items() if value is not None} == {
        "loss": 1.0,
        "accuracy": 0.7,
        "AUC": 0.9,
        "accuracy alone": 0.5,
        "accuracy ditto": 0.8,
    }
