"""The agreed range of a column, which bounds what a row of it can change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AgreedRange:
    """The range of a column: smaller values count as `low`, larger ones as `high`."""

    low: float
    high: float

    @property
    def centre(self) -> float:
        """The middle of the range."""
        return (self.low + self.high) / 2

    @property
    def half(self) -> float:
        """Half its width."""
        return (self.high - self.low) / 2
