"""Where the parts of a correlation lie, in an owner's stream and in the helper's correction.

The helper and the owners draw by the same layout, so that both have the same parts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from mpc.randomness.correlation import Kind
from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from mpc.ring.rings import Ring
from mpc.ring.specs import Spec
from mpc.sharing.share import Mask, Share

AT_ONCE: Final = 1 << 17
"""The bytes of parts that share one piece of memory, which is freed as a whole."""

Parts = tuple[tuple[Array, ...], tuple[Array, ...]]
"""An owner's drawn parts of a correlation, and its dealt ones."""

_STREAM_STEP: Final = 8  # `Stream.take` goes on by a multiple of this
_REMEMBERED: Final = 4
_Places = list[tuple[int, tuple[int, ...], Ring]]  # where each part begins, its shape and ring


class Layout:
    """The places of the parts of a kind, and of all kinds with the same parts; finding them takes as long as drawing.

    Args:
        kind: any of them.
        corrected: whether the dealt parts are the helper's correction: at the last owner.

    Attributes:
        drawn, dealt: as the kind has them.
        correction: bytes of it; 0 where it is not this owner's.
    """

    def __init__(self, kind: Kind, *, corrected: bool) -> None:
        self.drawn, self.dealt = kind.drawn, kind.dealt
        streamed = kind.drawn if corrected else kind.drawn + kind.dealt
        self._streamed, self._streamed_bytes = _places(streamed, _STREAM_STEP)
        self._corrected, self.correction = _places(kind.dealt if corrected else (), 1)

    def fits(self, kind: Kind) -> bool:
        """Whether the kind has these parts."""
        return kind.drawn == self.drawn and kind.dealt == self.dealt

    def draw(self, stream: Stream) -> Parts:
        """An owner's parts from its seed with the helper: no dealt ones, where they are the correction."""
        # Small parts are drawn all at once; of large ones, none is to keep the others' memory.
        if self._streamed_bytes > AT_ONCE:
            words = tuple([stream.uniform(shape, ring) for _, shape, ring in self._streamed])
        else:
            taken = stream.take(self._streamed_bytes)
            words = tuple([ring.at(taken, start, shape) for start, shape, ring in self._streamed])
        count = len(self.drawn)
        return words[:count], words[count:]

    def shares(self, stream: Stream, correction: memoryview) -> tuple[Share, ...]:
        """The parts of the next correlation, as `as_shares` has them.

        A small correction is copied: its words may lie anywhere in the window, which it is not to keep.

        Args:
            correction: `self.correction` bytes.
        """
        drawn, dealt = self.draw(stream)
        if self._corrected:
            if self.correction <= AT_ONCE:
                correction = memoryview(bytes(correction))
            dealt = tuple([ring.at(correction, start, shape) for start, shape, ring in self._corrected])
        return as_shares(self, drawn, dealt)


class Layouts:
    """The layouts of the last few kinds of each sort, such as those of batches of one or two sizes.

    Args:
        corrected: as in `Layout`, for all of them.
    """

    def __init__(self, *, corrected: bool) -> None:
        self._corrected = corrected
        self._known: dict[type[Kind], deque[Layout]] = {}

    def of(self, kind: Kind) -> Layout:
        """The layout of a kind's parts."""
        known = self._known.setdefault(type(kind), deque(maxlen=_REMEMBERED))
        for layout in known:
            if layout.fits(kind):
                return layout
        known.append(Layout(kind, corrected=self._corrected))
        return known[-1]


def as_shares(kind: Kind | Layout, drawn: Sequence[Array], dealt: Sequence[Array]) -> tuple[Share, ...]:
    """The parts of a correlation: what was drawn as `Mask`s, and what was dealt as `Share`s."""
    parts: list[Share] = [Mask(value, spec.scale, spec.ring) for spec, value in zip(kind.drawn, drawn, strict=True)]
    parts += [Share(value, spec.scale, spec.ring) for spec, value in zip(kind.dealt, dealt, strict=True)]
    return tuple(parts)


def _places(specs: Sequence[Spec], step: int) -> tuple[_Places, int]:
    """The places of parts one after another, each from a multiple of `step` bytes on; and the end of the last."""
    places, end = [], 0
    for spec in specs:
        places.append((end, spec.shape, spec.ring))
        end += -(-spec.nbytes // step) * step
    return places, end
