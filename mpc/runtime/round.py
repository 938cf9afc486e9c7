"""The one effect of a protocol: a round of communication, and the work that is done while its messages travel."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from mpc.errors import InternalError
from mpc.ring.array import Array
from mpc.ring.specs import Spec

Arrays = tuple[Array, ...]
Program = Coroutine["Round", Mapping[str, Arrays], Any]
T = TypeVar("T")

HEADER_BYTES: Final = 48
"""The bytes of a message beside its payload: a plan counts them, and the links' frames have as many."""


class Deferred(Generic[T]):
    """A value that is computed once: while a round's messages travel, or else at its first use."""

    __slots__ = ("_function", "_value")

    def __init__(self, function: Callable[[], T]) -> None:
        self._function: Callable[[], T] | None = function
        self._value: T

    def __call__(self) -> T:
        """The value."""
        if self._function is not None:
            self._value = self._function()
            self._function = None  # and let go of what it was worked out from
        return self._value


@dataclass(frozen=True)
class Blob:
    """Bytes of unknown length on the wire; at most `limit`. For handshakes only."""

    limit: int


class Round(NamedTuple):
    """This party's messages to each peer, and those it expects from each; `await` gives the arrays by sender.

    Args:
        send: peer -> the arrays, of unsigned machine words (or one `bytes`, where the peer declared a Blob).
        recv: peer -> what must come; a message of another length or label is refused before it is used.
        label: the round's name: it is part of every frame, so parties in different rounds find out.
        everyone: whether every owner does the same in this round, so that one owner's plan gives all owners' bytes.
        meanwhile: work that does not depend on the answers: done once this side's messages are on their way.
    """

    send: Mapping[str, Arrays | bytes]
    recv: Mapping[str, tuple[Spec, ...] | Blob]
    label: str
    everyone: bool = False
    meanwhile: tuple[Callable[[], object], ...] = ()

    def __await__(self) -> Generator[Round, Mapping[str, Any], Mapping[str, Any]]:
        answer = yield self
        return answer


async def together(*programs: Coroutine[Any, Any, Any]) -> list[Any]:
    """Run protocols side by side: their n-th rounds travel as one. As many rounds as the longest takes."""
    results: list[Any] = [None] * len(programs)
    waiting: dict[int, Round] = {}

    def resume(index: int, answer: Mapping[str, Any] | None) -> None:
        try:
            waiting[index] = programs[index].send(answer)
        except StopIteration as end:
            results[index] = end.value

    try:
        for index in range(len(programs)):
            resume(index, None)
        while waiting:
            rounds, waiting = waiting, {}
            answers = await _merged(list(rounds.values()))
            for index, answer in zip(rounds, answers, strict=True):
                resume(index, answer)
    finally:
        for program in programs:
            program.close()
    return results


async def _merged(rounds: list[Round]) -> list[Mapping[str, Any]]:
    if len(rounds) == 1:
        return [await rounds[0]]
    send: dict[str, Arrays] = {}
    recv: dict[str, tuple[Spec, ...]] = {}
    for one in rounds:
        for peer, arrays in one.send.items():
            if isinstance(arrays, bytes):
                raise InternalError("rounds of a handshake cannot run side by side")
            send[peer] = send.get(peer, ()) + arrays
        for peer, specs in one.recv.items():
            if isinstance(specs, Blob):
                raise InternalError("rounds of a handshake cannot run side by side")
            recv[peer] = recv.get(peer, ()) + specs
    label = " + ".join(dict.fromkeys(one.label for one in rounds))
    work = tuple(task for one in rounds for task in one.meanwhile)
    got = await Round(send, recv, label, all(one.everyone for one in rounds), work)
    answers: list[Mapping[str, Any]] = []
    taken = dict.fromkeys(got, 0)
    for one in rounds:
        part = {}
        for peer, wanted in one.recv.items():
            assert not isinstance(wanted, Blob)
            part[peer] = got[peer][taken[peer] : taken[peer] + len(wanted)]
            taken[peer] += len(wanted)
        answers.append(part)
    return answers
