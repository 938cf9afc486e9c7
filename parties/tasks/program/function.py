"""What runs of a file with a protocol; what goes wrong in it is told by its own lines."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from types import CoroutineType, FrameType
from typing import Any, Final

from mpc.errors import UsageError
from mpc.runtime.party import Party
from mpc.runtime.round import Round
from mpc.runtime.watched import Watched
from parties.scenario.program import CLIENT_ENDING, SERVER_ENDING, ProgramFile
from parties.tasks.own_code import authors_error, executed

Function = Callable[..., Coroutine[Any, Any, Any]]
REFERENCE_ENDING: Final = "_reference"

_MISSING: Final = "name a file and its function with --program FILE:FUNCTION: a scenario never names code"


Reference = Callable[..., Any]
"""What computes the same in the clear: a plain function."""


@dataclass(frozen=True)
class Loaded:
    """A protocol, and its plaintext reference if its file has one."""

    file: ProgramFile
    run: Function
    reference: Reference | None


@dataclass(frozen=True)
class Pair:
    """A protocol between a server and clients: its two functions, and its plaintext reference likewise."""

    file: ProgramFile
    client: Function
    server: Function
    reference: Reference | None


def load_protocol(program: ProgramFile | None, inputs: int) -> Loaded:
    """Execute the file, and find the protocol in it.

    Args:
        inputs: how many it gets beside its party.

    Raises:
        UsageError: nobody named a file; it fails as it is executed; the function is not there or takes other inputs.
    """
    if program is None:
        raise UsageError('kind = "program" runs a protocol that whoever takes part names', _MISSING)
    names = vars(executed(program))
    run = _function(program, names, program.function, inputs + 1, "the party and one parameter for each input")
    return Loaded(program, run, _reference(program, names, inputs))


def load_pair(program: ProgramFile | None, inputs: int | None) -> Pair:
    """Execute the file, and find the two functions of a protocol between a server and clients in it.

    Args:
        inputs: how many a client gets beside its end; None: that is not checked.

    Raises:
        UsageError: as of `load_protocol`.
    """
    if program is None:
        raise UsageError('kind = "star_program" runs a protocol that whoever takes part names', _MISSING)
    names = vars(executed(program))
    what = "the client and one parameter for each input"
    count = None if inputs is None else inputs + 1
    client = _function(program, names, program.function + CLIENT_ENDING, count, what)
    server = _function(program, names, program.function + SERVER_ENDING, 1, "the server alone")
    return Pair(program, client, server, _reference(program, names, inputs))


def _function(program: ProgramFile, names: Mapping[str, Any], name: str, count: int | None, what: str) -> Function:
    function = names.get(name)
    if not inspect.iscoroutinefunction(function):
        raise UsageError(f"{program.path}: '{name}' is no async function once the file has run")
    if count is not None:
        _check_parameters(program, function, count, what)
    return function


def _reference(program: ProgramFile, names: Mapping[str, Any], inputs: int | None) -> Reference | None:
    reference: Any = names.get(program.function + REFERENCE_ENDING)
    if reference is not None:
        if not callable(reference) or inspect.iscoroutinefunction(reference):
            raise UsageError(f"{program.path}: '{program.function}{REFERENCE_ENDING}' is no plain function")
        if inputs is not None:
            _check_parameters(program, reference, inputs, "one parameter for each input")
    found: Reference | None = reference
    return found


def _check_parameters(program: ProgramFile, function: Callable[..., Any], count: int, what: str) -> None:
    signature = inspect.signature(function)
    try:
        signature.bind(*range(count))
    except TypeError:
        line = inspect.unwrap(function).__code__.co_firstlineno
        raise UsageError(
            f"{program.path}, line {line}: {function.__name__}{signature} is given {count} values",
            f"it takes {what}: here {count} in all",
        ) from None


@dataclass
class _Progress:
    """How many rounds a protocol has had, and the last one's label; the frame that awaits what is no round.

    Args:
        word: what a round is called.
    """

    word: str
    rounds: int = 0
    label: str = ""
    at: FrameType | None = None

    def passed(self, label: str) -> None:
        self.rounds += 1
        self.label = label

    def __str__(self) -> str:
        return f"after {self.word} {self.rounds} ('{self.label}')" if self.rounds else f"before the first {self.word}"


async def follow(p: Party, one: Loaded, given: list[tuple[Any, ...]]) -> Any:
    """Run the protocol; an error in it names the party, the line and the round.

    Raises:
        UsageError: something in the author's function failed that is no error of ours by name, or misused a party.
        BeaverlodgeError: what the function itself raised.
    """
    return await watch(one.file, one.run(p, *given), "" if p.dry else p.name, Round, "round of a party")


async def watch(
    file: ProgramFile, program: Coroutine[Any, Any, Any], who: str, kind: type[Any], name: str, *, planned: str = ""
) -> Any:
    """Run a part of a protocol that awaits rounds of one kind; raises as `follow` does.

    Args:
        who: the party; '' while a plan is made.
        kind: of what it awaits; `name` in words: its first is what a round is called.
        planned: in whose place a plan is made, where that is not the same at all.
    """
    progress = _Progress(name.partition(" ")[0])

    def see(awaited: Any) -> None:
        if not isinstance(awaited, kind):
            progress.at = program.cr_frame if isinstance(program, CoroutineType) else None
            raise TypeError(f"it awaits a {type(awaited).__name__}, which is no {name}")
        progress.passed(awaited.label)

    try:
        return await Watched(program, see)
    except (Exception, SystemExit) as problem:
        when = f"{progress}" if who else f"while it was planned{planned and f' for {planned}'}, {progress}"
        raise authors_error(file, problem, when, who, progress.at) from None
