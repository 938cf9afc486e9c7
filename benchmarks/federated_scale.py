"""A round of federated learning among ever more clients in one process, beside what the plan says of it.

    python -m benchmarks.federated_scale [--clients 10 100 1000 10000] [--planned 100000 1000000]

All clients are in every round, and nobody drops out. Seconds are of the processor: the server's of a round, and those
of a client in the middle. The plan's are of the plan's machine: they are multiplied by how much slower this machine is
before and after (aggregation_plan.py). In a study of few rounds the last one, which evaluates, counts as much as the
others.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.aggregation_plan import slowness
from benchmarks.results import FOLDER, ROOT, Line
from benchmarks.running import PeerFailure
from benchmarks.watching import watch
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.federated.show.plan import federated_plan
from parties.tasks.registry import load_any
from protocols.aggregation.cost import server_seconds

TABLE = "federated scale"
SIZES = (10, 100, 1000, 10_000)
PLANNED = (100_000, 1_000_000)
_FEATURES, _ROWS = 20, 10
_LONGEST = 1200.0


def measured(clients: int) -> Line:
    """Some rounds among so many clients, beside the plan."""
    folder = FOLDER / "federated-scale"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _write_rows(folder / "rows.csv", clients)
    path = _write_scenario(folder, clients)
    before, out, rounds = slowness(), folder / "out", _rounds(clients) + 1
    words = [sys.executable, "-m", "parties.cli", "run", str(path), "--out", str(out), "--no-compare"]
    done = watch(words, folder / "run", {**os.environ, "PYTHONPATH": str(ROOT)}, _LONGEST)
    record = json.loads((out / "result.json").read_text(encoding="utf-8"))
    study = record["federated"]
    if [one["clients"] for one in study["rounds"]] != rounds * [clients]:
        raise PeerFailure("not all clients were in all rounds")
    values = planned(path, (before + slowness()) / 2) | {
        "client": study["client_seconds"]["median"],
        "server": record["parties"]["server"]["computation"] / rounds,
        "up": sum(one["bytes"]["received"] for one in study["rounds"]) / rounds / clients,
        "down": sum(one["bytes"]["sent"] for one in study["rounds"]) / rounds / clients,
        "all_in": done.seconds,
        "memory": done.memory,
    }
    return Line(TABLE, f"{clients:,} clients", values)


def only_planned(clients: int) -> Line:
    """What the plan says of so many clients, on a machine as fast as this one."""
    folder = FOLDER / "federated-scale"
    folder.mkdir(parents=True, exist_ok=True)
    return Line(TABLE, f"{clients:,} clients", planned(_write_scenario(folder, clients), slowness()))


def planned(path: Path, slow: float) -> dict[str, Any]:
    """The plan's figures for one round of training."""
    scenario = load_any(path)
    assert isinstance(scenario, FederatedScenario)
    facts = federated_plan(scenario)
    rounds = {phase: one["times"] for phase, one in facts["rounds"].items()}

    def middle(of: Mapping[str, float]) -> float:
        return float(np.average([of[phase] for phase in rounds], weights=[*rounds.values()]))

    def each(key: str) -> dict[str, float]:
        return {phase: one[key] for phase, one in facts["rounds"].items()}

    settings = {phase: scenario.round_without_model(phase, 1).settings for phase in scenario.phases}
    return {
        "neighbours": facts["neighbours"],
        "planned_client": slow * middle(each("client_seconds")),
        "planned_server": slow * middle({key: server_seconds(s, 0) for key, s in settings.items()}),
        "planned_up": middle(each("client_sends")),
        "planned_down": middle(each("client_receives")),
    }


def _rounds(clients: int) -> int:
    """Of training."""
    return 3 if clients <= 1000 else 1


def _write_rows(path: Path, clients: int) -> None:
    """Made-up rows of a logistic regression."""
    rng = np.random.default_rng(23)
    x = rng.uniform(-1, 1, size=(clients * _ROWS, _FEATURES)).round(4)
    y = rng.uniform(size=len(x)) < 1 / (1 + np.exp(-x @ rng.normal(size=_FEATURES)))
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["client", *(f"x{j}" for j in range(_FEATURES)), "class"])
        width = len(str(clients))
        out.writerows([f"client_{row // _ROWS + 1:0{width}}", *x[row].tolist(), int(y[row])] for row in range(len(x)))


def _write_scenario(folder: Path, clients: int) -> Path:
    features = json.dumps([f"x{j}" for j in range(_FEATURES)])
    lines = ["schema = 1", f'name = "bench-federated-{clients}"', "seed = 7", "[parties.server]", 'role = "server"']
    lines += ["[clients]", f"count = {clients}", "processes = 0", 'data = "rows.csv"', 'by = "client"']
    lines += ["[task]", 'kind = "federated"', 'target = "class"', f"features = {features}"]
    lines += [f"rounds = {_rounds(clients)}", f"most_rows = {_ROWS}", "clip = 8.0"]
    lines += ["[session]", "connect_timeout = 600.0", "deadline = 600.0"]
    path = folder / f"{clients}.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def said(line: Line) -> str:
    """A line for the screen."""
    one = line.values
    text = (
        f"{line.who}, {one['neighbours']} neighbours; planned: a client {1e3 * one['planned_client']:.2f} ms, "
        f"the server {one['planned_server']:.3f} s, a client sends {one['planned_up']:,.0f} bytes, "
        f"receives {one['planned_down']:,.0f}"
    )
    if "client" in one:
        text += (
            f"; measured: {1e3 * one['client']:.2f} ms, {one['server']:.3f} s, {one['up']:,.0f} bytes, "
            f"{one['down']:,.0f}; {one['memory'] / 1e6:.0f} MB, all in {one['all_in']:.1f} s"
        )
    return text


def main() -> None:
    """The command."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.federated_scale", description=__doc__, formatter_class=raw
    )
    parser.add_argument("--clients", type=int, nargs="*", default=SIZES)
    parser.add_argument("--planned", type=int, nargs="*", default=PLANNED)
    given = parser.parse_args()
    for clients in given.clients:
        print(said(measured(clients)), flush=True)
    for clients in given.planned:
        print(said(only_planned(clients)), flush=True)


if __name__ == "__main__":
    main()
