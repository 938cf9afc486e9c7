"""MPyC and CrypTen on the examples: `benchmarks/peers/*_examples_party.py`, each in an environment of its own."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from benchmarks.environments import ENVIRONMENTS, python_of, set_up
from benchmarks.results import FOLDER
from benchmarks.running import Contender, PeerFailure, Run, run
from mpc.ring.array import Array
from mpc.testing.cases.inputs import randoms
from tools.conformance.examples import EXAMPLES, Example
from tools.conformance.page import PEERS

SHORT, LONG, BUDGET = 0.05, 0.6, 60.0
"""Seconds by which MPyC's messages are held back, twice: the difference of two runs tells how many wait for each other.
The longer is LONG, or less where a run would take more than BUDGET seconds."""
MPYC_PARTIES: Final = 3


def measure() -> None:
    """Set both up, run each example, and keep what was found; for some minutes."""
    versions, found = {}, {}
    for environment in ENVIRONMENTS:
        if environment.key not in ("mpyc", "crypten"):
            continue
        versions[environment.title] = set_up(environment, FOLDER)
        python = python_of(FOLDER, environment.key)
        found[environment.title] = {one.key: _taken(environment.key, python, one) for one in EXAMPLES}
    kept = {"versions": dict(sorted(versions.items(), reverse=True)), "found": found}
    PEERS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def _taken(key: str, python: Path, example: Example) -> dict[str, Any]:
    try:
        found = (_mpyc if key == "mpyc" else _crypten)(python, example)
    except PeerFailure as problem:
        found = {"failure": str(problem).splitlines()[0][:120]}
    print(f"{key}: {example.title}: {found}", flush=True)
    return found


def _mpyc(python: Path, example: Example) -> dict[str, Any]:
    short = _run(python, example, "mpyc", MPYC_PARTIES, SHORT)
    delay = min(LONG, BUDGET / short.all_in * SHORT)
    long = _run(python, example, "mpyc", MPYC_PARTIES, delay)
    rounds = (long.all_in - short.all_in) / (delay - SHORT)
    sent = sum(counts["bytes"] for counts in short.counts)
    return {"rounds": round(rounds), "bytes": int(sent), "error": _error(example, short.result)}


def _crypten(python: Path, example: Example) -> dict[str, Any]:
    one = _run(python, example, "crypten", example.owners, 0.0)
    rounds = statistics.median(counts["rounds"] for counts in one.counts)
    sent = sum(counts["bytes"] for counts in one.counts)
    return {"rounds": int(rounds), "bytes": int(sent), "error": _error(example, one.result)}


def _run(python: Path, example: Example, key: str, parties: int, delay: float) -> Run:
    contender = Contender(key, f"{key}_examples", parties, {"delay": delay})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "inputs.npz"
        arrays: dict[str, Any] = {f"x{k}": value for k, value in enumerate(values(example))}
        np.savez(path, **arrays)
        return run(contender, python, example.key, path, repeats=1, wan=False)


def values(example: Example) -> tuple[Array, ...]:
    """The owners' numbers."""
    inputs = (example.given,)
    (parts,) = randoms(inputs, {"m": example.size}, example.owners, "conformance")
    return tuple(example.given.plain(part) for part in parts)


def _error(example: Example, result: Array) -> float:
    reference = example.reference(values(example))
    wanted = reference if isinstance(reference, tuple) else (reference,)
    flat = np.concatenate([np.ravel(one).astype(float) for one in wanted])
    return float(np.abs(np.ravel(result) - flat).max())
