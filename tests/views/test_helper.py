"""The helper's view of a real run: the same to the last byte, whatever the patients are.

Under the same seeds its own randomness is the same, so all that could differ is what the owners send it. Every frame
that reaches it over ZeroMQ, between the handshake's first and the parting's last, is compared between two runs on data
that have nothing in common but their shapes. The relays of `[network]` carry these frames encrypted, and add none.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mpc.errors import ProtocolError
from mpc.links.wire import RESUME, SIGN
from mpc.runtime.party import Party
from mpc.runtime.plan import ProgramFactory
from mpc.runtime.round import Round
from tests.helpers import example_tables, job
from tests.links.over_zmq import HELPER, Run, over_zmq, values
from tests.views.test_messages import programs

ROWS, FEATURES = (40, 30), 3

View = set[tuple[str, str, bytes]]
"""Sender, label and body of each frame; as a set, for when a frame goes twice is a matter of time alone."""


def tables(seed: int, times: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Rows of one seed, so many times as large, with half of the labels the other way round."""
    made = example_tables(ROWS, FEATURES, seed)
    return {name: (x * times, np.where(np.arange(y.size) % 2, y, 1 - y)) for name, (x, y) in made.items()}


def view(factories: Mapping[str, ProgramFactory]) -> tuple[View, dict[str, Any]]:
    """What the helper received of each owner; and what the owners got."""
    run = over_zmq(factories)
    results = {name: played.result for name, played in values(run.ends).items()}
    return received(run), results


def received(run: Run) -> View:
    """What the helper received; without the resumes, which have a nonce's digest, and the signs of whom one waits for.

    When these are sent is a matter of time alone, and no protocol has a part in them.
    """
    frames = [frame for frame in run.frames if frame.receiver == HELPER and frame.head[3] not in (RESUME, SIGN)]
    return {(frame.sender, frame.label, frame.body) for frame in frames}


def test_the_helpers_view_is_the_same_for_any_patients() -> None:
    seen, results = view(programs(*job(tables(1, 1.0), epochs=2, batch_size=16)))
    other, others = view(programs(*job(tables(2, 1000.0), epochs=2, batch_size=16)))
    assert results["owner0"].weights != others["owner0"].weights
    assert {label for _, label, _ in seen} >= {"hello", "shapes", "agree", "done", "bye"}
    assert seen == other


def test_an_owner_that_tells_the_helper_something_is_found() -> None:
    own, how = job(tables(1, 1.0), epochs=1, batch_size=16)

    def leaky(name: str, word: int) -> ProgramFactory:
        def factory(p: Party) -> Any:
            program = programs(own, how)[name](p)
            if p.dry or name != "owner0":
                return program
            return _after(Round({HELPER: (np.array([word], dtype=np.uint64),)}, {}, "leak"), program)

        return factory

    def leak(word: int) -> View:
        run = over_zmq({name: leaky(name, word) for name in own})
        assert isinstance(run.ends[HELPER].error, ProtocolError)
        return received(run)

    # Whether an owner says that it is done before it hears that the helper gave up, is a matter of time.
    told = {body for _, _, body in leak(1) ^ leak(2) if body and body[:1] != b"{"}
    assert told == {b"\1" + bytes(7), b"\2" + bytes(7)}


async def _after(first: Round, program: Any) -> Any:
    await first
    return await program
