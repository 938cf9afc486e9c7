"""A program whose rounds somebody looks at as they pass, without a part in them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from mpc.runtime.round import Program, Round


class Watched:
    """A program that is awaited; each of its rounds is shown to `see` before it leaves.

    Args:
        program: it may have begun no round yet.
        see: called with what the program awaits; a program that nobody checked may await something else than a round.
    """

    def __init__(self, program: Program, see: Callable[[Any], None]) -> None:
        self.program = program
        self._see = see

    def __await__(self) -> Generator[Round, Any, Any]:
        return self  # type: ignore[return-value]  # an iterator with a generator's methods, which `await` takes

    def __iter__(self) -> Watched:
        return self

    def __next__(self) -> Round:
        return self.send(None)

    def send(self, answer: Any) -> Round:
        """Go on with the answers to the last round; returns the next."""
        one = self.program.send(answer)
        self._see(one)
        return one

    def throw(self, problem: BaseException) -> Round:
        """Go on with an error in the last round's place."""
        return self.program.throw(problem)

    def close(self) -> None:
        """End the program where it is."""
        self.program.close()
