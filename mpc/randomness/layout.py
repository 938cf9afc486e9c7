"""How an owner's parts of a correlation are cut out of its stream, and out of the helper's correction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mpc.randomness.correlation import Kind
from mpc.randomness.dealing import AT_ONCE
from mpc.randomness.streams import Stream
from mpc.ring.rings import Ring
from mpc.ring.specs import Spec
from mpc.sharing.share import Mask, Share

_STREAM_STEP: Final = 8  # `Stream.take` goes on by a multiple of this
_Places = list[tuple[int, tuple[int, ...], int, Ring]]  # where each part begins, its shape, scale and ring


class Cut:
    """The places of the parts of one kind, for all kinds with the same parts: to find them takes as long as to cut.

    Args:
        kind: any of them.
        corrected: whether the dealt parts are the helper's correction: at the last owner.
    """

    def __init__(self, kind: Kind, *, corrected: bool) -> None:
        self._drawn, self._dealt = kind.drawn, kind.dealt
        streamed = kind.drawn if corrected else kind.drawn + kind.dealt
        places, self._streamed_bytes = _places(streamed, _STREAM_STEP)
        count = len(kind.drawn)
        self._masks, self._shares = places[:count], places[count:]
        self._corrected, self.correction = _places(kind.dealt if corrected else (), 1)

    def fits(self, kind: Kind) -> bool:
        """Whether the kind has these parts."""
        return kind.drawn == self._drawn and kind.dealt == self._dealt

    def shares(self, stream: Stream, correction: memoryview) -> tuple[Share, ...]:
        """The parts of the next correlation: what was drawn as `Mask`s, and what was dealt.

        A small correction is copied: its words may lie anywhere in the window, which it is not to keep.

        Args:
            correction: `self.correction` bytes.
        """
        # Small parts are drawn all at once; of large ones, none is to keep the others' memory.
        drawn = stream.take(self._streamed_bytes) if self._streamed_bytes <= AT_ONCE else None
        parts: list[Share] = []
        for start, shape, scale, ring in self._masks:
            words = stream.uniform(shape, ring) if drawn is None else ring.at(drawn, start, shape)
            parts.append(Mask(words, scale, ring))
        for start, shape, scale, ring in self._shares:
            words = stream.uniform(shape, ring) if drawn is None else ring.at(drawn, start, shape)
            parts.append(Share(words, scale, ring))
        if self._corrected:
            if self.correction <= AT_ONCE:
                correction = memoryview(bytes(correction))
            for start, shape, scale, ring in self._corrected:
                parts.append(Share(ring.at(correction, start, shape), scale, ring))
        return tuple(parts)


def _places(specs: Sequence[Spec], step: int) -> tuple[_Places, int]:
    """The places of parts one after another, each from a multiple of `step` bytes on; and the end of the last."""
    places, end = [], 0
    for spec in specs:
        places.append((end, *spec))
        end += -(-spec.nbytes // step) * step
    return places, end
