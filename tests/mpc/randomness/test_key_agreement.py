"""Key agreement: public keys that are of no use are known before they are used."""

from __future__ import annotations

import pytest

from mpc.errors import ProtocolError
from mpc.randomness.key_agreement import _SMALL_ORDER, KeyPair, is_small_order


@pytest.mark.parametrize("coordinate", sorted(_SMALL_ORDER))
def test_a_key_of_small_order_is_known(coordinate: int) -> None:
    for number in (coordinate, coordinate + 2**255):  # the highest bit counts for nothing
        key = number.to_bytes(32, "little")
        assert is_small_order(key)
        with pytest.raises(ProtocolError, match="small order"):
            KeyPair(b"k" * 32).shared(key)


def test_no_point_of_small_order_is_left_out() -> None:
    """Those of order 1, 2 and 4, written below the prime and from it on; the two of order 8 double to order 4."""
    prime = 2**255 - 19
    known = {0, 1, prime - 1, prime, prime + 1}
    assert known < _SMALL_ORDER and len(_SMALL_ORDER) == 7
    for u in _SMALL_ORDER - known:
        assert (u * u - 1) ** 2 * pow(4 * u * (u * u + 486662 * u + 1), -1, prime) % prime in (1, prime - 1)


def test_all_others_agree() -> None:
    for k in range(2, 40):
        one, other = KeyPair(bytes([k]) * 32), KeyPair(bytes([k + 1]) * 32)
        assert not is_small_order(one.public)
        assert one.shared(other.public) == other.shared(one.public)
    small = (9).to_bytes(32, "little")  # the base point
    assert not is_small_order(small) and KeyPair(b"k" * 32).shared(small)
