"""A simulated protocol with a process for every party, as `mpc simulate` runs it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from beaverlodge.simulation import Asked, Simulated
from mpc.errors import InterruptedRun, UsageError
from mpc.runtime.inputs import Input, each
from parties.cli.output import Output
from parties.cli.simulation import Simulation, scenario_of, scenario_text, simulated
from parties.processes.child import one_blas_thread
from parties.tasks.program.settings import input_of
from parties.tasks.registry import planned
from parties.trace.lanes import read_lanes

_FILE = "write it to a file (in a notebook: %%writefile price.py), and say 'price.py:price'"


@contextmanager
def as_interrupt() -> Iterator[None]:
    """Around a run in processes: where it was interrupted, the cell that runs it is, too.

    Raises:
        KeyboardInterrupt: by Ctrl-C, or another signal to end.
    """
    try:
        yield
    except InterruptedRun as error:
        raise KeyboardInterrupt(error.message) from None


def in_processes(asked: Asked) -> Simulated:
    """Run it; its record is in a new folder of `runs`."""
    one_blas_thread()
    said = Simulation(
        _file_of(asked.program),
        3 if asked.owners is None else asked.owners,
        tuple(_text(one) for one in asked.inputs),
        (),
        seed=asked.seed,
        network=asked.network,
        insecure_seed=asked.insecure_seed,
    )
    scenario = scenario_of(said.program, scenario_text(said))
    _, plan = planned(scenario)
    with as_interrupt():
        done = simulated(said, None, Output(quiet=True), lockstep=False, trace=asked.trace)
    return Simulated(
        said.program.rpartition(":")[2],
        scenario.owners,
        plan,
        done.record["program"]["results"],
        done.record.get("comparison") or {},
        asked.insecure_seed,
        {},
        done.folder,
        read_lanes(done.folder) if asked.trace else (),
    )


def _file_of(program: str | Callable[..., Any]) -> str:
    """FILE:FUNCTION of a program: what another process can read."""
    if isinstance(program, str):
        return program
    file = inspect.getsourcefile(program) if inspect.isfunction(program) else None
    if file is None or not file.endswith(".py") or program.__module__ == "__main__" or "." in program.__qualname__:
        raise UsageError("in processes the protocol is one of a file: this one is not", _FILE)
    return f"{file}:{program.__name__}"


def _text(one: Any) -> str:
    """An input as `mpc simulate --input` has it."""
    if not isinstance(one, Input):
        raise UsageError("in processes the owners give made-up numbers", "give `Input`s of mpc.testing, as reals(...)")
    text = "x".join(map(str, one.shape))
    if one.ring.xor:
        text = f"bits:{text}"
    elif one.scale == 0:
        text = f"integers:{text},low={one.low},high={one.high}"
    else:
        text = f"reals:{text},scale={one.scale},largest={one.high / 2**one.scale:.15f}"
    try:
        same = input_of(text) == each(one)
    except ValueError:
        same = False
    if one.private or not same:
        raise UsageError(f"in processes there is no such input: {one}", "see docs/simulate.md for those that there are")
    return text
