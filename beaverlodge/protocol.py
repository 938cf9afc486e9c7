"""All that a protocol is written with; docs/protocols.md has each name on one page."""

from __future__ import annotations

from mpc.randomness.correlation import (
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
from mpc.randomness.key_agreement import KEY_BYTES, KeyPair, seal, unseal
from mpc.randomness.streams import Stream, derive, insecure_entropy, os_entropy
from mpc.ring.fixed_point import decode, encode
from mpc.ring.rings import B8, B64, Z64, Ring, wide
from mpc.ring.specs import Spec
from mpc.runtime.lockstep import Outcome, run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.round import together
from mpc.sharing.share import Mask, Masked, Public, Share, concatenate
from mpc.star.members import INDEX_BYTES, Client, Server, listed, read_listed
from mpc.star.play import run_clients
from protocols.core.beaver import matmul, multiply
from protocols.core.comparison import equal, less_than
from protocols.core.order import order_statistics, ranks
from protocols.core.secure_sum import secure_sum
from protocols.core.selection import as_numbers, maximum, minimum, select
from protocols.core.truncation import truncate

__all__ = [
    "B8",
    "B64",
    "INDEX_BYTES",
    "KEY_BYTES",
    "Z64",
    "AnyBit",
    "BitNumber",
    "BitProduct",
    "BitsOfMask",
    "Client",
    "KeyPair",
    "Kind",
    "Mask",
    "Masked",
    "MatmulTriple",
    "MultiplyTriple",
    "Outcome",
    "Party",
    "Public",
    "Ring",
    "Server",
    "Share",
    "Spec",
    "Stream",
    "Truncation",
    "Uniform",
    "as_numbers",
    "concatenate",
    "decode",
    "derive",
    "encode",
    "equal",
    "insecure_entropy",
    "less_than",
    "listed",
    "matmul",
    "maximum",
    "minimum",
    "multiply",
    "order_statistics",
    "os_entropy",
    "ranks",
    "read_listed",
    "run_clients",
    "run_lockstep",
    "seal",
    "secure_sum",
    "select",
    "together",
    "truncate",
    "unseal",
    "wide",
]
