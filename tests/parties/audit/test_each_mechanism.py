"""Every mechanism's claim, audited 20 times: the bound lies below it each time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from parties.audit.attack import Audited, Effort
from parties.audit.epsilon import EPSILON
from parties.audit.target import audit_of
from parties.scenario.file import read_toml
from parties.sweep.settings import apply_settings
from parties.tasks.registry import load_tables
from tests.run.command import ROOT

PLAIN: dict[str, Any] = {}
MECHANISMS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "statistics": ("registry_private", PLAIN),
    "linear": ("hips_private", PLAIN),
    "gradients": ("two_hospitals_private", {"task.iterations": 10}),
    "output": ("two_hospitals_private", {"privacy.method": "output", "task.reveal": ["model"]}),
    "objective": ("two_hospitals_private", {"privacy.method": "objective", "task.reveal": ["model"]}),
    "split columns": ("vertical_private", {"task.iterations": 1}),
    "federated": ("federated", {"privacy.epsilon": 8.0}),
}


def audited(name: str, seed: int, draws: int) -> Audited:
    file, settings = MECHANISMS[name]
    path = ROOT / "scenarios" / f"{file}.toml"
    raw = dict(apply_settings(read_toml(path), settings))
    if name in ("output", "objective"):
        raw["task"] = {key: value for key, value in raw["task"].items() if key != "test_fraction"}
    scenario = load_tables(Path(path), raw)
    return Audited(scenario, audit_of(scenario), effort=Effort(draws=draws), seed=seed)


@pytest.mark.parametrize("name", [name for name in MECHANISMS if name != "statistics"])  # which take longest
def test_a_mechanism_keeps_its_claim(name: str) -> None:
    for found in EPSILON.run(audited(name, 1, 100)):
        assert not found.contradicts and found.claim is not None


@pytest.mark.sweep
@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("name", MECHANISMS)
def test_the_bound_is_below_each_claim(name: str, seed: int) -> None:
    for found in EPSILON.run(audited(name, seed, 10_000)):
        assert not found.contradicts, found
        assert found.claim is not None and found.figures[0].value <= found.claim
