"""Frames: what was sealed comes out, and whatever was altered, cut, grown or comes from another is refused."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import ProtocolError
from mpc.links.wire import DATA, TAG_BYTES, TYPES, Header, TagKey, label_code, peek_sequence, seal, unseal
from mpc.randomness.streams import derive
from mpc.ring.rings import Z64, wide
from mpc.ring.specs import Spec, parse, payload
from mpc.runtime.round import HEADER_BYTES
from tests.examples import steady
from tests.mpc.kit import RINGS, elements, ints

KEY, OTHER = TagKey(bytes(range(32))), TagKey(bytes(32))
BODY = b"nineteen bytes long"
LONG = bytes(range(256)) * 64
"""So long a payload is hashed apart."""


def opened(frame: bytes, key: TagKey = KEY, sender: str = "hospital_b") -> tuple[Header, bytes]:
    """A frame that came as one piece, cut where the header ends."""
    view = memoryview(frame)
    head, body = view[:HEADER_BYTES], view[HEADER_BYTES:]
    return unseal(head, body, key, sender=sender), bytes(body)


def sealed(body: bytes = BODY, *, sequence: int = 5, key: TagKey = KEY) -> bytes:
    return seal(DATA, label_code("matmul"), sequence, 3, body, key) + body


@steady(100)
@given(
    st.sampled_from(TYPES),
    st.text(max_size=20),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=200),
    st.builds(TagKey, st.binary(min_size=1, max_size=64)),
)
def test_there_and_back(type_: int, label: str, sequence: int, acknowledged: int, body: bytes, key: TagKey) -> None:
    head = seal(type_, label_code(label), sequence, acknowledged, body, key)
    assert len(head) == HEADER_BYTES == 48
    header, got = opened(head + body, key)
    assert got == body
    assert header == Header(type_, label_code(label), sequence, acknowledged, len(body))
    assert peek_sequence(memoryview(head)) == sequence


def hash_of(label: str, text: bytes) -> bytes:
    """GHASH under one of the key's keys, as AES-GCM gives it of an empty text."""
    hashing = Cipher(algorithms.AES(derive(KEY.key, label)), modes.GCM(bytes(12))).encryptor()
    hashing.authenticate_additional_data(text)
    hashing.finalize()
    return hashing.tag


def test_the_layout_is_the_documented_one() -> None:
    for body in (b"", b"abc", LONG[:-1], LONG, LONG + b"more"):
        head = seal(2, 0x01020304, 5, 6, body, KEY)
        plain = b"BL\x07\x02" + bytes([4, 3, 2, 1]) + b"".join(n.to_bytes(8, "little") for n in (5, 6, len(body)))
        assert head[:-TAG_BYTES] == plain
        hashed = hash_of("hash of frames", plain + (body if len(body) < 1 << 14 else hash_of("hash of payloads", body)))
        permutation = Cipher(algorithms.AES(derive(KEY.key, "tags")), modes.ECB()).encryptor()
        assert head[-TAG_BYTES:] == permutation.update(hashed) + permutation.finalize()
    assert label_code("matmul") == crc32(b"matmul") != label_code("matmul ")


@pytest.mark.parametrize("body", [BODY, b"", LONG])
def test_every_flipped_bit_is_noticed(body: bytes) -> None:
    frame = sealed(body)
    opened(frame)
    for bit in range(0, 8 * len(frame), 1 if body is not LONG else 61):
        altered = bytearray(frame)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ProtocolError) as caught:
            opened(bytes(altered))
        assert caught.value.party == "hospital_b" and "hospital_b" in caught.value.message


@pytest.mark.parametrize("body", [BODY, LONG[:2049]])
def test_every_truncation_and_extension_is_noticed(body: bytes) -> None:
    frame = sealed(body)
    for length in range(len(frame)):
        with pytest.raises(ProtocolError, match="a header of" if length < HEADER_BYTES else "and holds"):
            opened(frame[:length])
    for extra in (b"\0", b"x", bytes(16), frame):
        for place in range(len(frame) + 1):
            with pytest.raises(ProtocolError):
                opened(frame[:place] + extra + frame[place:])


def test_a_header_of_another_size_is_refused() -> None:
    head = memoryview(sealed(b"") + b"\0")
    for size in (0, 1, HEADER_BYTES - 1, HEADER_BYTES + 1):
        with pytest.raises(ProtocolError, match=f"a header of {size} bytes"):
            unseal(head[:size], memoryview(b""), KEY, sender="hospital_b")


