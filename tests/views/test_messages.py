"""In a real training no message holds a patient's number, and every message looks like noise."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from mpc.ring.abstract_array import abstract
from mpc.ring.fixed_point import encode
from mpc.ring.specs import Spec
from mpc.runtime.lockstep import Message, run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import ProgramFactory
from mpc.runtime.round import Round
from mpc.sharing.share import Share
from protocols.rows.limits import X_SCALE
from protocols.rows.own_rows import OwnRows
from protocols.rows.settings import TrainingSettings
from protocols.scaling.standardise import Moments, moments
from protocols.training.rows_job import training_job
from tests.helpers import demo_tables, entropy, job, lockstep
from tests.views.view_tools import THRESHOLD, byte_p_value, leaks


def programs(own: Mapping[str, OwnRows], how: TrainingSettings) -> dict[str, ProgramFactory]:
    def factory(name: str) -> ProgramFactory:
        return lambda p: training_job(p, None if p.dry else own[name], how)

    return {name: factory(name) for name in how.owners}


def sent(factories: Mapping[str, ProgramFactory], seed: int) -> tuple[Message, ...]:
    """All messages of a run."""
    messages: list[Message] = []

    def tap(message: Message) -> bytes:
        messages.append(message)
        return message.body

    run_lockstep(factories, entropy=entropy(tuple(factories), seed), tap=tap)
    return tuple(messages)


def shared_scaling(own: Mapping[str, OwnRows]) -> Moments:
    """The very means and deviations that the owners agree on, to the last bit."""
    rows = sum(len(o.y_train) for o in own.values())

    def factory(name: str) -> ProgramFactory:
        return lambda p: moments(p, abstract((1, 30)) if p.dry else own[name].x_train, rows, own[name].names)

    scaling: Moments = lockstep({name: factory(name) for name in own}).results["hospital_a"]
    return scaling


@lru_cache
def demo() -> tuple[tuple[Message, ...], dict[str, OwnRows], np.ndarray]:
    """A training on the demo's data, and every number of a patient: raw and standardised, as fixed point and float."""
    own, how = job(demo_tables())
    scaling = shared_scaling(own)
    numbers = []
    for rows in own.values():
        for x in (rows.x_train, rows.x_test):
            for values in (x, scaling.apply(x)):
                numbers += [values.view(np.uint64), encode(values, X_SCALE)]
        for y in (rows.y_train, rows.y_test):
            numbers += [y.view(np.uint64), y.astype(np.uint64), encode(y, X_SCALE)]
    return sent(programs(own, how), 11), own, np.concatenate([part.reshape(-1) for part in numbers])


def test_no_message_holds_a_number_of_a_patient() -> None:
    messages, own, numbers = demo()
    assert numbers.size > 4 * 30 * sum(len(rows.y_train) for rows in own.values())
    assert sum(len(message.body) for message in messages) > 2_000_000
    assert leaks(messages, numbers) == []


@pytest.mark.parametrize("place", [0, 3, 800, -8])
@pytest.mark.parametrize("form", ["fixed point", "float"])
def test_the_search_finds_one_planted_number(place: int, form: str) -> None:
    all_messages, own, numbers = demo()
    value = own["hospital_b"].x_train[5:6, 7]
    word = (encode(value, X_SCALE) if form == "fixed point" else value.copy()).tobytes()
    messages = list(all_messages)
    k = next(k for k, message in enumerate(messages) if message.label == "hold")
    body = bytearray(messages[k].body)
    body[place : place + 8 if place >= 0 else len(body)] = word
    messages[k] = Message(messages[k].sender, messages[k].receiver, "hold", bytes(body))
    assert leaks(messages, numbers) == [(messages[k].sender, messages[k].receiver, "hold")]


@pytest.mark.parametrize("form", ["raw floats", "standardised fixed point", "an input that was not masked"])
def test_the_search_finds_a_program_that_sends_its_rows(form: str) -> None:
    _, own, numbers = demo()
    scaling = shared_scaling(own)
    shape = (4, 30)

    async def leaky(p: Party) -> Any:
        x = np.zeros(shape) if p.dry else own[p.name].x_train[:4]
        if form == "raw floats":
            words = x.view(np.uint64)
        else:
            words = encode(scaling.apply(x), X_SCALE)
        if form == "an input that was not masked":
            (opened,) = await p._combine((Share(words, X_SCALE),), "leak")
            return opened
        return await Round(
            dict.fromkeys(p.peers, (words,)), dict.fromkeys(p.peers, (Spec(shape),)), "leak", everyone=True
        )

    assert leaks(sent(dict.fromkeys(own, leaky), 1), numbers) == [
        ("hospital_a", "hospital_b", "leak"),
        ("hospital_b", "hospital_a", "leak"),
    ]


def test_every_message_looks_uniform() -> None:
    messages, _, _ = demo()
    together: dict[tuple[str, str], bytearray] = {}
    for message in messages:
        together.setdefault((message.sender, message.label), bytearray()).extend(message.body)
    assert {sender for sender, _ in together} == {"hospital_a", "hospital_b", "helper"}
    uneven = {key: p for key, data in together.items() if (p := byte_p_value(bytes(data))) < THRESHOLD}
    assert uneven == {}


def test_uneven_bytes_are_seen() -> None:
    draw = np.random.default_rng(1)
    for size in (400, 20_000):
        assert byte_p_value(draw.bytes(size)) > 1e-3
        assert byte_p_value(bytes(v & 0x7F for v in draw.bytes(size))) < THRESHOLD
    words = draw.integers(0, 2**60, 500, dtype=np.uint64)  # masks of 60 bits instead of 64
    assert byte_p_value(words.tobytes()) < THRESHOLD
