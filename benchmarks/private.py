"""What the benchmarks of models with [privacy] share: the command, a run of two owners, and diffprivlib's process."""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from mpc.randomness.streams import Stream, derive, os_entropy
from mpc.runtime.lockstep import run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import ProgramFactory

EPSILONS: Final = (0.1, 0.3, 1.0, 3.0, 10.0)
DELTA: Final = 1e-6
_HELD_OUT: Final = 0.2
_TO_GET_IT: Final = """An interpreter that has diffprivlib:

    python -m venv build/diffprivlib
    build/diffprivlib/bin/pip install diffprivlib==0.6.6 'scikit-learn<1.7' 'scipy<1.16'
"""

Own = TypeVar("Own")


def arguments(what: str | None) -> argparse.Namespace:
    """The command's: `repeats` and `diffprivlib`.

    Args:
        what: the benchmark does.
    """
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=what, epilog=_TO_GET_IT, formatter_class=raw)
    parser.add_argument("--repeats", type=int, default=20, help="trials; each holds out other rows")
    parser.add_argument("--diffprivlib", type=Path, help="an interpreter that has it; without one it is left out")
    return parser.parse_args()


def held_out(repeats: int, rows: int) -> NDArray[np.bool_]:
    """Which rows each trial holds out (repeats, rows): a fifth, the same for every contender."""
    return np.random.default_rng(1).random((repeats, rows)) < _HELD_OUT


def run(owners: Mapping[str, Own], job: Callable[[Party, Own | None, Stream | None], Coroutine[Any, Any, Any]]) -> Any:
    """The first owner's result of a run in this process, in which nobody knows the noise.

    Args:
        owners: each owner's data.
        job: what an owner runs on them, with its own randomness; a dry party has neither.
    """

    def factory(own: Own) -> ProgramFactory:
        def program(p: Party) -> Any:
            if p.dry:
                return job(p, None, None)
            return job(p, own, Stream(derive(os_entropy("noise"), "an owner's noise")))

        return program

    entropy = dict.fromkeys((*owners, "helper"), os_entropy)
    done = run_lockstep({name: factory(own) for name, own in owners.items()}, entropy=entropy)
    return done.results[next(iter(owners))]


def diffprivlib(python: Path, program: str, **arrays: Any) -> Any:
    """What a program of `peers/` prints of these arrays, as JSON, in an environment that has diffprivlib."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trials.npz"
        np.savez(path, **arrays)
        command = [python, Path(__file__).resolve().parent / "peers" / program, path]
        return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
