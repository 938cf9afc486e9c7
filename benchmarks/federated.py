"""Federated averaging beside Flower's: the same rows at the same clients, the same start, local steps and rounds.

Ours is `mpc run`, with its server and clients in processes of their own over encrypted links; Flower's is its
simulation. All processes of both are watched from outside. Bytes are those of the messages that the server hands to
its transport and gets from it: of ours with frames' headers, of Flower's without.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.jobs import demo_rows
from benchmarks.results import FOLDER, ROOT, Line
from benchmarks.running import PROGRAMS, PeerFailure
from benchmarks.watching import Watched, watch
from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from parties.tasks.federated.clients.data import OwnRows, own_rows, rows_of
from parties.tasks.federated.settings import FederatedScenario
from parties.tasks.registry import load_any
from protocols.federated.local import train
from protocols.federated.models import Rows

SHOWN = (1, 5, 20)
"""The rounds after which the report shows the accuracy."""
SECURE = ("Flower, SecAgg+,", "beaverlodge, secure,")
"""How the names of the lines begin that are compared: theirs, and ours over links."""
_LONGEST = 1800.0
_HELD_OUT = 0.2


@dataclass(frozen=True)
class Study:
    """A logistic regression of the demo's rows, dealt to so many clients.

    Args:
        epochs: full-batch steps of a client in a round.
    """

    clients: int
    rounds: int = 20
    epochs: int = 5
    rate: float = 0.05

    @property
    def table(self) -> str:
        """Its table's key."""
        return f"federated {self.clients}"

    @property
    def title(self) -> str:
        """What the report calls it."""
        return f"Breast cancer, 569 x 30, dealt to {self.clients} clients: {self.rounds} rounds of {self.epochs} steps"


STUDIES = (Study(20), Study(100, rounds=5))


@dataclass(frozen=True)
class Prepared:
    """A study's files, and what plain float64 makes of its rows.

    Args:
        scenario: ours; the others differ in `[task] aggregation` and `[clients] processes`.
        weights: after the last round (features + 1,), the intercept last.
    """

    study: Study
    folder: Path
    scenario: FederatedScenario
    most_rows: int
    weights: Array = field(repr=False)


def cases(python: Path, runs: int, studies: Sequence[Study]) -> Iterator[tuple[Study, str, Callable[[], Line]]]:
    """Of each line, the study, who, and what measures it. Flower runs once."""
    for study in studies:
        ready = prepare(study)
        k = ready.scenario.bounds(study.clients).neighbours
        yield study, "Flower, plain", partial(theirs, ready, python, secure=False)
        yield study, f"{SECURE[0]} {k} neighbours", partial(theirs, ready, python, secure=True)
        yield study, "beaverlodge, plain", partial(ours, ready, runs, "plain", 2)
        yield study, f"{SECURE[1]} {k} neighbours", partial(ours, ready, runs, "secure", 2)
        yield study, "beaverlodge, the same in one process", partial(ours, ready, runs, "secure", 0)


def prepare(study: Study) -> Prepared:
    """Deal the rows, write everybody's files, and train in plain float64."""
    folder = FOLDER / "federated" / study.table.replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "flower").mkdir(parents=True)
    x, y, _ = demo_rows()
    x = (x - x.mean(axis=0)) / x.std(axis=0)  # beforehand, for everybody
    dealt = np.array_split(np.random.default_rng(2026).permutation(len(y)), study.clients)
    most = max(map(len, dealt))
    _write_rows(folder / "rows.csv", x, y, dealt)
    scenario = load_any(_write_scenario(study, folder, x.shape[1], most, "secure", 2))
    assert isinstance(scenario, FederatedScenario)
    source = rows_of(scenario)
    own = [own_rows(scenario, name, source.of(name, 1)) for name in scenario.client_names]
    _write_for_flower(folder / "flower", own)
    return Prepared(study, folder, scenario, max(one.train.y.size for one in own), reference(scenario, own))


def reference(scenario: FederatedScenario, own: list[OwnRows]) -> Array:
    """The study in plain float64, without messages, coding or clipping: the last model."""
    model, how = scenario.model, scenario.local
    w = model.start(Stream(bytes(32)))  # 0 for a regression
    sizes = np.array([one.train.y.size for one in own])
    for _ in range(scenario.task.rounds):
        found = [train(model, w, one.train, how, Stream(bytes(32))) for one in own]
        w = np.average(found, axis=0, weights=sizes)
    return w


