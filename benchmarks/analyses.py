"""Our other kinds of jobs, by the command `mpc run`: what was measured of each beside what its plan said.

No peer has these, so that each is held against its own plan, on localhost and over the emulated WAN.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.jobs import ROOT
from benchmarks.peer_runs import LATENCY
from benchmarks.results import BesidePlan, median_and_spread
from parties.plan_scenario import planned
from parties.scenario import load_scenario

SCENARIOS = ROOT / "scenarios"
_SLOWEST = 240.0
_FEATURES = ["mean_radius", "mean_texture", "mean_smoothness", "mean_concavity", "mean_symmetry"]
_SPLIT = {"imaging": _FEATURES[:2], "laboratory": ["worst_smoothness"], "pathology": ["radius_error", "texture_error"]}

Fields = dict[str, Any]


class NotThere(Exception):
    """There is no such job to run, and why."""


@dataclass(frozen=True)
class Analysis:
    """A job of another kind.

    Args:
        key: its short name.
        title: its name in the report.
        make: the folder that holds each job's folder -> its scenario as the fields of a TOML file, with data as they
            are named in `scenarios/`; `NotThere` if there is none.
    """

    key: str
    title: str
    make: Callable[[Path], Fields] = field(repr=False)


def demo(name: str) -> Fields:
    """A scenario of the demo's."""
    path = SCENARIOS / f"{name}.toml"
    if not path.exists():
        raise NotThere(f"there is no scenarios/{path.name}")
    return tomllib.loads(path.read_text(encoding="utf-8"))


def inference(how: str) -> Fields:
    """Two hospitals' coefficients with their standard errors."""
    fields = demo("two_hospitals")
    fields["task"] = {
        "kind": "logistic_regression", "target": "malignant", "id": "patient", "features": _FEATURES,
        "test_fraction": 0.0, "reveal": ["inference", "metrics"], "inference": how,
    }  # fmt: skip
    return fields


def split_inference() -> Fields:
    """The same of columns that three departments have."""
    fields = demo("vertical")
    for owner, features in _SPLIT.items():
        fields["parties"][owner]["features"] = features
    fields["task"] = {
        "kind": "logistic_regression", "partition": "vertical", "target": "malignant", "id": "patient",
        "test_fraction": 0.0, "reveal": ["inference", "metrics"],
    }  # fmt: skip
    return fields


def linear_in_the_open() -> Fields:
    """Three hospitals' linear regression by their open sums of products."""
    fields = demo("hips_linear")
    fields["task"]["inference"] = "open-gram"
    return fields


def scored(name: str, training: str, folder: Path) -> Fields:
    """New patients scored by the model that the job before has left shares of."""
    fields, record = demo(name), folder / training / "record"
    if not list(record.glob("*.share")):
        raise NotThere("no model that nobody sees was trained before")
    for party in fields["parties"].values():
        if party["role"] == "owner":
            party["model"] = str(record.resolve())
    fields["task"]["max_rows"] = _MOST_ROWS
    return fields


_SHARED, _SPLIT_SHARED = "shared-model", "split-model"
_MOST_ROWS = 1000
"""How many rows all runs together may score: more than anyone should allow of 30 features."""

ANALYSES = (
    Analysis("inference", "inference, shared: 569 x 5, two owners", lambda _: inference("shared")),
    Analysis("open-fisher", "inference, open Fisher matrix: 569 x 5, two owners", lambda _: inference("open-fisher")),
    Analysis("split", "inference, shared: 569 x 5, columns of three owners", lambda _: split_inference()),
    Analysis("statistics", "statistics: 910 x 9, three owners", lambda _: demo("registry_statistics")),
    Analysis("linear", "linear regression, shared: 910 x 6, three owners", lambda _: demo("hips_linear")),
    Analysis("open-gram", "linear regression, open X'X: 910 x 6, three owners", lambda _: linear_in_the_open()),
    Analysis(_SHARED, "a model that nobody sees: 569 x 30, two owners", lambda _: demo("shared_model")),
    Analysis("predict", "ten new rows scored by that model", partial(scored, "predict", _SHARED)),
    Analysis(_SPLIT_SHARED, "the same, columns of three owners", lambda _: demo("split_model")),
    Analysis("split-predict", "ten new rows scored by that model", partial(scored, "split_predict", _SPLIT_SHARED)),
)


