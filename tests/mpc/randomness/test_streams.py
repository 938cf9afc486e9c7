"""Streams are AES-256-CTR and nothing else, however they are read; seeds and labels keep them apart."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from mpc.randomness.streams import (
    SEED_BYTES,
    Stream,
    derive,
    insecure_entropy,
    os_entropy,
    public_keys,
    public_permutation,
)
from mpc.ring.rings import Ring
from tests.examples import steady
from tests.mpc.kit import RINGS, combine

KEY = bytes(range(32))
BLOCK = 1 << 18  # what a stream makes ahead


@lru_cache
def aes_ctr(key: bytes, count: int) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(count))


def hkdf(seed: bytes, label: bytes, salt: bytes) -> bytes:
    """RFC 5869, one block of output."""
    extracted = hmac.new(salt or bytes(32), seed, sha256).digest()
    return hmac.new(extracted, label + b"\x01", sha256).digest()


def check_takes(sizes: Sequence[int]) -> None:
    expected, stream, at = aes_ctr(KEY, 4 * BLOCK), Stream(KEY), 0
    for size in sizes:
        got = stream.take(size)
        assert got.dtype == np.uint8 and got.shape == (size,)
        assert got.tobytes() == expected[at : at + size]
        at += -(-size // 8) * 8


near_block = st.integers(BLOCK - 40, BLOCK + 40)


@steady(60)
@given(st.lists(st.integers(0, 100) | near_block | st.integers(0, BLOCK // 2), max_size=5))
def test_a_stream_is_aes_ctr_however_it_is_read(sizes: list[int]) -> None:
    while sum(-(-size // 8) * 8 for size in sizes) > 4 * BLOCK:
        sizes = sizes[:-1]
    check_takes(sizes)


@pytest.mark.parametrize(
    "sizes",
    [
        [4 * BLOCK],
        [BLOCK, BLOCK, 2 * BLOCK],
        [8, BLOCK - 8, 8, BLOCK - 8, 2 * BLOCK - 16],
        [24, BLOCK, 8, BLOCK + 8],
        [BLOCK - 8, 16, BLOCK],
        [1, 2, 3, 9, BLOCK + 1, 7],
        [0, 5, 0, BLOCK, 0, 1],
        [3 * BLOCK + 24, 16],
        [65536] * 16,
    ],
)
def test_around_the_block(sizes: list[int]) -> None:
    check_takes(sizes)


@pytest.mark.parametrize("ring", RINGS, ids=repr)
def test_uniform_elements(ring: Ring) -> None:
    for shape in ((), (5,), (3, 4), (0,), (0, 2)):
        got = Stream(KEY).uniform(shape, ring)
        assert got.shape == shape and got.dtype == ring.dtype
        size = int(np.prod(shape)) * ring.word_bytes
        assert bytes(ring.to_bytes(got)) == aes_ctr(KEY, 1024)[:size]
    stream = Stream(KEY)
    first, second = stream.uniform((8,), ring), stream.uniform((8,), ring)
    assert combine(ring, [first]).tolist() != combine(ring, [second]).tolist()


def test_derive_is_hkdf_sha256() -> None:
    """RFC 5869, appendix A.3 and A.1, whose info is no text: so it is checked of what `derive` is compared with."""
    third = bytes.fromhex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d")
    first = bytes.fromhex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf")
    assert derive(b"\x0b" * 22, "", b"") == third
    assert hkdf(b"\x0b" * 22, bytes(range(0xF0, 0xFA)), bytes(range(13))) == first
    for seed, label, context in ((b"s" * 32, "inputs", b""), (b"t" * 32, "σ", b"session"), (bytes(32), "", b"x" * 100)):
        assert derive(seed, label, context) == hkdf(seed, label.encode(), context)
        assert len(derive(seed, label, context)) == SEED_BYTES


def test_entropy() -> None:
    assert len(os_entropy("x")) == SEED_BYTES and os_entropy("x") != os_entropy("x")
    a, b = insecure_entropy(1, "a"), insecure_entropy(1, "b")
    seeds = {a("x"), a("y"), b("x"), insecure_entropy(2, "a")("x"), insecure_entropy(-1, "a")("x")}
    assert len(seeds) == 5 and {len(s) for s in seeds} == {SEED_BYTES}
    assert insecure_entropy(1, "a")("x") == a("x")


def test_public_keys_are_a_stream_under_a_derived_key() -> None:
    key = hkdf((7).to_bytes(16, "little"), b"public/split", b"")
    assert public_keys(7, "split", 5).tobytes() == aes_ctr(key, 40)
    assert public_keys(7, "split", 3).tolist() == public_keys(7, "split", 5).tolist()[:3]


def test_golden_permutations() -> None:
    """A change here changes every split and batch order of every scenario that was ever run."""
    assert public_permutation(7, "split", 10).tolist() == [2, 0, 9, 3, 5, 6, 8, 1, 4, 7]
    assert public_permutation(-1, "batches/3", 6).tolist() == [4, 0, 5, 2, 3, 1]


@steady(30)
@given(st.integers(-(2**100), 2**100), st.text(max_size=8), st.integers(0, 300))
def test_a_permutation_has_everything_once(seed: int, label: str, count: int) -> None:
    order = public_permutation(seed, label, count)
    assert order.dtype == np.int64
    assert sorted(order.tolist()) == list(range(count))
    assert order.tolist() == public_permutation(seed, label, count).tolist()
    if count > 20:
        assert order.tolist() != public_permutation(seed, label + "!", count).tolist()
        assert order.tolist() != public_permutation(seed + 1, label, count).tolist()
