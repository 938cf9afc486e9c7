"""A round's message: what comes back is what was sent, in the sender's word; whatever else comes is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import ProtocolError
from protocols.federated.messages import PHASES, Message, Phase, message_bytes, read_message, release_key, write_message
from tests.examples import steady

ONE = Message("train", 3, np.array([0.1, 2.0]), np.array([1.0, -1.0]), np.array([0.5, 2.0]), word=4)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("word", [4, 8])
def test_what_is_read_is_what_was_written(phase: Phase, word: int) -> None:
    message = replace(ONE, phase=phase, word=word)
    body = write_message(message)
    got = read_message(body)
    assert len(body) == message_bytes(2, 2, word)
    assert (got.phase, got.t, got.word) == (phase, 3, word)
    assert np.array_equal(got.weights, ONE.weights.astype(f"f{word}").astype(float))
    assert np.array_equal(got.means, ONE.means) and np.array_equal(got.deviations, ONE.deviations)
    assert write_message(got) == body


@pytest.mark.parametrize(
    "change",
    [
        {"weights": np.array([np.nan])},
        {"weights": np.array([1e39])},  # beyond float32
        {"means": np.array([np.inf, 0.0])},
        {"deviations": np.array([1.0, 0.0])},
        {"deviations": np.array([1.0, -1.0])},
        {"t": 0},
    ],
)
def test_what_no_client_takes_is_not_sent(change: dict[str, object]) -> None:
    with pytest.raises(ProtocolError):
        write_message(replace(ONE, **change))  # type: ignore[arg-type]


@given(st.binary(max_size=80))
@steady(200)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        message = read_message(body)
    except ProtocolError:
        return
    assert np.isfinite(message.weights).all()


@given(st.integers(0, len(write_message(ONE)) - 1), st.integers(1, 255))
@steady(100)
def test_an_altered_byte_is_another_message_or_none(place: int, change: int) -> None:
    body = bytearray(write_message(ONE))
    body[place] ^= change
    try:
        message = read_message(bytes(body))
    except ProtocolError:
        return
    assert write_message(message) != write_message(ONE)


def test_where_nothing_is_drawn_the_key_is_of_the_model_alone() -> None:
    def key(phase: str, t: int, weight: float) -> int:
        return release_key(replace(ONE, phase=phase, t=t, weights=np.array([weight, 1.0])))  # type: ignore[arg-type]

    keys = [key("train", 1, 1.0), key("train", 2, 1.0), key("train", 1, 1.5), key("newton", 1, 1.0)]
    assert len(set(keys)) == 4
    assert key("newton", 1, 1.0) == key("newton", 2, 1.0) != key("evaluate", 1, 1.0)
    assert all(0 <= one < 1 << 48 for one in keys)


def test_equal_numbers_have_one_key_however_they_are_written() -> None:
    zero = replace(ONE, weights=np.array([0.0, 2.0]))
    for same in (replace(zero, weights=np.array([-0.0, 2.0])), replace(zero, word=8)):
        assert write_message(same) != write_message(zero)
        assert release_key(read_message(write_message(same))) == release_key(zero)
