"""A simulated protocol with a process for every party, as `mpc simulate` runs it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from beaverlodge.given import Given, OwnersInput, given_by
from beaverlodge.simulation import Asked, Simulated
from mpc.errors import InterruptedRun, UsageError
from parties.cli.output import Output
from parties.cli.simulation import Simulation, run_simulation, scenario_of, scenario_text
from parties.scenario.program import GIVEN
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
    given = given_by(asked)
    said = Simulation(
        program=place_of(asked.program),
        inputs=tuple(map(_text, given.inputs)),
        seed=asked.seed,
        network=asked.network,
        insecure_seed=asked.insecure_seed,
        names=given.owners,
        given=_words(given),
    )
    scenario = scenario_of(said.program, scenario_text(said))
    _, plan = planned(scenario)
    with as_interrupt():
        done = run_simulation(said, None, Output(quiet=True), lockstep=False, trace=asked.trace)
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


def place_of(program: Any, ending: str = "") -> str:
    """FILE:NAME of a function at the top of a file, which another process can read.

    Args:
        program: the function, or already FILE:NAME.
        ending: of the function's name, which NAME lacks.

    Raises:
        UsageError: it is none, or its name ends otherwise.
    """
    if isinstance(program, str):
        return program
    file = inspect.getsourcefile(program) if inspect.isfunction(program) else None
    at_top = file is not None and program.__module__ != "__main__" and "." not in program.__qualname__
    if not at_top or not str(file).endswith(".py") or not program.__name__.endswith(ending):
        raise UsageError("in processes the protocol is one of a file: this one is not", _FILE)
    return f"{file}:{program.__name__.removesuffix(ending)}"


def _text(one: OwnersInput) -> str:
    """An input as a scenario has it."""
    kind = one.kind
    shape = "x".join(map(str, one.words[0].shape))
    if not one.drawn:
        if len({words.shape for words in one.words}) > 1:
            raise UsageError(
                "in processes all owners' arrays of an input have one shape", "simulate(...) in one thread"
            )
        text = f"{GIVEN}:{shape},scale={kind.scale}"
    elif kind.ring.xor:
        text = f"bits:{shape}"
    elif kind.scale == 0:
        text = f"integers:{shape},low={kind.low},high={kind.high}"
    else:
        text = f"reals:{shape},scale={kind.scale},largest={kind.high / 2**kind.scale:.15f}"
    try:
        found = input_of(text)
    except ValueError as error:
        raise UsageError(f"in processes there is no such input: {error.args[0]}", *error.args[1:]) from None
    if kind.private or (one.drawn and found != kind):
        raise UsageError("in processes there is no such input", f"it is {kind}; see docs/simulate.md for what there is")
    return text


def _words(given: Given) -> dict[str, tuple[str, ...]]:
    """The arrays that each owner's process is sent: its own, in hexadecimal."""
    own = [one for one in given.inputs if not one.drawn]
    if not own:
        return {}
    return {
        owner: tuple(bytes(one.kind.ring.to_bytes(one.words[k])).hex() for one in own)
        for k, owner in enumerate(given.owners)
    }
