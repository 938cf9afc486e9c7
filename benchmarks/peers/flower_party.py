"""One round of Flower's SecAgg+ in one process, in Flower's own environment: prints what it took as JSON.

    python flower_party.py CLIENTS VALUES SHARES THRESHOLD DROPPED

Flower's workflow and its client modifier run as they are; in place of the network stands a loop that hands each
message to its client. The dropped clients vanish after they gave shares: where they vanish earlier, Flower ends in a
KeyError.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

import numpy as np
from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.common import (
    Code,
    FitIns,
    FitRes,
    Status,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)
from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS, Key, Stage
from flwr.common.serde import recorddict_from_proto, recorddict_to_proto
from flwr.compat.common import recorddict_compat as compat
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD
from flwr.server.workflow.constant import Key as WorkflowKey
from flwr.supercore.task_identity import TaskIdentity

logging.getLogger("flwr").setLevel(logging.ERROR)


class Proxy:
    """A client as the strategy sees it."""

    def __init__(self, node_id: int) -> None:
        self.node_id = self.cid = node_id


class Strategy:
    """Asks every client for its vector, and keeps the result."""

    def __init__(self, clients: int, values: int) -> None:
        self.clients, self.values = clients, values
        self.result: Any = None

    def configure_fit(self, number: int, parameters: Any, manager: Any) -> list[Any]:
        return [(Proxy(i), FitIns(parameters, {})) for i in range(1, self.clients + 1)]

    def aggregate_fit(self, number: int, results: list[Any], failures: list[Any]) -> tuple[Any, dict[str, Any]]:
        self.result = parameters_to_ndarrays(results[0][1].parameters)[0]
        return None, {}


class Manager:
    """How many clients there are."""

    def __init__(self, clients: int) -> None:
        self.clients = clients

    def num_available(self) -> int:
        return self.clients


class Loop:
    """The network: hands each message to its client, and counts bytes."""

    def __init__(self, vectors: dict[int, np.ndarray], dropped: set[int]) -> None:
        self.vectors, self.dropped = vectors, dropped
        self.contexts = {i: Context(1, i, {}, RecordDict(), {}) for i in vectors}
        self.up = dict.fromkeys(vectors, 0)
        self.down = dict.fromkeys(vectors, 0)
        self.counting = 0.0

    def send_and_receive(self, messages: list[Message], *, timeout: float | None = None) -> list[Message]:
        answers = []
        for message in messages:
            i = message.metadata.dst_node_id
            stage = message.content.config_records[RECORD_KEY_CONFIGS][Key.STAGE]
            if i in self.dropped and stage in (Stage.COLLECT_MASKED_VECTORS, Stage.UNMASK):
                continue
            self._carry(self.down, i, message)
            answer = secaggplus_mod(message, self.contexts[i], self._train)
            self._carry(self.up, i, answer)
            answers.append(answer)
        return answers

    def _train(self, message: Message, context: Context) -> Message:
        vector = self.vectors[message.metadata.dst_node_id]
        found = FitRes(Status(Code.OK, ""), ndarrays_to_parameters([vector]), 1, {})
        return Message(compat.fitres_to_recorddict(found, False), reply_to=message)

    def _carry(self, bytes_: dict[int, int], i: int, message: Message) -> None:
        """What a network would do: the receiver gets a copy. The time for that is not Flower's protocol's."""
        began = time.process_time()
        sent = recorddict_to_proto(message.content)
        bytes_[i] += sent.ByteSize()
        message.content = recorddict_from_proto(sent)
        self.counting += time.process_time() - began


def main() -> None:
    """Run one round."""
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 0
    clients, values, shares, threshold, dropped = map(int, sys.argv[1:6])
    rng = np.random.default_rng(1)
    vectors = {i: rng.uniform(-1, 1, values).astype(np.float32) for i in range(1, clients + 1)}
    loop = Loop(vectors, set(range(1, dropped + 1)))
    strategy = Strategy(clients, values)
    state = RecordDict()
    context = LegacyContext(Context(1, 0, {}, state, {}), None, strategy, Manager(clients))  # type: ignore[arg-type]
    state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({WorkflowKey.CURRENT_ROUND: 1})
    start = compat.parameters_to_arrayrecord(ndarrays_to_parameters([np.zeros(1, dtype=np.float32)]), True)
    state.array_records[MAIN_PARAMS_RECORD] = start
    began, wall = time.process_time(), time.perf_counter()
    SecAggPlusWorkflow(shares, threshold, max_weight=1.0)(loop, context)  # type: ignore[arg-type]
    seconds = time.process_time() - began - loop.counting
    wall = time.perf_counter() - wall
    alive = [i for i in vectors if i > dropped]
    mean = np.mean([vectors[i] for i in alive], axis=0)
    error = float(np.max(np.abs(strategy.result - mean)))
    print(
        json.dumps(
            {
                "seconds": seconds,
                "wall": wall,
                "up": float(np.mean([loop.up[i] for i in alive])),
                "down": float(np.mean([loop.down[i] for i in alive])),
                "error": error,
            }
        )
    )


if __name__ == "__main__":
    main()
