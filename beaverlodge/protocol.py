"""All that a protocol is written with; docs/protocols.md has each name on one page."""

from __future__ import annotations

from mpc.correlation import (
    AnyBit,
    BitNumber,
    BitProduct,
    BitsOfMask,
    Kind,
    MatmulTriple,
    MultiplyTriple,
    Truncation,
    Uniform,
)
from mpc.fixed import decode, encode
from mpc.lockstep import Outcome, run_lockstep
from mpc.party import Party
from mpc.prg import insecure_entropy, os_entropy
from mpc.ring import B8, B64, Z64, Ring, wide
from mpc.round import together
from mpc.share import Mask, Masked, Public, Share
from mpc.specs import Spec
from protocols.beaver import matmul, multiply
from protocols.comparison import equal, less_than
from protocols.secure_sum import secure_sum
from protocols.selection import as_numbers, maximum, minimum, select
from protocols.truncation import truncate

__all__ = [
    "B8",
    "B64",
    "Z64",
    "AnyBit",
    "BitNumber",
    "BitProduct",
    "BitsOfMask",
    "Kind",
    "Mask",
    "Masked",
    "MatmulTriple",
    "MultiplyTriple",
    "Outcome",
    "Party",
    "Public",
    "Ring",
    "Share",
    "Spec",
    "Truncation",
    "Uniform",
    "as_numbers",
    "decode",
    "encode",
    "equal",
    "insecure_entropy",
    "less_than",
    "matmul",
    "maximum",
    "minimum",
    "multiply",
    "os_entropy",
    "run_lockstep",
    "secure_sum",
    "select",
    "together",
    "truncate",
    "wide",
]
