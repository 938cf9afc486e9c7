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
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from mpc.agree import Signer
from mpc.curve import Identity, new_identity
from mpc.ghost import Array
from mpc.prg import Stream, derive, os_entropy
from mpc.star import ClientProgram
from mpc.star_client import StarClient
from mpc.star_server import StarLimits, StarServer
from mpc.star_sockets import ClientHost
from mpc.transport import Transport
from parties.descriptors import allow_connections
from protocols.aggregation.bounds import choose_bounds
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.cost import client_seconds, expected_traffic, replayed, server_seconds
from protocols.aggregation.messages import SHARES, stages
from protocols.aggregation.pack import word
from protocols.aggregation.server import aggregation_server
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
        f"c{i}": (StarClient(partial(make, i), _DIGEST, drops.get(i)), Identity(*place["pairs"][i])) for i in numbers
    }
    run = ClientHost(place["endpoint"], place["key"], clients, _SECONDS, lambda over, total: None)
    run.run()
    run.close(1)
    through = {i: run.hosted[f"c{i}"] for i in numbers if run.hosted[f"c{i}"].client.rounds}
    pipe.send({i: (one.seconds, one.client.sent, one.client.received) for i, one in through.items()})


def measure(clients: int, values: int, dropping: float, processes: int, *, lying: bool, level_bits: int) -> str:
    """Run a round, check it, and say what it took."""
    bounds = choose_bounds(clients, malicious=lying)
    bits = level_bits + (clients - 1).bit_length()
    settings = settings_of(bounds, values, bits, clients // 2)
    kinds = stages(lying)
    drops = {(7 * turn) % clients: kinds[turn % len(kinds)] for turn in range(int(dropping * clients))}
    pairs = [new_identity() for _ in range(clients)]
    me = new_identity()
    allow_connections(clients, 1)
    transport = Transport(me, {f"c{i}": pair.public for i, pair in enumerate(pairs)}, "tcp://127.0.0.1:*")
    signing = [derive(bytes(32), f"sign {i}") for i in range(clients)] if lying else []
    place = {
        "endpoint": transport.endpoint,
        "key": me.public,
        "pairs": [(pair.public, pair.secret) for pair in pairs],
        "signing": signing,
        "public": [Signer(key).public for key in signing],
    }
    context = multiprocessing.get_context("spawn")
    hosts, pipes = [], []
    for number in range(processes):
        mine, theirs = context.Pipe()
        numbers = list(range(number, clients, processes))
        process = context.Process(target=host, args=(theirs, settings, 1 << level_bits, numbers, drops, place))
        process.start()
        hosts.append(process)
        pipes.append(mine)
    server = StarServer(
        transport,
        [f"c{i}" for i in range(clients)],
        _DIGEST,
        StarLimits(_SECONDS, _SECONDS, 0.0),
        lambda *_: None,
        print,
    )
    server.join()
    occasion = Occasion(os_entropy("session"), 1, 1)
    wall, before, all_threads = time.perf_counter(), time.thread_time(), time.process_time()
    done = server.run(aggregation_server(settings, occasion, os_entropy), occasion.session, 1, 1)
    wall, own, cpu = time.perf_counter() - wall, time.thread_time() - before, time.process_time() - all_threads
    server.part()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    said: dict[int, tuple[float, int, int]] = {}
    for pipe in pipes:
        said |= pipe.recv()
    for process in hosts:
        process.join(30)
    transport.close(1)
    total = np.zeros(values, dtype=word(bits))
    for i in done.survivors:
        total += vector_of(settings, i, 1 << level_bits)
    exact = np.array_equal(done.total, total & total.dtype.type((1 << bits) - 1))
    planned = replayed(settings, done)
    equal = all((planned[i].up, planned[i].down) == said[i][1:] for i in said)
    times = [seconds for seconds, _, _ in said.values()]
    traffic = expected_traffic(settings)
    ratio = (traffic.up + traffic.down) / settings.vector_bytes
    lost = len(done.answered[SHARES]) - len(done.survivors)
    planned_server, planned_client = server_seconds(settings, lost), client_seconds(settings)
    lines = (
        f"{clients} clients x {values} values of {bits} bits, {len(drops)} dropping, k = {settings.neighbours}, "
        f"t = {settings.threshold}{', lying server' if lying else ''}",
        f"  the sum of {len(done.survivors)} survivors is {'exact' if exact else 'WRONG'}; traffic is "
        f"{'as planned' if equal else 'NOT as planned'}; {ratio:.3f} times the bare vector, both ways together",
        f"  server: {own:.2f} s of its own thread (planned {planned_server:.2f} s), {cpu:.2f} s with the network's, "
        f"{wall:.1f} s by the clock, {peak / 1e6:.0f} MB",
        f"  a client: {1000 * statistics.median(times):.1f} ms (median; planned {1000 * planned_client:.1f} ms), "
        f"{1000 * max(times):.1f} ms at most",
    )
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.aggregation_round", description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--values", type=int, default=100_000)
    parser.add_argument("--dropping", type=float, default=0.1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--bits", type=int, default=16, help="of one client's numbers")
    parser.add_argument("--lying", action="store_true", help="the bounds and stages for a lying server")
    given = parser.parse_args()
    print(
        measure(given.clients, given.values, given.dropping, given.processes, lying=given.lying, level_bits=given.bits)
    )


if __name__ == "__main__":
    main()
