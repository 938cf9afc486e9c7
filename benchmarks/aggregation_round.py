"""One round of secure aggregation over ZeroMQ with made-up vectors: is the sum exact, what did it cost?

    python -m benchmarks.aggregation_round --clients 1000 --values 100000 --dropping 0.1 [--lying]

This process is the server; others host the clients, each with its own connection and keys.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import time
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import numpy as np

from mpc.errors import UsageError
from mpc.faults.fault import vanishing
from mpc.links.zmq.curve import Identity, new_identity
from mpc.links.zmq.transport import Transport
from mpc.randomness.key_agreement import Signer
from mpc.randomness.streams import Stream, derive, os_entropy
from mpc.ring.array import Array
from mpc.star.client import StarClient, always
from mpc.star.server import StarLimits, StarServer
from mpc.star.sockets import ClientHost
from mpc.star.stage import ClientProgram
from parties.base.descriptors import allow_connections
from protocols.aggregation.bounds import choose_bounds
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.cost import client_seconds, expected_traffic, replay_traffic, server_seconds
from protocols.aggregation.messages import SHARES, stages
from protocols.aggregation.parts.pack import word
from protocols.aggregation.server import Aggregated, aggregation_server
from protocols.aggregation.settings import Occasion, Settings, Trust, settings_of

_DIGEST = bytes(32)
_SECONDS = 400.0


def vector_of(settings: Settings, i: int, levels: int) -> Array:
    """A client's numbers: known to the test, and below what n of them can sum to."""
    words = Stream(derive(bytes(32), f"vector {i}")).take(4 * settings.length).view("<u4")
    return (words & np.uint32(levels - 1)).astype(word(settings.bits))


def host(
    pipe: Connection, settings: Settings, levels: int, numbers: list[int], drops: dict[int, str], place: dict[str, Any]
) -> None:
    """A process that hosts clients."""
    allow_connections(len(numbers), 3)

    def make(i: int, session: bytes, round_: int, attempt: int) -> ClientProgram:
        signing = place["signing"]
        trust = Trust(Signer(signing[i]), place["public"]) if signing else None
        vector = vector_of(settings, i, levels)
        occasion = Occasion(session, round_, attempt)
        return aggregation_client(i, settings, occasion, vector, os_entropy, lambda number, digest: None, trust)

    clients = {
        f"c{i}": (StarClient(partial(make, i), _DIGEST, always(vanishing(drops.get(i)))), Identity(*place["pairs"][i]))
        for i in numbers
    }
    run = ClientHost(place["endpoint"], place["key"], clients, _SECONDS, 0.0, lambda over, total: None)
    run.run()
    run.close(1)
    through = {i: run.hosted[f"c{i}"] for i in numbers if run.hosted[f"c{i}"].client.rounds}
    pipe.send({i: (one.seconds, one.client.counts.sent, one.client.counts.received) for i, one in through.items()})


