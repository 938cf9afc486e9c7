"""The search for patients' numbers again, in the frames of a real run just above the encryption."""

from __future__ import annotations

import numpy as np

from mpc.ring.fixed_point import encode
from mpc.runtime.lockstep import Message
from mpc.runtime.party import Party
from mpc.sharing.share import Public, Share
from protocols.rows.limits import X_SCALE
from tests.helpers import demo_tables, job
from tests.links.over_zmq import Run, over_zmq
from tests.views.test_messages import demo, programs
from tests.views.view_tools import leaks


def messages(run: Run) -> list[Message]:
    assert {end.error for end in run.ends.values()} == {None}
    return [Message(frame.sender, frame.receiver, frame.label, frame.body) for frame in run.frames]


def test_no_frame_of_a_training_holds_a_number_of_a_patient() -> None:
    _, _, numbers = demo()
    frames = messages(over_zmq(programs(*job(demo_tables()))))
    assert {frame.label for frame in frames} >= {
        "hello",
        "seeds",
        "deal",
        "hold",
        "step/w",
        "step/z",
        "step/e",
        "model",
    }
    assert sum(len(frame.body) for frame in frames) > 4_000_000
    assert leaks(frames, numbers) == []


def test_an_unmasked_share_is_found() -> None:
    _, own, numbers = demo()

    async def leaky(p: Party) -> tuple[Public, ...]:
        x = np.zeros((4, 30)) if p.dry else own[p.name].x_train[:4]
        return await p._combine((Share(encode(x, X_SCALE), X_SCALE),), "leak")

    frames = messages(over_zmq(dict.fromkeys(own, leaky)))
    found = {(frame.sender, frame.receiver, "leak") for frame in frames if frame.label == "leak"}
    assert len(found) == 2
    assert set(leaks(frames, numbers)) == found
