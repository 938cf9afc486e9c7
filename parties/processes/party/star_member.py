"""A process of a server and clients under the launcher: the server, a client, or a host of many clients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from logging import Logger
from pathlib import Path
from typing import Any

from mpc.errors import BeaverlodgeError
from mpc.links.zmq.transport import Transport
from mpc.star.client import StarClient
from mpc.star.sockets import ClientHost
from parties.base.descriptors import allow_connections
from parties.base.reporter import Reporter
from parties.base.trace_file import trace_path
from parties.processes.party.inside import links_with_inside, tell_failures
from parties.processes.party.lifeline import Lifeline
from parties.processes.party.order_keys import read_identity, read_keys
from parties.processes.party.own_faults import OwnFaults, trials_of
from parties.scenario.star import StarScenario
from parties.session.hosted import host_clients
from parties.session.traced import traced_server
from parties.tasks.registry import star_of
from parties.tasks.star.base import LINGER, ClientMistake, Membership, Seat, server_state
from parties.tasks.star.clients import trust_of
from parties.trust.round_journal import RoundJournal
from parties.trust.rounds import RoundNumbers

_DESCRIPTORS_A_CLIENT = 3  # a socket, its mailbox, and one during the connection


def part_in_star(
    scenario: StarScenario, order: Mapping[str, Any], lifeline: Lifeline, reporter: Reporter, log: Logger
) -> dict[str, Any]:
    """Take the part that the launcher ordered; returns its result."""
    OwnFaults(order, reporter)  # which hears of the stages that are reported
    part = {scenario.server: _serve, scenario.helper: _help}.get(order["name"], _take_part)
    try:
        return part(scenario, order, lifeline, reporter, log)
    except ClientMistake as mistake:
        log.error("%s", mistake.error)
        raise mistake.error from None
    except BeaverlodgeError as error:
        log.error("%s", error)
        raise


def _serve(
    scenario: StarScenario, order: Mapping[str, Any], lifeline: Lifeline, reporter: Reporter, log: Logger
) -> dict[str, Any]:
    identity, peers = read_keys(order["keys"])
    allow_connections(len(peers), 1)
    # Where all clients are inside, nobody dials.
    transport = Transport(identity, peers, order.get("endpoint", "tcp://127.0.0.1:*")) if peers else None

    def meet() -> None:
        reporter.listening(transport.endpoint if transport is not None else None)
        lifeline.peers()

    def gone() -> list[int]:
        return [i for news in lifeline.news() for i in order["processes"].get(news.get("lost"), ())]

    star, patience, out = star_of(scenario), scenario.session.patience or 0.0, Path(order["out"])
    try:
        with (
            traced_server(order["name"], _trace(order)) as tracer,
            links_with_inside(scenario, order, transport, reporter, log) as links,
        ):
            lifeline.before_end(tracer.close)
            seat = Seat(links.network, 1, lambda number: None, out, patience, gone, {}, tracer, computed=links.computed)
            if star.survives:  # and may have been started before
                numbers = RoundNumbers(out / f"{scenario.server}.rounds", scenario.digest)
                state = server_state(scenario, out, identity.secret)
                seat = replace(seat, first=numbers.next, use=numbers.use, state=state)
            return {**star.serve(scenario, seat, reporter, log, meet), **links.report()}
    finally:
        if transport is not None:
            transport.close(LINGER)


def _trace(order: Mapping[str, Any]) -> Path | None:
    return trace_path(Path(order["out"]), order["name"]) if order.get("trace") else None


def _help(
    scenario: StarScenario, order: Mapping[str, Any], lifeline: Lifeline, reporter: Reporter, log: Logger
) -> dict[str, Any]:
    reporter.listening(None)
    star = star_of(scenario)
    client = star.helper(scenario)

    def listener(over: int, total: int) -> None:
        reporter.stage(client.stage, client.rounds, scenario.star_rounds)

    host = _host(scenario, order, lifeline, {order["name"]: client}, listener)
    return star.helper_result(scenario, host, log)


def _host(
    scenario: StarScenario,
    order: Mapping[str, Any],
    lifeline: Lifeline,
    clients: Mapping[str, StarClient],
    listener: Callable[[int, int], None],
) -> ClientHost:
    """Take the clients through all rounds at the server's endpoint, once that is known."""
    endpoint = lifeline.peers()[scenario.server]
    assert endpoint is not None

    def close_traces() -> None:
        for one in clients.values():
            one.trace.tracer.close()

    lifeline.before_end(close_traces)
    pairs = {name: (one, read_identity(order["clients"][name])) for name, one in clients.items()}
    patience = scenario.session.patience or 0.0
    key = order["server"].encode()
    return host_clients(scenario, pairs, endpoint, key, listener, _trace(order), patience=patience)


def _take_part(
    scenario: StarScenario, order: Mapping[str, Any], lifeline: Lifeline, reporter: Reporter, log: Logger
) -> dict[str, Any]:
    star, mine = star_of(scenario), order["clients"]
    alone = order["name"] in mine
    allow_connections(len(mine), _DESCRIPTORS_A_CLIENT, instead="set more `processes` in [clients]")
    reporter.listening(None)
    public = [bytes.fromhex(key) for key in order.get("verifying", ())]
    trusts = {name: trust_of(bytes.fromhex(key), public) for name, key in order.get("signing", {}).items()}
    folder = Path(order["out"])
    members = {name: Membership(RoundJournal(folder / f"{name}.rounds", sync=alone), trusts.get(name)) for name in mine}
    trials = trials_of(scenario, order, reporter, {} if alone else star.client_faults(scenario))
    clients = star.clients(scenario, members, log, trials)
    stage = partial(reporter.stage, "running")
    host = _host(scenario, order, lifeline, clients, stage)
    alone_failure = clients[order["name"]].failure if alone else None
    if alone_failure is not None:
        raise alone_failure
    tell_failures(clients, log, reporter)
    return star.result(host)
