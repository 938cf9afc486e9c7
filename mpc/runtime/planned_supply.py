"""An owner's shares of a plan's correlations, along the ways that its program takes at forks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from mpc.errors import InternalError
from mpc.randomness.repeated import listed
from mpc.randomness.streams import Stream
from mpc.randomness.supply import SeedSupply
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan


class PlannedSupply(SeedSupply):
    """Draws a plan's correlations in order, and after each fork those of the way that the program takes.

    Nothing that comes after a fork is drawn before it is known which way it goes.

    Args:
        plan: as long as nothing else is said, every fork goes the way `False`.
        tell: called at each fork with the way; for the last owner, to tell the helper.
    """

    def __init__(
        self,
        plan: Plan,
        stream: Stream,
        next_window: Callable[[], Any] | None,
        tell: Callable[[bool], None] = lambda way: None,
    ) -> None:
        super().__init__(plan.kinds, stream, next_window)
        self._plan = plan
        self._helper = plan.helper
        self._tell = tell
        self._ways: list[bool] = []
        self._sizes = iter(plan.windows)
        self._end = self._next_fork()

    def draw_ahead(self, later: Callable[[Callable[[], None]], object]) -> None:
        """Draw all of a small plan while the messages travel of the round that needs the first of it.

        Args:
            later: given something to do, has it done in the next round.
        """
        if self._plan.small:
            self._later = later

    def fork(self, way: bool) -> bool:
        """The program goes this way from here on."""
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
            party: whose program it was.

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