def scenario_file(analysis: Analysis, folder: Path, *, wan: bool) -> Path:
    """The scenario of an analysis, for this network, in a folder of its own.

    Raises:
        NotThere: there is none.
    """
    fields = analysis.make(folder)
    fields.pop("network", None)
    if wan:
        fields["network"] = {"latency_ms": LATENCY * 1e3}
    fields["parties"] = _with_whole_paths(fields["parties"])
    own = folder / analysis.key
    own.mkdir(parents=True, exist_ok=True)
    path = own / f"{'wan' if wan else 'localhost'}.toml"
    path.write_text("".join(f"{key} = {_inline(value)}\n" for key, value in fields.items()), encoding="utf-8")
    return path


def measure(analysis: Analysis, folder: Path, *, runs: int, wan: bool) -> BesidePlan:
    """Runs of the command, and the plan; never measured beside each other.

    Raises:
        NotThere: there is no such job.
        BeaverlodgeError, RuntimeError: it cannot be planned or run.
    """
    path = scenario_file(analysis, folder, wan=wan)
    scenario = load_scenario(path)
    _, plan = planned(scenario)
    done = [_command(path, path.parent / "record") for _ in range(runs)]
    parties = done[-1][0]["parties"]
    owners, helper = [parties[name] for name in scenario.owners], parties[scenario.helper]
    times = [max(run["parties"][name]["seconds"]["online"] for name in scenario.owners) for run, _ in done]
    seconds, spread = median_and_spread(times)
    return BesidePlan(
        key=analysis.key,
        network="WAN" if wan else "localhost",
        runs=runs,
        seconds=seconds,
        spread=spread,
        command_seconds=median_and_spread([took for _, took in done])[0],
        planned_seconds=plan.handling + (plan.seconds(2 * LATENCY, float("inf")) if wan else 0.0),
        rounds=max(owner["rounds"] for owner in owners),
        planned_rounds=len(plan.rounds),
        owner_bytes=max(owner["bytes_sent"] for owner in owners),
        planned_owner_bytes=max(plan.bytes_sent[owner] for owner in scenario.owners),
        helper_bytes=helper["bytes_sent"],
        planned_helper_bytes=plan.bytes_sent[plan.helper],
    )


def _command(path: Path, folder: Path) -> tuple[Fields, float]:
    """One `mpc run`: its record, and how long it took."""
    shutil.rmtree(folder, ignore_errors=True)
    words = [sys.executable, "-m", "parties.cli", "run", str(path), "--out", str(folder), "--no-compare"]
    began = time.monotonic()
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=_SLOWEST)
    took = time.monotonic() - began
    if ran.returncode:
        said = [line for line in ran.stderr.splitlines() if line.startswith("error")] or ran.stderr.splitlines()[-1:]
        raise RuntimeError(f"exit code {ran.returncode}: {said[0] if said else 'it said nothing'}")
    return json.loads((folder / "result.json").read_text(encoding="utf-8")), took


def _with_whole_paths(parties: Mapping[str, Fields]) -> dict[str, Fields]:
    """The parties with their files found from any folder."""
    return {
        name: {
            key: str(SCENARIOS / value) if isinstance(value, str) and (SCENARIOS / value).is_file() else value
            for key, value in party.items()
        }
        for name, party in parties.items()
    }


def _inline(value: Any) -> str:
    """A value as TOML, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_inline(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value) if isinstance(value, str | bool) else repr(value)
