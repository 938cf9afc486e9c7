"""An owner's shares of a plan's correlations: from its seed with the helper, or (the last owner) from corrections."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from mpc.errors import InternalError, ProtocolError
from mpc.randomness.correlation import Kind
from mpc.randomness.layout import Layouts
from mpc.randomness.repeated import listed
from mpc.randomness.streams import Stream
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan
from mpc.sharing.share import Share


class PlannedSupply:
    """Draws a plan's correlations in order, and after each fork those of the way that the program takes.

    Nothing that comes after a fork is drawn before its way is known.

    Args:
        plan: a program that asks for anything else is stopped. All forks take the way `False` until `fork` is called.
        stream: the stream shared with the helper.
        next_window: for the last owner, fetches the next window of corrections; None for the others.
        tell: called at each fork with the way; at the last owner it sends the way to the helper.
    """

    def __init__(
        self,
        plan: Plan,
        stream: Stream,
        next_window: Callable[[], Any] | None,
        tell: Callable[[bool], None] = lambda way: None,
    ) -> None:
        self._plan = plan
        self._kinds = listed(plan.kinds)
        self._stream = stream
        self._next_window = next_window
        self._tell = tell
        self._ways: list[bool] = []
        self._number = 0
        self._end = self._next_fork()  # of the first correlation that it is not known yet whether it is asked for
        self._sizes: Iterator[int] = iter(plan.windows)
        self._window = memoryview(b"")
        self._ready: deque[tuple[Share, ...]] = deque()  # drawn, from number `self._number` on
        self._later: Callable[[Callable[[], None]], object] | None = None
        self._layouts = Layouts(corrected=next_window is not None)

    def next(self, kind: Kind) -> tuple[int, tuple[Share, ...]]:
        """The next correlation: its number, this owner's drawn parts as `Mask`s, and its dealt parts as `Share`s."""
        number = self._number
        if number >= self._end or self._kinds[number] != kind:
            raise InternalError(f"the program asks for a correlation ({type(kind).__name__}) that is not in its plan")
        if not self._ready:
            self._draw()
            if self._later is not None:
                self._later(self._draw_rest)
                self._later = None
        self._number += 1
        return number, self._ready.popleft()

    def draw_ahead(self, later: Callable[[Callable[[], None]], object]) -> None:
        """Draw all of a small plan while the messages travel of the round that needs the first of it.

        Args:
            later: takes a function, and has it called in the next round.
        """
        if self._plan.small:
            self._later = later

    def fork(self, way: bool) -> bool:
        """Note the way that the program takes from here on."""
        if self._number != self._end:
            raise InternalError("the program goes one of two ways where its plan has no fork")
        self._tell(way)
        self._ways.append(way)
        if way:
            dealt = sum(1 for turn in self._plan.turns if turn < len(self._ways))
            self._plan = self._plan.on(self._ways)
            self._kinds, self._sizes = listed(self._plan.kinds), islice(self._plan.windows, dealt, None)
        self._end = self._next_fork()
        return way

    def finish(self, party: Party) -> None:
        """Compare what the program drew and opened, now that it has ended, with the plan of the ways that it took.

        What a program opens is checked as it does so: it is masked, under a mask of its own, or declared. This checks
        the whole once more. A program whose flow followed a value without `fork`, at all owners alike, may have passed
        each single check, and has opened something else than what was shown before the run.

        Args:
            party: the program's party.

        Raises:
            InternalError: the program drew fewer correlations than its plan has, or opened more or less.
        """
        drawn = (self._number, len(self._kinds), "drew", "correlations")
        planned = dict(self._plan.opened)
        opened = [
            (party.opened.get(label, 0), planned.get(label, 0), "opened", f"values in '{label}'")
            for label in {**planned, **party.opened}
        ]
        for done, expected, verb, what in (*opened, drawn):
            if done != expected:
                raise InternalError(
                    f"{party.name} {verb} {done} {what}, where its plan has {expected}",
                    "the program is not the one that was planned: do not use its result",
                    party=party.name,
                )

    def _next_fork(self) -> int:
        forks = self._plan.forks
        return forks[len(self._ways)] if len(self._ways) < len(forks) else len(self._kinds)

    def _draw_rest(self) -> None:
        while self._number + len(self._ready) < len(self._kinds):
            self._draw()

    def _draw(self) -> None:
        # The plan's own kind has parts like the one that is asked for: what follows from it is worked out.
        layout = self._layouts.of(self._kinds.like(self._number + len(self._ready)))
        size = layout.correction
        if size and not len(self._window):
            self._fetch()
        correction, self._window = self._window[:size], self._window[size:]
        self._ready.append(layout.shares(self._stream, correction))

    def _fetch(self) -> None:
        """Take the next window of corrections, which only the last owner asks for."""
        assert self._next_window is not None
        self._window = memoryview(self._next_window())
        if len(self._window) != (size := next(self._sizes)):
            sent = f"{self._plan.helper} sent {len(self._window)} bytes of corrections"
            raise ProtocolError(f"{sent} instead of {size}", party=self._plan.helper)
