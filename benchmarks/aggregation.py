"""Secure aggregation beside Flower's SecAgg+: the same clients, vectors and drop-outs, everything in one process.

Ours runs in lockstep with the messages of a real round; neither side's time has a network in it. Processor time
is compared.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.results import Line
from benchmarks.running import PeerFailure
from mpc.errors import BeaverlodgeError
from mpc.randomness.key_agreement import Signer
from mpc.randomness.streams import derive, os_entropy
from mpc.ring.array import Array
from mpc.runtime.round import HEADER_BYTES
from mpc.star.lockstep import StarMessage, run_star
from protocols.aggregation.bounds import choose_bounds
from protocols.aggregation.client import aggregation_client
from protocols.aggregation.messages import MASKED, stages
from protocols.aggregation.parts.quantise import Coding, decode, residues
from protocols.aggregation.server import aggregation_server
from protocols.aggregation.settings import Occasion, Settings, Trust, settings_of

CLIENTS, VALUES, DROPPED = 100, 10_000, 10
RANGE, LEVELS = 8.0, 4_194_304  # Flower's clipping and quantisation range
PROGRAM = Path(__file__).resolve().parent / "peers" / "flower_party.py"
_SLOWEST = 300.0
_TRIES = 5


def cases(flower: Path, runs: int) -> list[tuple[str, str, Callable[[], Line]]]:
    """Flower once and us several times: with Flower's usual 10 neighbours, and with those that our bounds give.

    Returns:
        Of each line, how many neighbours and whose choice that is, who, and what measures it.
    """
    weak = choose_bounds(CLIENTS, neighbours=10, threshold=7)
    semi, lying = choose_bounds(CLIENTS), choose_bounds(CLIENTS, malicious=True)
    weak_signed = choose_bounds(CLIENTS, malicious=True, neighbours=10, threshold=6)
    found: list[tuple[str, str, Callable[[], Line]]] = []
    for note, plain, signed in (
        ("10 neighbours, below our bounds", weak, weak_signed),
        (f"{semi.neighbours} neighbours, our bounds for a server that follows the protocol", semi, None),
        (f"{lying.neighbours} holders, our bounds for a lying server", None, lying),
    ):
        bounds = plain or signed
        assert bounds is not None
        shares = bounds.neighbours + 1 + bounds.neighbours % 2  # its own one too, and an odd number
        found.append((note, "Flower SecAgg+", partial(theirs, flower, shares, bounds.threshold)))
        for who, one in (("beaverlodge", plain), ("beaverlodge, signatures and consistency round", signed)):
            if one is not None:
                found.append((note, who, partial(ours, settings_of(one, VALUES, _coding().bits, 50), runs)))
    return found


def ours(settings: Settings, runs: int) -> Line:
    """Several rounds of ours."""
    done = [_finished(settings) for _ in range(runs)]
    return Line("sums", "beaverlodge", {key: [one[key] for one in done] for key in done[0]})


def _finished(settings: Settings) -> dict[str, float]:
    """A round that finds its shares: below our bounds, not every one does."""
    for turn in range(_TRIES):
        try:
            return _round(settings)
        except BeaverlodgeError:
            if turn == _TRIES - 1:
                raise
    raise AssertionError("the loop returns")


def _round(settings: Settings) -> dict[str, float]:
    """One round of ours: processor time, bytes that a client sends and receives, and the mean's largest error."""
    vectors = _vectors()
    how = _coding()
    signers = [Signer(derive(bytes(32), f"signer {i}")) for i in range(CLIENTS)] if settings.malicious else []
    public = [signer.public for signer in signers]
    occasion = Occasion(os_entropy("session"), 1, 1)

    def tap(message: StarMessage) -> bytes | None:
        if message.client < DROPPED and message.label == MASKED:
            return None
        return message.body

    began = time.process_time()
    clients = {}
    for i in range(CLIENTS):
        numbers = residues(np.rint(vectors[i].astype(np.float64) * how.scale), how.bits)
        trust = Trust(signers[i], public) if signers else None
        journal = partial(_note, {})
        clients[i] = partial(aggregation_client, i, settings, occasion, numbers, os_entropy, journal, trust)
    outcome = run_star(aggregation_server(settings, occasion, os_entropy), clients, tap)
    if outcome.error is not None:
        raise outcome.error
    done = outcome.result
    mean = decode(done.total, how, len(done.survivors)) / how.scale / len(done.survivors)
    seconds = time.process_time() - began
    expected = np.mean([vectors[i] for i in done.survivors], axis=0)
    alive = [i for i in range(CLIENTS) if i >= DROPPED]
    headers = len(stages(settings.malicious)) * HEADER_BYTES
    return {
        "seconds": seconds,
        "up": statistics.mean(outcome.sent[i] for i in alive) + headers,
        "down": statistics.mean(outcome.received[i] for i in alive) + headers,
        "error": float(np.max(np.abs(mean - expected))),
    }


def theirs(python: Path, shares: int, threshold: int) -> Line:
    """One round of Flower's."""
    words = [str(word) for word in (python, PROGRAM, CLIENTS, VALUES, shares, threshold, DROPPED)]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=_SLOWEST)
    if ran.returncode:
        raise PeerFailure([f"exit code {ran.returncode}", *ran.stderr.strip().splitlines()][-1])
    said = json.loads(ran.stdout.strip().splitlines()[-1])
    return Line("sums", "Flower SecAgg+", {key: said[key] for key in ("seconds", "up", "down", "error")})


def _vectors() -> list[Array]:
    """The same as Flower's program makes."""
    rng = np.random.default_rng(1)
    return [rng.uniform(-1, 1, VALUES).astype(np.float32) for _ in range(CLIENTS)]


def _coding() -> Coding:
    return Coding(-LEVELS // 2, LEVELS // 2, LEVELS / (2 * RANGE), CLIENTS)


def _note(kept: dict[int, bytes], number: int, digest: bytes) -> None:
    kept[number] = digest
