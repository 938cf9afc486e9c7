"""The time that `mpc plan` gives for a round of secure aggregation beside the time that it takes: processor time.

    python -m benchmarks.aggregation_plan --clients 10 100 1000 10000 --values 1000

Everything runs in one process, without links, a tenth of the clients dropping, some in each stage. The plan's seconds
are those of one machine: how much slower this one is follows from four of the steps that a round is made of.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.aggregation_round import vector_of
from mpc.randomness.key_agreement import KeyPair, Signer, signed
from mpc.randomness.streams import derive, os_entropy
from mpc.ring.array import Array
from mpc.star.lockstep import StarMessage, StarTap, run_star
from protocols.aggregation.bounds import choose_bounds
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.cost import Step, client_seconds, seconds_of, server_seconds
from protocols.aggregation.messages import SHARES, stages
from protocols.aggregation.parts.masks import add_mask
from protocols.aggregation.parts.pack import pack, word
from protocols.aggregation.server import aggregation_server
from protocols.aggregation.settings import Occasion, Settings, Trust, settings_of

WITHIN = 1.5
_LEVEL_BITS = 16
_DROPPING = 0.1
_REPEATS = 15
_VALUES = 8192


@dataclass(frozen=True)
class Beside:
    """A round's time, and the plan's for this machine, in seconds of the processor: a client's median, the server's."""

    settings: Settings
    client: float
    planned_client: float
    server: float
    planned_server: float
    exact: bool

    @property
    def ratios(self) -> tuple[float, float]:
        """Taken by planned."""
        return self.client / self.planned_client, self.server / self.planned_server

    def __str__(self) -> str:
        s, (client, server) = self.settings, self.ratios
        return (
            f"{s.clients:6} clients x {s.length} values, {'lying' if s.malicious else 'semi-honest'}, "
            f"k = {s.neighbours}, t = {s.threshold}: a client {1000 * self.client:.2f} ms (planned "
            f"{1000 * self.planned_client:.2f}, {client:.2f} times), the server {self.server:.3f} s (planned "
            f"{self.planned_server:.3f}, {server:.2f} times), {'exact' if self.exact else 'WRONG'}"
        )


def slowness() -> float:
    """How many times slower than the plan's machine this one is now: the middle over steps that a round is made of."""
    pair, other, signer = KeyPair(bytes(range(32))), KeyPair(bytes(32)).public, Signer(bytes(range(32)))
    text = bytes(96)
    signature, numbers = signer.sign(text), np.zeros(_VALUES, dtype=word(32))
    steps: dict[Step, Callable[[], object]] = {
        "agreement": lambda: derive(pair.shared(other), "secure aggregation/pair mask", text),
        "checking": lambda: signed(signer.public, signature, text),
        "mask": lambda: add_mask(numbers, text[:32]),
        "pack": lambda: pack(numbers, 26),
    }
    return statistics.median(_middle(step) / seconds_of(name, _VALUES) for name, step in steps.items())


def beside(clients: int, values: int, *, lying: bool) -> Beside:
    """`compared` in a process of its own: what a process does once is in the server's time, as it is in the plan's."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(compared, (clients, values, lying))


def compared(clients: int, values: int, lying: bool) -> Beside:
    """A round, and what the plan said of it on a machine as slow as this one is before and after."""
    settings = settings_of(
        choose_bounds(clients, malicious=lying), values, _LEVEL_BITS + (clients - 1).bit_length(), clients // 2
    )
    kinds = stages(lying)
    drops = {7 * turn % clients: kinds[turn % len(kinds)] for turn in range(int(_DROPPING * clients))}
    before = slowness()
    signers = [Signer(derive(bytes(32), f"sign {i}")) for i in range(clients)] if lying else []
    public = [signer.public for signer in signers]
    occasion = Occasion(os_entropy("session"), 1, 1)

    def client(i: int) -> object:
        trust = Trust(signers[i], public) if signers else None
        vector = vector_of(settings, i, 1 << _LEVEL_BITS)
        return aggregation_client(i, settings, occasion, vector, os_entropy, lambda number, digest: None, trust)

    programs = {i: partial(client, i) for i in range(clients)}
    outcome = run_star(aggregation_server(settings, occasion, os_entropy), programs, _without(drops))  # type: ignore[arg-type]
    if outcome.error is not None:
        raise outcome.error
    done = outcome.result
    slow = (before + slowness()) / 2
    lost = len(done.answered[SHARES]) - len(done.survivors)
    through = [seconds for i, seconds in outcome.client_seconds.items() if i not in drops]
    return Beside(
        settings,
        statistics.median(through),
        slow * client_seconds(settings),
        outcome.server_seconds,
        slow * server_seconds(settings, lost, network=False),
        bool(np.array_equal(done.total, _truth(settings, done.survivors))),
    )


def _middle(step: Callable[[], object]) -> float:
    times = []
    for _ in range(_REPEATS):
        began = time.process_time()
        for _ in range(8):
            step()
        times.append((time.process_time() - began) / 8)
    return statistics.median(times)


def _without(drops: dict[int, str]) -> StarTap:
    """Who drops out sends nothing from its stage on."""
    gone: set[int] = set()

    def tap(message: StarMessage) -> bytes | None:
        if message.up and drops.get(message.client) == message.label:
            gone.add(message.client)
        return None if message.client in gone else message.body

    return tap


def _truth(settings: Settings, survivors: tuple[int, ...]) -> Array:
    total = np.zeros(settings.length, dtype=word(settings.bits))
    for i in survivors:
        total += vector_of(settings, i, 1 << _LEVEL_BITS)
    total &= total.dtype.type((1 << settings.bits) - 1)
    return total


def main() -> None:
    """The command."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.aggregation_plan", description=__doc__, formatter_class=raw
    )
    parser.add_argument("--clients", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--values", type=int, default=1000)
    parser.add_argument("--server", choices=("semi-honest", "malicious", "both"), default="both")
    given = parser.parse_args()
    kinds = {"semi-honest": [False], "malicious": [True], "both": [False, True]}[given.server]
    for clients in given.clients:
        for lying in kinds:
            print(beside(clients, given.values, lying=lying), flush=True)
    print(f"this machine is {slowness():.2f} times as slow as the plan's")


if __name__ == "__main__":
    main()