def measure(clients: int, values: int, dropping: float, processes: int, *, lying: bool, level_bits: int) -> str:
    """Run a round, check it, and say what it took."""
    bits = level_bits + (clients - 1).bit_length()
    settings = settings_of(choose_bounds(clients, malicious=lying), values, bits, clients // 2)
    kinds = stages(lying)
    drops = {(7 * turn) % clients: kinds[turn % len(kinds)] for turn in range(int(dropping * clients))}
    ran = _run(settings, drops, processes, lying=lying, levels=1 << level_bits)
    head = (
        f"{clients} clients x {values} values of {bits} bits, {len(drops)} dropping, k = {settings.neighbours}, "
        f"t = {settings.threshold}{', lying server' if lying else ''}"
    )
    return "\n".join((head, _checked(settings, ran, 1 << level_bits), *_timed(settings, ran)))


@dataclass(frozen=True)
class _Ran:
    """A round that is over: what the server made of it, the seconds that it took, and what each client says."""

    done: Aggregated
    wall: float
    own: float
    all_threads: float
    peak: int
    said: dict[int, tuple[float, int, int]]


def _run(settings: Settings, drops: dict[int, str], processes: int, *, lying: bool, levels: int) -> _Ran:
    clients = settings.clients
    pairs, me = [new_identity() for _ in range(clients)], new_identity()
    allow_connections(clients, 1)
    transport = Transport(me, {f"c{i}": pair.public for i, pair in enumerate(pairs)}, "tcp://127.0.0.1:*")
    place = _place(transport.endpoint, me, pairs, lying=lying)
    hosts = _started(processes, settings, levels, drops, place)
    done, wall, own, all_threads = _served(transport, settings)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    said: dict[int, tuple[float, int, int]] = {}
    for process, pipe in hosts:
        said |= pipe.recv()
        process.join(30)
    transport.close(1)
    return _Ran(done, wall, own, all_threads, peak, said)


def _place(endpoint: str | None, server: Identity, pairs: list[Identity], *, lying: bool) -> dict[str, Any]:
    """What the clients' hosts are told: where the server is, and keys; with a lying server those for signatures too."""
    signing = [derive(bytes(32), f"sign {i}") for i in range(len(pairs))] if lying else []
    return {
        "endpoint": endpoint,
        "key": server.public,
        "pairs": [(pair.public, pair.secret) for pair in pairs],
        "signing": signing,
        "public": [Signer(key).public for key in signing],
    }


def _started(
    processes: int, settings: Settings, levels: int, drops: dict[int, str], place: dict[str, Any]
) -> list[tuple[BaseProcess, Connection]]:
    """The hosts, each with the end of a pipe that it reports to."""
    context = multiprocessing.get_context("spawn")
    hosts: list[tuple[BaseProcess, Connection]] = []
    for number in range(processes):
        mine, theirs = context.Pipe()
        numbers = list(range(number, settings.clients, processes))
        process = context.Process(target=host, args=(theirs, settings, levels, numbers, drops, place))
        process.start()
        hosts.append((process, mine))
    return hosts


def _served(transport: Transport, settings: Settings) -> tuple[Aggregated, float, float, float]:
    """The server's part, with its seconds by the clock, of its own thread and of all threads."""
    names = [f"c{i}" for i in range(settings.clients)]
    server = StarServer(transport, names, _DIGEST, StarLimits(_SECONDS, _SECONDS, 0.0), lambda *_: None, print)
    server.join()
    occasion = Occasion(os_entropy("session"), 1, 1)
    wall, own, all_threads = time.perf_counter(), time.thread_time(), time.process_time()
    done = server.run(aggregation_server(settings, occasion, os_entropy), occasion.session, 1, 1)
    taken = time.perf_counter() - wall, time.thread_time() - own, time.process_time() - all_threads
    server.part()
    return done, *taken


def _checked(settings: Settings, ran: _Ran, levels: int) -> str:
    """Whether the sum is that of the survivors, and the traffic that of the plan, given who answered when."""
    total = np.zeros(settings.length, dtype=word(settings.bits))
    for i in ran.done.survivors:
        total += vector_of(settings, i, levels)
    exact = np.array_equal(ran.done.total, total & total.dtype.type((1 << settings.bits) - 1))
    planned = replay_traffic(settings, ran.done)
    equal = all((planned[i].up, planned[i].down) == ran.said[i][1:] for i in ran.said)
    traffic = expected_traffic(settings)
    ratio = (traffic.up + traffic.down) / settings.vector_bytes
    return (
        f"  the sum of {len(ran.done.survivors)} survivors is {'exact' if exact else 'WRONG'}; traffic is "
        f"{'as planned' if equal else 'NOT as planned'}; {ratio:.3f} times the bare vector, both ways together"
    )


def _timed(settings: Settings, ran: _Ran) -> tuple[str, str]:
    """The seconds beside the plan's."""
    times = [1000 * seconds for seconds, _, _ in ran.said.values()]
    lost = len(ran.done.answered[SHARES]) - len(ran.done.survivors)
    return (
        f"  server: {ran.own:.2f} s of its own thread (planned {server_seconds(settings, lost):.2f} s), "
        f"{ran.all_threads:.2f} s with the network's, {ran.wall:.1f} s by the clock, {ran.peak / 1e6:.0f} MB",
        f"  a client: {statistics.median(times):.1f} ms (median; planned {1000 * client_seconds(settings):.1f} ms), "
        f"{max(times):.1f} ms at most",
    )


def main() -> None:
    """The command."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.aggregation_round", description=__doc__, formatter_class=raw
    )
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--values", type=int, default=100_000)
    parser.add_argument("--dropping", type=float, default=0.1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--bits", type=int, default=16, help="of one client's numbers")
    parser.add_argument("--lying", action="store_true", help="the bounds and stages for a lying server")
    given = parser.parse_args()
    if min(given.clients - 2, given.values, given.processes, given.bits) < 1 or not 0 <= given.dropping <= 1:
        parser.error("at least 3 clients, 1 value, 1 process and 1 bit, and a share from 0 to 1 that drops out")
    how = {"lying": given.lying, "level_bits": given.bits}
    try:
        print(measure(given.clients, given.values, given.dropping, given.processes, **how))
    except UsageError as error:
        parser.error(error.message)


if __name__ == "__main__":
    main()
