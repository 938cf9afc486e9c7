"""The parts of secure aggregation, each by itself: sharing, decoding, packing, coding, graphs, masks, proofs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import InternalError, ProtocolError
from mpc.randomness.streams import Stream, derive
from protocols.aggregation import messages as m
from protocols.aggregation.parts.decode import wrong_shares
from protocols.aggregation.parts.graph import choose, draw_graph
from protocols.aggregation.parts.masks import add_mask, pair_key
from protocols.aggregation.parts.pack import pack, packed_bytes, unpack, word
from protocols.aggregation.parts.quantise import Coding, decode, residues
from protocols.aggregation.parts.shamir import PRIME, combine, from_limbs, inverse, limbs, reduce, split, uniform
from tests.examples import steady


def stream(label: str) -> Stream:
    return Stream(derive(bytes(32), label))


def shares_of(secret: bytes, t: int, holders: int, label: str = "shares") -> tuple[np.ndarray, np.ndarray]:
    points = np.arange(1, holders + 1, dtype=np.uint64)
    return points, split(limbs(secret), t, points, stream(label))


@given(st.binary(min_size=32, max_size=32), st.integers(1, 12), st.integers(0, 5), st.randoms(use_true_random=False))
@steady(60)
def test_any_t_shares_give_the_secret(secret: bytes, t: int, more: int, chance: object) -> None:
    points, shares = shares_of(secret, t, t + more)
    chosen = chance.sample(range(t + more), t)  # type: ignore[attr-defined]
    assert from_limbs(combine(points[chosen][None], shares[chosen][None])[0]) == secret


def test_fewer_than_t_shares_fit_every_secret_alike() -> None:
    """With t - 1 shares fixed, each secret is reached by exactly one more share: they say nothing."""
    points, shares = shares_of(bytes(range(32)), 3, 4)
    first = combine(points[:3][None], shares[:3][None])[0]
    other = shares[:3].copy()
    other[2] = (other[2].astype(np.uint64) + np.uint64(1)) % np.uint64(PRIME)
    assert np.all(combine(points[:3][None], other[None])[0] != first)


@pytest.mark.parametrize("t", range(2, 9))
def test_t_less_1_shares_lie_on_no_smaller_polynomial(t: int) -> None:
    """Interpolated as if fewer were enough, they give another secret: the degree is t - 1, in every limb."""
    secret = bytes(range(t, t + 32))
    points, shares = shares_of(secret, t, t)
    for fewer in range(1, t):
        assert np.all(combine(points[:fewer][None], shares[:fewer][None])[0] != limbs(secret))


class Words(Stream):
    """A stream that begins with these words."""

    def __init__(self, *words: int) -> None:
        super().__init__(bytes(32))
        self._words = np.array(words, dtype="<u4").view(np.uint8)

    def take(self, count: int) -> np.ndarray:
        first, self._words = self._words[:count], self._words[count:]
        return np.concatenate((first, super().take(count - first.size)))


def test_the_prime_itself_is_drawn_again() -> None:
    """As a coefficient it would stand for 0, which were then drawn twice as often as any other."""
    drawn = uniform((2, 2), Words(PRIME, 5, 2**32 - 1, 7, PRIME, 9, 11))
    assert drawn.tolist() == [[11, 5], [9, 7]]


def test_shares_of_one_secret_are_uniform() -> None:
    words = np.concatenate([shares_of(bytes(32), 2, 2, f"run {run}")[1].reshape(-1) for run in range(300)])
    counts = np.bincount(words >> 27, minlength=16)
    assert np.sum((counts - words.size / 16) ** 2) / (words.size / 16) < 50  # chi-square, 15 degrees: p = 1e-5


@given(st.integers(0, PRIME - 1), st.integers(0, PRIME - 1))
@steady(100)
def test_the_field_is_the_field(a: int, b: int) -> None:
    product = reduce(np.array([a], dtype=np.uint64) * np.array([b], dtype=np.uint64))
    assert int(product[0]) == a * b % PRIME
    if a:
        assert int(inverse(np.array([a], dtype=np.uint64))[0]) == pow(a, -1, PRIME)


@given(st.integers(2, 7), st.integers(0, 3), st.integers(0, 1), st.randoms(use_true_random=False))
@steady(60)
def test_wrong_shares_are_found_up_to_half_the_spares(t: int, errors: int, odd: int, chance: object) -> None:
    many = t + 2 * errors + odd
    points, shares = shares_of(bytes(31) + b"\1", t, many)
    bad = frozenset(chance.sample(range(many), errors))  # type: ignore[attr-defined]
    for j in bad:
        limb = chance.randrange(9)  # type: ignore[attr-defined]
        shares[j, limb] = (int(shares[j, limb]) + 1 + chance.randrange(PRIME - 1)) % PRIME  # type: ignore[attr-defined]
    assert wrong_shares(points.tolist(), shares.tolist(), t) == bad


def test_too_many_wrong_shares_are_not_explained_away() -> None:
    points, shares = shares_of(bytes(32), 4, 7)
    shares[:2] = 1 + np.arange(18).reshape(2, 9)  # one can be found, two cannot
    assert wrong_shares(points.tolist(), shares.tolist(), 4) is None


@given(st.integers(1, 64), st.integers(1, 70), st.integers(0, 2**32))
@steady(80)
def test_packing_there_and_back(bits: int, length: int, seed: int) -> None:
    dtype = word(bits)
    values = stream(f"values {seed}").take(length * dtype.itemsize).view(dtype)
    body = pack(values, bits)
    assert len(body) == packed_bytes(length, bits) <= (length + 7) * bits / 8
    assert np.array_equal(unpack(body, length, bits), values & dtype.type((1 << bits) - 1))


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(ProtocolError, match="a vector of 19 bytes came where 20 were due"):
        unpack(bytes(19), 16, 10)


@given(st.lists(st.integers(-500, 900), min_size=1, max_size=20), st.integers(0, 6))
@steady(80)
def test_sums_of_coded_values_are_exact(values: list[int], idle: int) -> None:
    how = Coding(-500, 900, 100, len(values) + idle)
    total = np.zeros(1, dtype=word(how.bits))
    for value in values:
        total += residues(np.array([value]), how.bits)
    assert decode(total, how, len(values)).tolist() == [sum(values)]


def test_the_modulus_is_as_small_as_it_can_be() -> None:
    assert Coding(0, 255, 1, 16).bits == 12  # 16 * 255 < 2^12
    assert Coding(0, 256, 1, 16).bits == 13
    assert Coding(-1, 1, 1, 3).bits == 3  # seven sums


@pytest.mark.parametrize(("n", "k"), [(5, 3), (5, 5), (5, 0)])
def test_a_graph_that_there_is_not(n: int, k: int) -> None:
    with pytest.raises(InternalError, match=f"no graph of {n} clients with {k} neighbours"):
        draw_graph(n, k, stream("graph"))


@given(st.integers(3, 40), st.integers(2, 39), st.integers(0, 1000))
@steady(60)
def test_a_drawn_graph_is_regular_symmetric_and_connected(n: int, k: int, seed: int) -> None:
    k = min(k, n - 1)
    k -= k % 2 and n % 2
    graph = draw_graph(n, k, stream(f"graph {seed}"))
    sets = [set(row.tolist()) for row in graph]
    assert all(len(one) == k and i not in one for i, one in enumerate(sets))
    assert all(i in sets[j] for i, one in enumerate(sets) for j in one)
    reached, new = {0}, {0}
    while new:
        new = set().union(*(sets[i] for i in new)) - reached
        reached |= new
    assert len(reached) == n


def test_chosen_holders_are_uniform_and_never_oneself() -> None:
    times = np.zeros(9)
    for run in range(400):
        chosen = choose(9, 3, 4, stream(f"choice {run}"))
        assert len(set(chosen.tolist())) == 3
        times[chosen] += 1
    assert times[4] == 0
    expected = 400 * 3 / 8
    assert np.sum((np.delete(times, 4) - expected) ** 2) / expected < 40  # 7 degrees: p = 1e-6


def test_a_pairs_masks_cancel_and_differ_by_pair() -> None:
    total = np.zeros(40_000, dtype="<u4")
    key = pair_key(b"s" * 32, b"here", 3, 9)
    add_mask(total, key)
    assert np.unique(total).size > 39_990  # as if drawn: repeats among 40,000 of 2^32 are few
    add_mask(total, pair_key(b"s" * 32, b"here", 9, 3), minus=True)
    assert not total.any()
    assert len({pair_key(b"s" * 32, where, 3, j) for where in (b"here", b"there") for j in (9, 10)}) == 4


@given(st.integers(1, 40), st.sets(st.integers(0, 39)), st.integers(0, 2))
@steady(60)
def test_a_proof_leads_to_the_root_of_the_same_keys_only(n: int, some: set[int], change: int) -> None:
    leaves = [m.leaf(i, m.Keys(bytes([i]) * 32, bytes(32)) if i % 3 else None) for i in range(n)]
    tree = m.KeyTree(leaves)
    members = sorted(j for j in some if j < n)
    proof = tree.proof(members)
    shown = {j: leaves[j] for j in members}
    assert m.root_from(n, shown, proof) == tree.root
    if members and change == 0:
        assert (
            m.root_from(n, {**shown, members[0]: m.leaf(members[0], m.Keys(b"x" * 32, bytes(32)))}, proof) != tree.root
        )
    for body in (proof + bytes(32), proof + b"x", proof[:-32] if proof else bytes(32)):
        with pytest.raises(ProtocolError, match="a proof of keys is"):
            m.root_from(n, shown, body)


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (lambda: m.read_indices(m.write_indices([2, 2])), "names one twice"),
        (lambda: m.read_indices(m.write_indices([3, 2])), "not in order"),
        (lambda: m.read_indices(b"123"), "is cut off"),
        (lambda: m.read_bits(b"\xff", 7), "members that do not exist"),
        (lambda: m.read_bits(b"", 7), "a set of clients of 0 bytes came where 1 were due"),
        (lambda: m.read_key_list(bytes(67), False), "a list of keys is cut off"),
        (lambda: m.read_shares(bytes(35), 1), "shares of 35 bytes came where 36 were due"),
    ],
)
def test_malformed_messages_are_refused(read: object, message: str) -> None:
    with pytest.raises(ProtocolError, match=message):
        read()  # type: ignore[operator]


def test_a_sum_of_two_to_the_63_and_above_is_no_negative_number() -> None:
    how = Coding(0, 1 << 62, 1, 3)
    values = [1 << 62, 1 << 62, 5]
    total = np.array([sum(values) % (1 << how.bits)], dtype=np.uint64)
    assert how.bits == 64 and decode(total, how, 3).tolist() == [(1 << 63) + 5]
