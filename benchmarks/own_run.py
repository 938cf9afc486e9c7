"""One training by our launcher, in a process of its own, as the command is one: `python -m benchmarks.own_run ORDER`.

The benchmarks' own process has threads, so that parties which it starts could not be copies of it, as those of
`mpc run` are of theirs (`parties.forked`).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mpc.errors import BeaverlodgeError, error_of_code
from parties.children import one_blas_thread

_ORDER: Final = "order.json"
_OUTCOME: Final = "outcome.json"


@dataclass(frozen=True)
class OwnRun:
    """What a run came to.

    Args:
        results: what each party reported.
        setup_seconds: from the launch to the first step.
        steps: of the training.
        peak_bytes: the most memory that one of its processes held.
    """

    results: dict[str, dict[str, Any]]
    setup_seconds: float
    steps: int
    peak_bytes: int


def own_run(scenario: Path, folder: Path, *, encrypted: bool, wan: bool) -> OwnRun:
    """Run a scenario's training in an empty folder.

    Raises:
        BeaverlodgeError: the first cause of its failure.
        RuntimeError: the process ended otherwise.
    """
    order = {"scenario": str(scenario), "out": str(folder), "encrypted": encrypted, "wan": wan}
    (folder / _ORDER).write_text(json.dumps(order), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.own_run", str(folder / _ORDER)],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise RuntimeError(said[-1] if said else f"a run of ours ended with exit code {done.returncode}")
    outcome = json.loads((folder / _OUTCOME).read_text(encoding="utf-8"))
    if "failure" in outcome:
        raise error_of_code(outcome["code"])(outcome["failure"])
    return OwnRun(**outcome)


def main(words: list[str]) -> int:
    """Carries out the order, and leaves what came of it beside it."""
    path = Path(words[0])
    order = json.loads(path.read_text(encoding="utf-8"))
    one_blas_thread()  # before numpy is loaded
    from benchmarks.ours import launch_training
    from parties.member import load_libraries
    from parties.scenario import load_scenario

    outcome: dict[str, Any]
    try:
        scenario = load_scenario(Path(order["scenario"]))
        load_libraries(scenario)
        results, watched = launch_training(scenario, Path(order["out"]), encrypted=order["encrypted"], wan=order["wan"])
    except KeyboardInterrupt:
        return 130  # who ordered it was interrupted, too
    except BeaverlodgeError as error:
        outcome = {"failure": str(error), "code": error.code}
    else:
        outcome = {
            "results": results,
            "setup_seconds": watched.setup_seconds,
            "steps": watched.steps,
            "peak_bytes": watched.peak_bytes,
        }
    written = path.with_name(_OUTCOME + ".new")
    written.write_text(json.dumps(outcome), encoding="utf-8")
    os.replace(written, path.with_name(_OUTCOME))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
