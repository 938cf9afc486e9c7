"""A process of a secure sum under the launcher: the server, a client, or a host of many clients."""

from __future__ import annotations

import logging
import os
import resource
import sys
import time
from collections.abc import Mapping
from logging import Logger
from pathlib import Path
from typing import Any

from mpc.errors import BeaverlodgeError, PeerLostError
from parties.supervisor import Lifeline, Reporter, die_with_parent

LINGER = 1.0
_DESCRIPTORS_A_CLIENT = 3  # a socket, its mailbox, and one while it connects


def main() -> int:
    """Follow the launcher's order; the exit code is the error's."""
    die_with_parent()
    reporter = Reporter.to_launcher()
    lifeline = Lifeline()
    order = lifeline.order()
    from parties.bugs import as_error
    from parties.logs import open_log
    from parties.sum_scenario import SumScenario, load_any

    log = open_log(Path(order["out"]), order["name"])
    try:
        scenario = load_any(Path(order["scenario"]))
        assert isinstance(scenario, SumScenario)
        part = _serve if order["name"] == scenario.server else _take_part
        result = part(scenario, order, lifeline, reporter, log)
    except Exception as problem:
        error = as_error(problem)
        log.error("%s", error)
        reporter.failed(error, first_hand=error.told_by is None and not isinstance(error, PeerLostError))
        return error.exit_code
    reporter.done(result)
    logging.shutdown()
    return 0


def _serve(
    scenario: Any, order: Mapping[str, Any], lifeline: Lifeline, reporter: Reporter, log: Logger
) -> dict[str, Any]:
    from mpc.prg import os_entropy
    from mpc.star_server import StarLimits, StarServer
    from mpc.transport import Identity, Transport
    from parties.descriptors import allow_connections
    from parties.sum_result import server_result
    from protocols.aggregation.server import aggregation_server
    from protocols.aggregation.settings import Occasion

    started = time.perf_counter()
    names = scenario.client_names
    allow_connections(len(names), 1)
    keys = order["keys"]
    peers = {name: key.encode() for name, key in keys["peers"].items()}
    transport = Transport(Identity(keys["public"].encode(), keys["secret"].encode()), peers, "tcp://127.0.0.1:*")

    def say(text: str) -> None:
        log.warning(text)
        reporter.log("warning", text)

    limits = StarLimits(scenario.session.connect_timeout, scenario.session.deadline, scenario.session.patience or 0.0)

    def gone() -> list[int]:
        return [i for news in lifeline.news() for i in order["processes"].get(news.get("lost"), ())]

    server = StarServer(transport, names, bytes.fromhex(scenario.digest), limits, reporter.stage, say, gone)
    code: str | None = BeaverlodgeError.code
    try:
        reporter.listening(transport.endpoint)
        lifeline.peers()
        joined = server.join()
        log.info("%d of %d clients joined", len(joined), len(names))
        occasion = Occasion(os_entropy("session"), 1, 1)
        settings = scenario.settings
        met = time.perf_counter()
        computed = time.thread_time()
        program = aggregation_server(settings, occasion, os_entropy)
        done = server.run(program, occasion.session, occasion.round, occasion.attempt)
        computed = time.thread_time() - computed
        code = None
        finished = time.perf_counter()
        seconds = {"connect": met - started, "online": finished - met, "total": finished - started}
        return server_result(scenario, done, server.counts, occasion, seconds, computed, _peak_bytes())
    except BeaverlodgeError as error:
        code = error.code
        raise
    finally:
        server.part(code)
        transport.close(LINGER)


def _take_part(
    scenario: Any, order: Mapping[str, Any], lifeline: Lifeline, reporter: Reporter, log: Logger
) -> dict[str, Any]:
    from mpc.star_sockets import ClientHost
    from mpc.transport import Identity
    from parties.descriptors import allow_connections
    from parties.sum_clients import clients_of, hosts_result

    mine = order["clients"]
    allow_connections(len(mine), _DESCRIPTORS_A_CLIENT)
    reporter.listening(None)
    clients = clients_of(scenario, order, log)
    endpoint = lifeline.peers()[scenario.server]
    assert endpoint is not None
    identities = {name: Identity(k["public"].encode(), k["secret"].encode()) for name, k in mine.items()}
    silence = scenario.session.connect_timeout + 2 * scenario.session.deadline
    host = ClientHost(
        endpoint,
        order["server"].encode(),
        {name: (clients[name], identities[name]) for name in mine},
        silence,
        lambda over, total: reporter.stage("running", over, total),
    )
    try:
        host.run()
    finally:
        host.close(LINGER)
    alone = next(iter(clients.values())) if order["name"] in clients else None
    for name, one in clients.items():
        if one.failure is not None:
            log.error("%s: %s", name, one.failure)
    if alone is not None and alone.failure is not None:
        raise alone.failure
    return hosts_result(host, os.getpid(), _peak_bytes())


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
