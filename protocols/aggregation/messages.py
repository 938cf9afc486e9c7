"""The bytes of each stage's messages. Malformed messages are refused here, before use.

Sizes follow from who answered alone (cost.py). Numbers are little-endian; a set of clients is a bit each.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mpc.errors import ProtocolError
from mpc.randomness.key_agreement import KEY_BYTES, SIGNATURE_BYTES, TAG_BYTES
from mpc.ring.array import Array
from protocols.aggregation.parts.shamir import PRIME, SHARE_BYTES

KEYS = "keys"
CHOICE = "choice"
SHARES = "shares"
MASKED = "masked"
CONSISTENCY = "consistency"
UNMASK = "unmask"
HIDDEN = "hidden"  # these two are the helper's alone
DISCLOSED = "told"

PAIR_BYTES = 2 * SHARE_BYTES  # a share of the mask key, and one of the self mask's seed
SEALED_BYTES = PAIR_BYTES + TAG_BYTES
COMMITMENT_BYTES = 32
ROOT_BYTES = 32
INDEX_BYTES = 4
KEYS_BYTES = 2 * KEY_BYTES
_HASH_BYTES = 32


def stages(malicious: bool) -> tuple[str, ...]:
    """The stages of a round, in order."""
    return (KEYS, CHOICE, SHARES, MASKED, CONSISTENCY, UNMASK) if malicious else (KEYS, SHARES, MASKED, UNMASK)


@dataclass(frozen=True)
class Keys:
    """A client's fresh public keys, and (with a lying server) its signature of them."""

    mask: bytes
    channel: bytes
    signature: bytes = b""

    @property
    def body(self) -> bytes:
        return self.mask + self.channel + self.signature


def read_keys(body: bytes, malicious: bool) -> Keys:
    """A client's keys.

    Raises:
        ProtocolError: as everywhere here, the body is not of the right length or form.
    """
    _exactly(body, KEYS_BYTES + (SIGNATURE_BYTES if malicious else 0), "keys")
    return Keys(body[:KEY_BYTES], body[KEY_BYTES:KEYS_BYTES], body[KEYS_BYTES:])


def keys_about(context: bytes, client: int) -> bytes:
    """The context that a client signs with its keys: the attempt, and the client's number."""
    return b"keys" + context + _index(client)


def consistency_about(context: bytes, root: bytes, bitmap: bytes) -> bytes:
    """The context of a client's tag of a set of survivors."""
    return b"survivors" + context + root + hashlib.sha256(bitmap).digest()


def write_key_list(keys: Mapping[int, Keys]) -> bytes:
    """Clients' keys, ascending."""
    return b"".join(_index(j) + keys[j].body for j in sorted(keys))


def read_key_list(body: bytes, malicious: bool) -> dict[int, Keys]:
    """Clients' keys by client; each client stands there once."""
    size = INDEX_BYTES + KEYS_BYTES + (SIGNATURE_BYTES if malicious else 0)
    if len(body) % size:
        raise ProtocolError("a list of keys is cut off")
    entries = [body[start : start + size] for start in range(0, len(body), size)]
    indices = [int.from_bytes(entry[:INDEX_BYTES], "little") for entry in entries]
    _ascending(indices)
    return {j: read_keys(entry[INDEX_BYTES:], malicious) for j, entry in zip(indices, entries, strict=True)}


def write_indices(indices: Sequence[int] | Array) -> bytes:
    """Clients, four bytes each."""
    return np.asarray(indices, dtype="<u4").tobytes()


def read_indices(body: bytes) -> tuple[int, ...]:
    """Clients, ascending and each once."""
    if len(body) % INDEX_BYTES:
        raise ProtocolError("a list of clients is cut off")
    indices = tuple(int(j) for j in np.frombuffer(body, dtype="<u4"))
    _ascending(indices)
    return indices


def write_bits(members: Sequence[bool] | Array) -> bytes:
    """A set as bits, the first in the lowest."""
    return np.packbits(np.asarray(members, dtype=bool), bitorder="little").tobytes()


