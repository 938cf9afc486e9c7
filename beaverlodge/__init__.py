"""What may be relied on from outside: the functions below for notebooks and scripts, `beaverlodge.protocol` for authors
of protocols, `mpc.testing` for their tests.

    simulate    runs a protocol of one's own, in this thread or with a process for every party
    run, plan   what `mpc run` and `mpc plan` do with a scenario
    read        the record of a run, as tables

All else may change from one version to the next. Nothing is imported before it is called, so that `import beaverlodge`
costs nothing. docs/python.md shows each.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from os import PathLike

    from beaverlodge.clients import SimulatedClients
    from beaverlodge.runs import PlannedRun, Run
    from beaverlodge.simulation import Simulated

__all__ = ["plan", "read", "run", "simulate"]


@overload
def simulate(
    program: str | Callable[..., Awaitable[Any]],
    inputs: Sequence[Any] | Mapping[str, Sequence[Any]],
    owners: int | None = None,
    processes: bool = False,
    network: str | None = None,
    trace: bool = True,
    *,
    clients: None = None,
    scale: int = 20,
    seed: int = 0,
    insecure_seed: int | None = None,
) -> Simulated: ...


@overload
def simulate(
    program: str | tuple[Callable[..., Awaitable[Any]], Callable[..., Awaitable[Any]]],
    inputs: Sequence[Any],
    owners: None = None,
    processes: bool = False,
    network: str | None = None,
    trace: bool = True,
    *,
    clients: int,
    scale: int = 20,
    seed: int = 0,
    insecure_seed: int | None = None,
) -> SimulatedClients: ...


def simulate(
    program: str | Callable[..., Awaitable[Any]] | tuple[Callable[..., Awaitable[Any]], ...],
    inputs: Sequence[Any] | Mapping[str, Sequence[Any]],
    owners: int | None = None,
    processes: bool = False,
    network: str | None = None,
    trace: bool = True,
    *,
    clients: int | None = None,
    scale: int = 20,
    seed: int = 0,
    insecure_seed: int | None = None,
) -> Simulated | SimulatedClients:
    """Run a protocol by owners and a helper, or with `clients` by a server and so many clients.

    It gets its `Party` and, for each input, a tuple with a share of what every owner gives, as `mpc simulate` has it.
    Where there is a plain function with its name and `_reference` beside it, the results are compared with that.

    Args:
        program: an async function, or "FILE:FUNCTION". With clients a pair of functions, the client's and the
            server's (docs/clients.md), or "FILE:NAME".
        inputs: what the owners give. Either one list an owner (or a dict of their names), with an array for each input:
            of real numbers, or of integers, which have scale 0. Or one `Input` of `mpc.testing` for each input, such as
            `reals((5,), scale=20, largest=100)`: made-up numbers of every owner.
        owners: how many; as many as there are lists, or 3, where left out.
        processes: whether every party is a process, with encrypted links and a record in a folder of `runs`. The
            program is then one of a file. Otherwise all run in this thread, and nothing is written.
        network: of processes: a preset of what the links are made to be like, such as "wan".
        trace: whether every party records its rounds.
        clients: how many clients; `inputs` then has one list a client, or describes what each draws.
        scale: fractional bits of real numbers.
        seed: public: what made-up numbers are drawn from.
        insecure_seed: makes all secret randomness repeatable. `views` and the trace then hold every value in clear;
            without it, they hold none.

    Raises:
        BeaverlodgeError: what is wrong with what was asked, or the first cause of a failure.
        KeyboardInterrupt: it was interrupted. No process is left by then.
    """
    from beaverlodge.simulation import Asked, simulated

    asked = Asked(program, inputs, owners, network, trace, scale, seed, insecure_seed)
    if clients is not None:
        from beaverlodge.clients import simulated_clients

        return simulated_clients(asked, clients, processes=processes)
    return simulated(asked, processes=processes)


def run(
    scenario: str | PathLike[str],
    *,
    out: str | PathLike[str] | None = None,
    program: str | None = None,
    network: str | None = None,
    trace: bool = False,
    compare: bool = True,
) -> Run:
    """Run every party of a scenario on this machine, each a process, as `mpc run` does.

    Args:
        scenario: its file.
        out: the folder of its record; a new one in `runs` where left out.
        program: FILE:FUNCTION, for `kind = "program"`.
        network: a preset of what the links are made to be like.
        trace: whether every party records its rounds.
        compare: whether the result is compared with the same in the clear.

    Raises:
        BeaverlodgeError: the first cause of a failure; the record then says `failed` and why.
        KeyboardInterrupt: it was interrupted. No process is left by then.
    """
    from beaverlodge.runs import run_scenario

    return run_scenario(scenario, out, program, network, trace=trace, compare=compare)


def plan(scenario: str | PathLike[str], *, program: str | None = None, network: str | None = None) -> PlannedRun:
    """What a scenario costs and who learns what, as `mpc plan` says it. Sends nothing.

    Args:
        scenario: its file.
        program: FILE:FUNCTION, for `kind = "program"`.
        network: a preset of the links.

    Raises:
        BeaverlodgeError: what is wrong with the scenario, or with the data that are here.
    """
    from beaverlodge.runs import plan_scenario

    return plan_scenario(scenario, program, network)


def read(folder: str | PathLike[str]) -> Run:
    """The record of a run in its folder.

    Raises:
        UsageError: there is no record that this version can read.
    """
    from beaverlodge.runs import read_run

    return read_run(folder)
