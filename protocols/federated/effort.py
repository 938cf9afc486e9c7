"""What a client's own work in a round takes, from shapes alone: for the plan, and for a device that sets a limit.

    seconds   steps x (layers x 15 us + weights x 1.5 ns) + rows x epochs x (widths x 1 ns + weights x 0.15 ns)
    bytes     the rows; and the larger of a training step's arrays and of the vector as it is coded

The constants were measured in one thread on the machine of docs/aggregation.md, for models from 21 to 200,000 weights;
times were between 0.6 and 1.4 times these. Masks and shares are not in it: protocols/aggregation/cost.py has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from protocols.federated.local import Local
from protocols.federated.models import Network

_LAYER: Final = 15e-6
_STEP_WEIGHT: Final = 1.5e-9
_ROW_WIDTH: Final = 1e-9
_ROW_WEIGHT: Final = 0.15e-9
_CODED_NUMBER: Final = 1e-8

_REAL: Final = 8  # bytes
_MODELS: Final = 6  # vectors as long as the model that a step holds
_OUTPUTS: Final = 4  # arrays of a layer's outputs that a gradient holds
_CODED: Final = 5  # arrays of the vector that its coding holds
_DRAWN_AHEAD: Final = 1 << 17  # the most that a stream of bytes draws ahead


@dataclass(frozen=True)
class Effort:
    """What a round takes of a client.

    Args:
        seconds: of one core.
        bytes: of arrays that it holds at the same time.
    """

    seconds: float
    bytes: int


def effort(model: Network, rows: int, how: Local, numbers: int) -> Effort:
    """A training on so many rows, and the coding of a vector of so many numbers."""
    batch = min(how.batch_size or rows, rows)
    steps = how.epochs * (-(-rows // batch) if rows else 0)
    widths, outputs = sum(model.widths), sum(model.widths[1:])
    seconds = steps * (_LAYER * (len(model.widths) - 1) + _STEP_WEIGHT * model.size)
    seconds += how.epochs * rows * (_ROW_WIDTH * widths + _ROW_WEIGHT * model.size)
    order = _REAL * rows + max(_REAL * rows, min(_DRAWN_AHEAD, 4 * _REAL * rows))
    step = _REAL * (_MODELS * model.size + batch * (model.widths[0] + 1 + _OUTPUTS * outputs)) + order
    coded = coding(model.size, numbers)
    return Effort(seconds + coded.seconds, _REAL * rows * (model.widths[0] + 1) + max(step, coded.bytes))


def coding(weights: int, numbers: int) -> Effort:
    """The coding of a vector of so many numbers with an update of so many weights, alone."""
    return Effort(numbers * _CODED_NUMBER, _REAL * (_CODED * numbers + 2 * weights))