@pytest.mark.parametrize("body", [BODY, LONG])
def test_bytes_that_change_places_are_noticed(body: bytes) -> None:
    frame = sealed(body)
    for i in range(len(frame) - 1):
        if frame[i] != frame[i + 1]:
            with pytest.raises(ProtocolError):
                opened(frame[:i] + frame[i + 1 : i + 2] + frame[i : i + 1] + frame[i + 2 :])


def test_another_key_is_another_sender_or_session() -> None:
    with pytest.raises(ProtocolError, match="hospital_c sent a frame whose tag is wrong"):
        opened(sealed(key=KEY), OTHER, "hospital_c")
    assert sealed(key=KEY)[:-TAG_BYTES] != sealed(key=OTHER)[:-TAG_BYTES]


def test_the_tag_of_another_frame_does_not_fit() -> None:
    one, two = sealed(sequence=5), sealed(sequence=6)
    with pytest.raises(ProtocolError, match="tag is wrong"):
        opened(two[: HEADER_BYTES - TAG_BYTES] + one[HEADER_BYTES - TAG_BYTES : HEADER_BYTES] + BODY)
    with pytest.raises(ProtocolError, match="tag is wrong"):
        opened(one[:HEADER_BYTES] + BODY[::-1])


@pytest.mark.parametrize(
    "place, value", [(0, b"bl"), (2, b"\x01"), (2, b"\x02"), (2, b"\x00"), (3, b"\x00"), (3, b"\x04"), (3, b"\xff")]
)
def test_what_is_not_ours_is_refused_even_with_a_right_tag(place: int, value: bytes) -> None:
    plain = sealed()[: HEADER_BYTES - TAG_BYTES]
    plain = plain[:place] + value + plain[place + len(value) :]
    tag = KEY.tag(plain, BODY)
    with pytest.raises(ProtocolError, match="not ours"):
        opened(plain + tag + BODY)


@pytest.mark.parametrize("length", [0, len(BODY) - 1, len(BODY) + 1, 2**64 - 1])
def test_a_wrong_length_is_refused_even_with_a_right_tag(length: int) -> None:
    plain = sealed()[: HEADER_BYTES - TAG_BYTES - 8] + length.to_bytes(8, "little")
    tag = KEY.tag(plain, BODY)
    with pytest.raises(ProtocolError, match=f"says {length} bytes and holds {len(BODY)}"):
        opened(plain + tag + BODY)


shapes = st.sampled_from([(), (0,), (1,), (3,), (2, 3), (0, 2), (2, 1, 2)])
specs = st.lists(st.builds(Spec, shapes, st.just(0), st.sampled_from(RINGS)), max_size=4)


@steady(100)
@given(specs, st.integers(0, 1000))
def test_arrays_there_and_back(wanted: list[Spec], seed: int) -> None:
    arrays = [elements(spec.ring, spec.shape, seed + i) for i, spec in enumerate(wanted)]
    data = payload([spec.ring.words(a) for spec, a in zip(wanted, arrays, strict=True)])
    assert len(data) == sum(spec.nbytes for spec in wanted)
    got = parse(data, wanted, sender="hospital_b", label="matmul")
    for spec, before, after in zip(wanted, arrays, got, strict=True):
        assert after.shape == spec.shape and after.dtype == spec.ring.dtype
        assert ints(after).tolist() == ints(before).tolist()
        assert not (spec.ring.native and after.flags.writeable)


def test_payload_takes_any_layout_and_bytes() -> None:
    a = elements(Z64, (4, 6), 1)
    for view in (a, np.asfortranarray(a), a.T, a[::2, ::3], a[::-1]):
        assert payload([view]) == view.tobytes()
    assert payload([a, a[:0], a[:1]]) == a.tobytes() + a[:1].tobytes()
    assert payload(b"blob") == b"blob" and payload([]) == b""


@steady(100)
@given(specs, st.integers(0, 200))
def test_other_lengths_are_refused_before_anything_is_read(wanted: list[Spec], length: int) -> None:
    right = sum(spec.nbytes for spec in wanted)
    if length == right:
        parse(bytes(length), wanted, sender="hospital_b", label="matmul")
        return
    text = f"from hospital_b in 'matmul' has {length} bytes instead of {right}"
    with pytest.raises(ProtocolError, match=text) as caught:
        parse(memoryview(bytes(length)), wanted, sender="hospital_b", label="matmul")
    assert caught.value.party == "hospital_b"


def test_wide_words_are_little_endian() -> None:
    (got,) = parse((5).to_bytes(32, "little"), [Spec((1,), 0, wide(256))], sender="b", label="x")
    assert got.tolist() == [5]
