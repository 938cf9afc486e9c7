"""An author's two functions, each as a party runs it, and both on made-up inputs for the plan."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mpc.errors import UsageError
from mpc.faults.fault import Fault
from mpc.randomness.streams import Entropy, insecure_entropy, os_entropy
from mpc.ring.array import Array
from mpc.star.members import Client, Gathered, Server
from mpc.star.play import Played, play
from mpc.star.stage import Exchange, Gather
from parties.tasks.program.function import Pair, load_pair, watch
from parties.tasks.program.results import check
from parties.tasks.program.star.data import STAND_INS, shapes_of, stand_ins
from parties.tasks.program.star.settings import StarProgramScenario
from parties.tasks.star.base import ClientMistake

PLAN_SESSION = bytes(36)


def pair_of(scenario: StarProgramScenario) -> Pair:
    """The protocol's two functions. Executes the file.

    Raises:
        UsageError: no file was named, or it is not fit.
    """
    return load_pair(scenario.program, len(scenario.task.inputs))


async def client_program(pair: Pair, me: Client, given: Sequence[Array], who: str) -> Any:
    """One client's part; returns what its function does.

    Args:
        who: its name; '' for a plan.

    Raises:
        ClientMistake: the author's function failed.
        BeaverlodgeError: what it raised itself.
    """
    try:
        program, of = pair.client(me, *given), f"client {me.number}"
        result = await watch(pair.file, program, who, Exchange, "stage of a client", planned=of)
        check(result, pair.file, dry=False)
    except UsageError as error:
        if pair.file.alone:  # a process of its own, on a machine of its own
            raise
        raise ClientMistake(error) from None
    return result


async def server_program(pair: Pair, s: Server, who: str) -> Any:
    """The server's part; raises as `watch` does."""
    result = await watch(pair.file, pair.server(s), who, Gather, "stage of a server", planned="the server")
    check(result, pair.file, dry=False)
    return result


@dataclass(frozen=True)
class Planned:
    """What a run costs, from runs on made-up inputs.

    Args:
        exact: whether the same was sent with other inputs; if not, the sizes of messages depend on data.
    """

    played: Played
    exact: bool


def planned_run(scenario: StarProgramScenario, pair: Pair) -> Planned:
    """The stages and bytes of a run in which nobody drops out.

    Raises:
        BeaverlodgeError: the author's code fails, or the server does.
    """
    first, *others = (_dry(scenario, pair, which, {}) for which in range(STAND_INS))
    first.check_whole()
    return Planned(first, all(one.stages == first.stages for one in others))


def replay(scenario: StarProgramScenario, pair: Pair, gone: Mapping[int, str]) -> Played:
    """The plan of a run, given who answered.

    Args:
        gone: client -> the first stage in which it did not answer.
    """
    return _dry(scenario, pair, 0, {i: Fault("vanish", stage=stage) for i, stage in gone.items()})


def _dry(scenario: StarProgramScenario, pair: Pair, which: int, faults: Mapping[int, Fault]) -> Played:
    """A run on made-up inputs."""

    def client(me: Client) -> Coroutine[Any, Any, Any]:
        return client_program(pair, me, stand_ins(scenario, which, me.number), "")

    names, entropy = (*scenario.client_names, scenario.server), partial(insecure_entropy, 0)
    run = partial(play, client, lambda s: server_program(pair, s, ""), names, entropy, PLAN_SESSION)
    try:
        return run(shapes_of(scenario), faults, dry=True)
    except ClientMistake as mistake:
        raise mistake.error from None


def entropy_of(scenario: StarProgramScenario) -> Callable[[str], Entropy]:
    """Each party's source of secrets."""
    seed = scenario.test_seed
    return (lambda name: os_entropy) if seed is None else partial(insecure_entropy, seed)


def gone_in(stages: tuple[Gathered, ...], clients: int) -> dict[int, str]:
    """The clients that did not answer in every stage, each with the first such stage."""
    found: dict[int, str] = {}
    for one in stages:
        for i in set(range(clients)) - set(one.answered):
            found.setdefault(i, one.label)
    return found