def read_bits(body: bytes, count: int) -> Array:
    """`count` bits (bool); those that fill up the last byte are 0."""
    _exactly(body, -(-count // 8), "a set of clients")
    bits = np.unpackbits(np.frombuffer(body, dtype=np.uint8), bitorder="little").astype(bool)
    if bits[count:].any():
        raise ProtocolError("a set of clients has members that do not exist")
    return bits[:count]


def pieces(body: bytes, count: int, size: int, what: str) -> list[bytes]:
    """`count` pieces of `size` bytes each."""
    _exactly(body, count * size, what)
    return [body[start : start + size] for start in range(0, len(body), size)]


def read_shares(body: bytes, count: int) -> Array:
    """`count` shares (count, 9) of secrets, uint32; one that is no field element stands for 'I have none'."""
    _exactly(body, count * SHARE_BYTES, "shares")
    return np.frombuffer(body, dtype="<u4").reshape(count, -1)


NO_SHARE = b"\xff" * SHARE_BYTES
"""The answer of a holder that got no share it could open."""


def usable(share: Array) -> bool:
    """Whether a share (9,) is one."""
    return bool(np.all(share < PRIME))


def leaf(client: int, keys: Keys | None) -> bytes:
    """A client's leaf in the tree of all keys."""
    return hashlib.sha256(b"\0" + _index(client) + (keys.mask + keys.channel if keys else b"")).digest()


class KeyTree:
    """The server's commitment to all keys: a Merkle tree over the clients, with one proof for a set of them."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        self._size = len(leaves)
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._build(0, self._size, leaves)
        self.root = self._nodes[0, self._size]

    def _build(self, low: int, high: int, leaves: Sequence[bytes]) -> bytes:
        middle = (low + high) // 2
        if high - low == 1:
            node = leaves[low]
        else:
            node = _node(self._build(low, middle, leaves), self._build(middle, high, leaves))
        self._nodes[low, high] = node
        return node

    def proof(self, members: Sequence[int]) -> bytes:
        """The hashes beside the ways from these clients (ascending) to the root, in the order in which they are met."""

        def walk(low: int, high: int, first: int, last: int) -> bytes:  # over members[first:last], those inside
            if first == last:
                return self._nodes[low, high]
            if high - low == 1:
                return b""
            middle = (low + high) // 2
            split = bisect_left(members, middle, first, last)
            return walk(low, middle, first, split) + walk(middle, high, split, last)

        return walk(0, self._size, 0, len(members))


def root_from(size: int, leaves: Mapping[int, bytes], proof: bytes) -> bytes:
    """The root that follows from a proof and the leaves of its clients.

    Raises:
        ProtocolError: the proof has too few hashes, or too many.
    """
    if len(proof) % _HASH_BYTES:
        raise ProtocolError("a proof of keys is cut off")
    hashes = iter([proof[start : start + _HASH_BYTES] for start in range(0, len(proof), _HASH_BYTES)])
    members = sorted(leaves)

    def walk(low: int, high: int, first: int, last: int) -> bytes:  # over members[first:last], those inside
        if first == last:
            node = next(hashes, None)
            if node is None:
                raise ProtocolError("a proof of keys is too short")
            return node
        if high - low == 1:
            return leaves[low]
        middle = (low + high) // 2
        split = bisect_left(members, middle, first, last)
        left = walk(low, middle, first, split)
        return _node(left, walk(middle, high, split, last))

    root = walk(0, size, 0, len(members))
    if next(hashes, None) is not None:
        raise ProtocolError("a proof of keys is too long")
    return root


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _index(client: int) -> bytes:
    return client.to_bytes(INDEX_BYTES, "little")


def _ascending(indices: Sequence[int]) -> None:
    if any(a >= b for a, b in pairwise(indices)):
        raise ProtocolError("a list of clients is not in order, or names one twice")


def _exactly(body: bytes, size: int, what: str) -> None:
    if len(body) != size:
        raise ProtocolError(f"{what} of {len(body)} bytes came where {size} were due")