def theirs(ready: Prepared, python: Path, *, secure: bool) -> Line:
    """Flower's study, once."""
    study, bounds = ready.study, ready.scenario.bounds(ready.study.clients)
    shares = min(study.clients, bounds.neighbours + 1 + bounds.neighbours % 2)  # its own one too, and an odd number
    order = {
        "folder": str(ready.folder / "flower"),
        "clients": study.clients,
        "rounds": study.rounds,
        "epochs": study.epochs,
        "rate": study.rate,
        "start": np.zeros_like(ready.weights).tolist(),
        "shares": shares if secure else 0,
        "threshold": bounds.threshold,
        "most_rows": ready.most_rows,
    }
    place = ready.folder / "order.json"
    place.write_text(json.dumps(order), encoding="utf-8")
    program = PROGRAMS / "flower_federated.py"
    done = watch([str(python), str(program), str(place)], ready.folder / "run", os.environ, _LONGEST)
    said = json.loads(done.out.strip().splitlines()[-1])
    accuracy = [correct / said["held_out"] for correct in said["correct"]]
    off = float(np.max(np.abs(np.array(said["weights"]) - ready.weights)))
    # The first round waits for the simulation to start.
    return _line(ready, [done], [statistics.median(said["seconds"][1:])], said["up"], said["down"], accuracy, off)


def ours(ready: Prepared, runs: int, aggregation: str, processes: int) -> Line:
    """Our study, several times."""
    study = ready.study
    p = len(ready.scenario.task.features)
    path = _write_scenario(study, ready.folder, p, ready.scenario.task.most_rows, aggregation, processes)
    done, rounds, record = [], [], {}
    for _ in range(runs):
        out = ready.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        words = [sys.executable, "-m", "parties.cli", "run", str(path), "--out", str(out), "--no-compare"]
        done.append(watch(words, ready.folder / "run", {**os.environ, "PYTHONPATH": str(ROOT)}, _LONGEST))
        record = json.loads((out / "result.json").read_text(encoding="utf-8"))["federated"]
        trained = [one for one in record["rounds"] if one["phase"] == "train"]
        rounds.append(statistics.median(one["seconds"] for one in trained[1:]))
    trained = [one for one in record["rounds"] if one["phase"] == "train"]
    if len(trained) != study.rounds or any(one["clients"] != study.clients for one in trained):
        raise PeerFailure("not all clients were in all rounds")
    accuracy = [one["accuracy"] for one in record["rounds"]]
    off = float(np.max(np.abs(np.array(record["weights"]) - ready.weights)))
    up, down = (statistics.mean(one["bytes"][way] for one in trained) / study.clients for way in ("received", "sent"))
    return _line(ready, done, rounds, up, down, accuracy, off)


def _line(
    ready: Prepared,
    done: list[Watched],
    rounds: list[float],
    up: float,
    down: float,
    accuracy: list[float],
    off: float,
) -> Line:
    """One line; the accuracy is of the model before the first round, and after each: all of it is in the notes."""
    values: dict[str, Any] = {
        "all_in": [one.seconds for one in done],
        "round": rounds,
        "processor": [one.processor for one in done],
        "up": up,
        "down": down,
        "memory": max(one.memory for one in done),
        "error": off,
        **{f"accuracy {t}": accuracy[t] for t in SHOWN if t < len(accuracy)},
    }
    return Line(ready.study.table, "", values, notes=json.dumps([round(one, 4) for one in accuracy]))


def _write_rows(path: Path, x: Array, y: Array, dealt: list[Array]) -> None:
    """All rows with the client's name in front, as `[clients] by` reads them."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["client", *_names(x.shape[1]), "class"])
        width = len(str(len(dealt)))
        for i, own in enumerate(dealt, start=1):
            out.writerows([f"client_{i:0{width}}", *x[row].tolist(), int(y[row])] for row in own)


def _names(p: int) -> list[str]:
    return [f"x{j}" for j in range(p)]


def _write_scenario(study: Study, folder: Path, p: int, most: int, aggregation: str, processes: int) -> Path:
    """Our scenario. The bound of clipping is one that no update here reaches, as Flower clips none."""
    lines = ["schema = 1", f'name = "bench-{study.table.replace(" ", "-")}"', "seed = 7"]
    lines += ["[parties.server]", 'role = "server"', "[clients]", f"count = {study.clients}"]
    lines += [f"processes = {processes}", 'data = "rows.csv"', 'by = "client"', "[task]", 'kind = "federated"']
    lines += ['target = "class"', f"features = {json.dumps(_names(p))}"]
    lines += [f"rounds = {study.rounds}", f"epochs = {study.epochs}", "batch_size = 0"]
    lines += [f"learning_rate = {study.rate}", f"validation_fraction = {_HELD_OUT}", f"most_rows = {most}"]
    lines += [f'aggregation = "{aggregation}"', "clip = 8.0", "precision = 1e-5"]
    lines += ["[session]", "connect_timeout = 120.0", "deadline = 120.0"]
    path = folder / f"{aggregation}-{processes}.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _write_for_flower(folder: Path, own: list[OwnRows]) -> None:
    """Each client's training rows, and all held-out rows together."""
    for i, one in enumerate(own):
        np.savez(folder / f"{i}.npz", x=one.train.x, y=one.train.y.astype(np.int64))
    held: list[Rows] = [one.held for one in own]
    x, y = np.concatenate([one.x for one in held]), np.concatenate([one.y for one in held])
    np.savez(folder / "held_out.npz", x=x, y=y.astype(np.int64))
