"""An owner's shares of correlated randomness: from its seed with the helper, or (the last owner) from corrections."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from mpc.errors import InternalError, ProtocolError
from mpc.randomness.correlation import Kind
from mpc.randomness.dealing import windows
from mpc.randomness.layout import Cut
from mpc.randomness.repeated import listed
from mpc.randomness.streams import Stream
from mpc.sharing.share import Share

_CUTS: Final = 4


class SeedSupply:
    """Draws the plan's correlations in order.

    Args:
        kinds: the plan's list; a program that asks for anything else is stopped.
        stream: the stream shared with the helper.
        next_window: for the last owner, fetches the next window of corrections; None for the others.
    """

    def __init__(self, kinds: Sequence[Kind], stream: Stream, next_window: Callable[[], Any] | None) -> None:
        self._kinds = listed(kinds)
        self._stream = stream
        self._next_window = next_window
        self._number = 0
        self._end = len(kinds)  # the number of the first correlation that it is not known yet whether it is asked for
        self._helper: str | None = None  # who deals, where it has a name
        self._window = memoryview(b"")
        self._ready: deque[tuple[Share, ...]] = deque()  # drawn, from number `self._number` on
        self._later: Callable[[Callable[[], None]], object] | None = None
        self._cuts: dict[type[Kind], deque[Cut]] = {}
        self._sizes: Iterator[int] = (window.nbytes for window in windows(kinds))

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

    def fork(self, way: bool) -> bool:
        """A list of correlations has no forks."""
        raise InternalError("the program goes one of two ways where its plan has no fork")

    def _draw_rest(self) -> None:
        while self._number + len(self._ready) < len(self._kinds):
            self._draw()

    def _draw(self) -> None:
        # The plan's own kind has parts like the one that is asked for: what follows from it is worked out.
        cut = self._cut(self._kinds.like(self._number + len(self._ready)))
        size = cut.correction
        if size and not len(self._window):
            self._fetch()
        correction, self._window = self._window[:size], self._window[size:]
        self._ready.append(cut.shares(self._stream, correction))

    def _cut(self, kind: Kind) -> Cut:
        """How to cut this one: as one of the last few of its kind, where batches are of one size or two."""
        cuts = self._cuts.setdefault(type(kind), deque(maxlen=_CUTS))
        for cut in cuts:
            if cut.fits(kind):
                return cut
        cuts.append(Cut(kind, corrected=self._next_window is not None))
        return cuts[-1]

    def _fetch(self) -> None:
        """Take the next window of corrections, which only the last owner asks for."""
        assert self._next_window is not None
        self._window = memoryview(self._next_window())
        if len(self._window) != (size := next(self._sizes)):
            sent = f"{self._helper or 'the helper'} sent {len(self._window)} bytes of corrections"
            raise ProtocolError(f"{sent} instead of {size}", party=self._helper)
