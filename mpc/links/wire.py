"""Frames: a header of 48 bytes, then the arrays' little-endian words back to back. Pure functions.

    magic 2 | version 1 | type 1 | label 4 | sequence 8 | acknowledged 8 | payload bytes 8 | tag 16

Magic and version stand first in every version of this format, so that each can tell which one another party has. The
label is a checksum of the round's label. The tag is over (session, sender, header, payload): the session and the
sender are in its key, see `TagKey`. Lengths are checked against what the round declares before anything is read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from hmac import compare_digest
from typing import Final, NamedTuple
from zlib import crc32

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mpc.errors import DisagreementError, ProtocolError
from mpc.randomness.streams import derive
from mpc.runtime.round import HEADER_BYTES

MAGIC = b"BL"
WIRE_VERSION = 7
_UNTAGGED = struct.Struct("<2sBBIQQQ")
_TAGGED = struct.Struct("<2sBBIQQQ16s")
TAG_BYTES = 16
assert _TAGGED.size == HEADER_BYTES
TYPE_AT: Final = 3

DATA, RESUME, ABORT = 1, 2, 3
PROBE = 4  # outside every session: see mpc/links/probe.py
SIGN = 5  # see mpc/links/waiting.py
TYPES = (DATA, RESUME, ABORT, SIGN)


_VERSION: Final = bytes([WIRE_VERSION])
_NO_NONCE = bytes(12)
_LONG: Final = 1 << 14  # bytes of a payload from which on it takes longer to copy it than to hash it apart


@dataclass(frozen=True)
class TagKey:
    """The key of the tags in one direction of a link.

    A tag is AES of a secret hash of the header, which says the payload's length, and the payload; or of a long one, of
    another secret hash of it (hash, then a pseudo-random function: Wegman and Carter 1981; the permutation of 2^128
    values is told from one after some 2^64 tags). The hash is GHASH, 20 times as fast as BLAKE2b, and for short texts,
    too, faster than anything else here. Two texts that are not told its key collide with a chance of their blocks /
    2^128, and its values, which nobody sees but AES, need no nonce.
    """

    key: bytes = field(repr=False)

    @cached_property
    def _hash(self) -> AESGCM:
        return AESGCM(derive(self.key, "hash of frames"))

    @cached_property
    def _payload_hash(self) -> AESGCM:
        return AESGCM(derive(self.key, "hash of payloads"))

    @cached_property
    def _permutation(self) -> CipherContext:
        return Cipher(algorithms.AES(derive(self.key, "tags")), modes.ECB()).encryptor()

    def tag(self, head: bytes, body: bytes | memoryview) -> bytes:
        """The tag of a header (without its tag) and a payload."""
        # Of an empty text, GCM gives GHASH of the rest under a fixed secret mask.
        if len(body) >= _LONG:
            body = self._payload_hash.encrypt(_NO_NONCE, b"", body)
        return self._permutation.update(self._hash.encrypt(_NO_NONCE, b"", head + body))


class Header(NamedTuple):
    """The fields of a frame's header."""

    type: int
    label: int
    sequence: int
    acknowledged: int
    length: int


@lru_cache(maxsize=4096)
def label_code(label: str) -> int:
    """The four bytes that stand for a label in a frame."""
    return crc32(label.encode())


def seal(type_: int, label: int, sequence: int, acknowledged: int, body: bytes, key: TagKey) -> bytes:
    """A header for `body`, with its tag under `key`."""
    start = _UNTAGGED.pack(MAGIC, WIRE_VERSION, type_, label, sequence, acknowledged, len(body))
    return start + key.tag(start, body)


def other_version(start: memoryview) -> int | None:
    """The sender's version, from a frame's beginning; None if it is this one's, or if it is no frame."""
    return start[2] if len(start) > 2 and start[:2] == MAGIC and start[2] != WIRE_VERSION else None


STAR_MAGIC, STAR_VERSION = b"BS", 3  # of the frames between a server and many clients (mpc/star/wire.py)


def is_foreign(start: memoryview) -> bool:
    """Whether something begins as a frame of another version does, of either kind of frames."""
    star = len(start) > 2 and start[:2] == STAR_MAGIC and start[2] != STAR_VERSION
    return star or other_version(start) is not None


def check_version(head: memoryview, *, me: str, sender: str) -> None:
    """Refuse a frame of another version.

    Raises:
        DisagreementError: it is one, of whatever form.
    """
    if head[2:3] != _VERSION and (theirs := other_version(head)) is not None:
        raise DisagreementError(versions_differ(me, sender, theirs), SAME_VERSION, party=sender)


SAME_VERSION: Final = "install the same version of beaverlodge everywhere"


def versions_differ(me: str, peer: str, theirs: int) -> str:
    """The error for a peer whose frames are of another version."""
    return f"{peer} speaks version {theirs} of the parties' protocol, and {me} version {WIRE_VERSION}"


def peek_sequence(head: memoryview) -> int:
    """The sequence number in a header that was not checked yet."""
    return int.from_bytes(head[8:16], "little")


def peek_type(head: memoryview) -> int:
    """The type in a header that was not checked yet."""
    return head[TYPE_AT]


def tag_is_right(head: memoryview, body: memoryview, key: TagKey) -> bool:
    """Whether a frame's tag fits its header and body."""
    said = bytes(head)
    return compare_digest(said[-TAG_BYTES:], key.tag(said[:-TAG_BYTES], body))


def unseal(head: memoryview, body: memoryview, key: TagKey, *, sender: str) -> Header:
    """The header of a frame, once length, version, type and tag were checked.

    Raises:
        ProtocolError: the frame is malformed or was altered.
    """
    if len(head) != HEADER_BYTES:
        raise ProtocolError(f"{sender} sent a frame with a header of {len(head)} bytes", party=sender)
    magic, version, type_, label, sequence, acknowledged, length, tag = _TAGGED.unpack(head)
    if magic != MAGIC or version != WIRE_VERSION or type_ not in TYPES:
        raise ProtocolError(
            f"{sender} sent a frame that is not ours",
            "check that all parties run the same version",
            party=sender,
        )
    if length != len(body):
        raise ProtocolError(f"{sender} sent a frame that says {length} bytes and holds {len(body)}", party=sender)
    if not compare_digest(tag, key.tag(bytes(head[:-TAG_BYTES]), body)):
        raise ProtocolError(f"{sender} sent a frame whose tag is wrong: it was altered on its way", party=sender)
    return Header(type_, label, sequence, acknowledged, length)
