"""What a server sends the clients of a round: the model, and how features are scaled.

    phase 1 | word 1 | round 4 | weights 4 | features 4 | w | means | deviations

Numbers are little-endian. The weights w are float32 (word 4) or float64 (word 8), the scaling float64. The weights of a
message are those that were sent: what float32 cannot hold is rounded off before either side uses it.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from mpc.errors import ProtocolError
from mpc.ring.array import Array

Phase = Literal["scale", "train", "newton", "evaluate"]
PHASES: Final[tuple[Phase, ...]] = ("scale", "train", "newton", "evaluate")

_HEAD: Final = struct.Struct("<BBIII")
_KEY_BYTES: Final = 6
_HINT: Final = "the server does not follow the protocol, or is another version"
_DIVERGED: Final = "smaller steps may help: learning_rate, server_learning_rate, clip"


def _none() -> Array:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class Message:
    """One round's message.

    Args:
        phase: what the clients do with the model. Their draws depend on the round in phase "train" alone.
        t: the logical round: 1, 2, ...
        weights: (size,) float64; none in phase "scale".
        means, deviations: (features,) float64, where features are standardised and their scaling is known.
        word: bytes of a weight on the wire, 4 or 8.
    """

    phase: Phase
    t: int
    weights: Array = field(default_factory=_none)
    means: Array = field(default_factory=_none)
    deviations: Array = field(default_factory=_none)
    word: int = 8


def message_bytes(weights: int, features: int, word: int) -> int:
    """The size of a message with so many weights, and the scaling of so many features."""
    return _HEAD.size + word * weights + 16 * features


def write_message(message: Message) -> bytes:
    """A round's message.

    Raises:
        ProtocolError: it holds what no client takes: a weight that is too large, say.
    """
    one = message
    with np.errstate(over="ignore"):  # an infinite weight is found below
        weights = np.asarray(one.weights, dtype=f"<f{one.word}")
    head = _HEAD.pack(PHASES.index(one.phase), one.word, one.t, weights.size, one.means.size)
    scaling = np.concatenate((one.means, one.deviations)).astype("<f8")
    body = head + weights.tobytes() + scaling.tobytes()
    read_message(body)
    return body


def read_message(body: bytes) -> Message:
    """A round's message; who reads it checks that it has as many weights and features as its model.

    Raises:
        ProtocolError: it is malformed, or holds a number that is none, or a deviation that is not above 0.
    """
    if len(body) < _HEAD.size:
        raise ProtocolError("the round's message is cut off", _HINT, party="server")
    phase, word, t, size, features = _HEAD.unpack_from(body)
    if phase >= len(PHASES) or word not in (4, 8) or t == 0 or len(body) != message_bytes(size, features, word):
        raise ProtocolError("the round's message is malformed", _HINT, party="server")
    weights = np.frombuffer(body, f"<f{word}", size, _HEAD.size).astype(np.float64)
    means, deviations = np.frombuffer(body, "<f8", 2 * features, len(body) - 16 * features).reshape(2, features)
    if not all(np.isfinite(one).all() for one in (weights, means, deviations)):
        raise ProtocolError("the model holds numbers that are none, or too large: it diverged", _DIVERGED)
    if not (deviations > 0).all():
        raise ProtocolError("the round's message has a deviation that is not above 0", _HINT, party="server")
    return Message(PHASES[phase], t, weights, means, deviations, word)


def release_key(message: Message) -> int:
    """The number under which a client's journal keeps the survivors of the sum that follows a message: 48 bits.

    Two messages after which a client adds the same vector have the same key, whatever rounds they are of: in phase
    "train" the vector depends on the round's draws, in others on the model alone.
    """
    one = message
    words = np.concatenate((one.weights, one.means, one.deviations)) + 0.0  # which makes -0.0 the 0.0 that it equals
    round_ = one.t if one.phase == "train" else 0
    head = _HEAD.pack(PHASES.index(one.phase), 8, round_, one.weights.size, one.means.size)
    return int.from_bytes(hashlib.sha256(b"federated round" + head + words.tobytes()).digest()[:_KEY_BYTES], "little")


def message_digest(body: bytes) -> bytes:
    """32 bytes that name a message: part of the context of the sum that follows it (programs.py)."""
    return hashlib.sha256(b"federated message" + body).digest()
