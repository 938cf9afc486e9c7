"""Federated averaging of a logistic regression in Flower's simulation: plain, or with SecAgg+. In Flower's environment.

    python flower_federated.py ORDER.json

The order names the folder of the clients' rows and says how to train (benchmarks/federated.py). The last line on the
screen is the report as JSON: the model's error on the held-out rows and the time after every round, and the bytes of
each client's messages, as the server's workflow hands them over and gets them back, before any transport.

Flower's simulation, its workflows and its client modifier run as they are.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# Nothing is reported to others; clients' processes have the server's priority.
os.environ |= {"FLWR_TELEMETRY_ENABLED": "0", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}

import numpy as np
from flwr.app import Context, Message
from flwr.client import NumPyClient
from flwr.client.mod import secaggplus_mod
from flwr.clientapp import ClientApp
from flwr.common import ndarrays_to_parameters
from flwr.common.serde import recorddict_to_proto
from flwr.server import ServerConfig
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.strategy import FedAvg
from flwr.server.workflow import DefaultWorkflow, SecAggPlusWorkflow
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation

logging.getLogger("flwr").setLevel(logging.ERROR)


def probabilities(w: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Of class 1 (n,); the last weight is the intercept."""
    return 1 / (1 + np.exp(-(x @ w[:-1] + w[-1])))


class Client(NumPyClient):
    """A client: full-batch gradient steps on its own rows."""

    def __init__(self, rows: Path, epochs: int, rate: float) -> None:
        with np.load(rows) as file:
            self.x, self.y = file["x"], file["y"]
        self.epochs, self.rate = epochs, rate

    def fit(self, parameters: list[np.ndarray], config: dict[str, Any]) -> tuple[list[np.ndarray], int, dict[str, Any]]:
        """Local training from the round's model."""
        w = parameters[0].astype(np.float64)
        ones = np.concatenate((self.x, np.ones((len(self.x), 1))), axis=1)
        for _ in range(self.epochs):
            w -= self.rate * ones.T @ (probabilities(w, self.x) - self.y) / len(self.y)
        return [w.astype(np.float32)], len(self.y), {}


class CountingGrid:
    """Flower's grid; counts the bytes of each client's messages, and the time that counting takes."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.up: dict[int, int] = {}
        self.down: dict[int, int] = {}
        self.counting = 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.grid, name)

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> Iterable[Message]:
        """The grid's, with the contents counted."""
        out = list(messages)
        self._count(self.down, [(one.metadata.dst_node_id, one) for one in out])
        answers = list(self.grid.send_and_receive(out, timeout=timeout))
        for one in answers:
            if one.has_error():
                raise RuntimeError(f"a client failed: {one.error}")
        self._count(self.up, [(one.metadata.src_node_id, one) for one in answers])
        return answers

    def _count(self, bytes_: dict[int, int], messages: list[tuple[int, Message]]) -> None:
        began = time.perf_counter()
        for node, message in messages:
            bytes_[node] = bytes_.get(node, 0) + recorddict_to_proto(message.content).ByteSize()
        self.counting += time.perf_counter() - began


class Study:
    """The server's side: what it found after every round."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.order = order
        with np.load(Path(order["folder"]) / "held_out.npz") as file:
            self.x, self.y = file["x"], file["y"]
        self.marks: list[float] = []
        self.loss: list[float] = []
        self.correct: list[int] = []
        self.weights: list[Any] = []
        self.up = self.down = self.counting = 0.0

    def evaluate(
        self, number: int, parameters: list[np.ndarray], config: dict[str, Any]
    ) -> tuple[float, dict[str, Any]]:
        """The figures of a round's model on the held-out rows; here alone, which costs Flower no message."""
        p = probabilities(parameters[0].astype(np.float64), self.x)
        self.loss.append(float(-np.mean(np.log(np.abs(1 - self.y - p)))))  # of the true class's probability
        self.correct.append(int(np.sum((p >= 0.5) == (self.y == 1))))
        self.weights = parameters[0].tolist()
        self.marks.append(time.perf_counter())
        return self.loss[-1], {}

    def serve(self, grid: Grid, context: Context) -> None:
        """Flower's default workflow, with SecAgg+ in the place of plain fitting where the order says so."""
        n, start = self.order["clients"], np.array(self.order["start"], dtype=np.float32)
        strategy = FedAvg(
            fraction_fit=1.0,
            fraction_evaluate=0.0,
            min_fit_clients=n,
            min_available_clients=n,
            initial_parameters=ndarrays_to_parameters([start]),
            evaluate_fn=self.evaluate,
        )
        legacy = LegacyContext(context, config=ServerConfig(num_rounds=self.order["rounds"]), strategy=strategy)
        counted = CountingGrid(grid)
        DefaultWorkflow(fit_workflow=self._fitting())(counted, legacy)  # type: ignore[arg-type]
        self.up, self.down = float(np.mean([*counted.up.values()])), float(np.mean([*counted.down.values()]))
        self.counting = counted.counting

    def _fitting(self) -> Any:
        if not self.order["shares"]:
            return None
        return SecAggPlusWorkflow(
            self.order["shares"], self.order["threshold"], max_weight=float(self.order["most_rows"])
        )


def main() -> None:
    """Train, and report."""
    order = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder, epochs, rate = Path(order["folder"]), order["epochs"], order["rate"]

    def client(context: Context) -> Any:
        return Client(folder / f"{context.node_config['partition-id']}.npz", epochs, rate).to_client()

    study = Study(order)
    server = ServerApp()
    server.main()(study.serve)
    mods = [secaggplus_mod] if order["shares"] else []
    resources = {"num_cpus": 1, "num_gpus": 0.0}  # of a client: as many work at once as there are cores
    run_simulation(
        server, ClientApp(client, mods=mods), order["clients"], backend_config={"client_resources": resources}
    )
    rounds = order["rounds"]
    if len(study.marks) != rounds + 1:
        raise SystemExit(f"{len(study.marks) - 1} of {rounds} rounds")
    report = {
        "seconds": np.diff(study.marks).tolist(),
        "counting": study.counting,
        "up": study.up / rounds,
        "down": study.down / rounds,
        "loss": study.loss,
        "correct": study.correct,
        "held_out": len(study.y),
        "weights": study.weights,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
