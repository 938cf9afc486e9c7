"""check_faults fails where the links are at fault: with parts of them taken out, it sees what they are there for."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import mpc.links.channel
import mpc.links.session
import mpc.randomness.dealing
from mpc.errors import PeerLostError
from mpc.links.session import Delivered, Frame, Ignored, Incoming, Link
from mpc.links.waiting import Wait
from mpc.links.wire import Header, TagKey
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import KINDS, CheckFailed, check_faults, reals
from mpc.testing.faults.check import HARMLESS, altered, fault_at
from protocols.core.beaver import multiply
from protocols.core.truncation import truncate

X = reals((2,), scale=14, largest=100.0)


async def product(p: Party, x: Share, y: Share) -> Share:
    return await truncate(p, await multiply(p, x, y), 14)


def check(*kinds: str, **changes: Any) -> Any:
    return check_faults(product, [X, X], kinds=kinds or KINDS, **{"several": 0, **changes})


def test_all_faults_of_all_frames_of_two_owners() -> None:
    saw = check(several=40)
    assert saw.frames >= 50
    assert saw.tried == len(KINDS) * saw.frames + 40
    for kind in HARMLESS:  # in the parting too
        assert saw.recovered[kind] == saw.frames
    byes = 3 * 2  # what comes then changes no result any more
    for kind in ("truncated", "header altered", "payload altered"):
        assert saw.recovered[kind] == byes
    assert set(saw.errors) == {"peer-lost", "protocol", "disagreement"}  # an altered byte may be the version's
    assert "dropped " in str(saw) and f"{saw.tried} runs" in str(saw)


def test_three_owners() -> None:
    saw = check(owners=3, every=11)
    assert saw.recovered["delayed"] == -(-saw.frames // 11)


def test_the_same_faults_on_every_run() -> None:
    assert check(several=10, every=17) == check(several=10, every=17)
    assert check("payload altered", seed=1).errors


def test_windows_and_credits(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a window for every correlation the helper waits for credits; every third frame has its faults."""
    monkeypatch.setattr(mpc.randomness.dealing, "WINDOW_BYTES", 8)

    async def many(p: Party, x: Share, y: Share) -> Share:
        for _ in range(8):
            x = await truncate(p, await multiply(p, x, y), 14)
        return x

    small = reals((1,), scale=14, largest=1.0)
    saw = check_faults(
        many, [small, small], kinds=("dropped", "delayed", "sender dies", "reordered"), every=3, several=10
    )
    plain = check("repeated")
    assert saw.frames > plain.frames + 8 + 12 + 28  # windows, credits and rounds


def without_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    def unseal(head: memoryview, body: memoryview, key: TagKey | None, *, sender: str) -> Header:
        _, _, *fields, _ = struct.unpack("<2sBBIQQQ16s", head)
        return Header(*fields)

    monkeypatch.setattr(mpc.links.session, "unseal", unseal)


def test_without_tags_an_altered_payload_gives_a_wrong_value(monkeypatch: pytest.MonkeyPatch) -> None:
    without_tags(monkeypatch)
    with pytest.raises(CheckFailed, match=r"payload altered, frame \d+ from \w+ to owner\d in '\w+'.*another result"):
        check("payload altered")


def test_without_tags_a_frame_cut_short_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    without_tags(monkeypatch)
    with pytest.raises(
        CheckFailed, match=r"truncated, frame 5 from helper to owner1 in 'hello': owner1 ended with a error: unpack"
    ):
        check("truncated")


def test_without_dropping_repeats_no_run_goes_well(monkeypatch: pytest.MonkeyPatch) -> None:
    receive = Link.receive

    def all_of_it(self: Link, head: memoryview, body: memoryview) -> list[Incoming]:
        items = receive(self, head, body)
        return [Delivered(int.from_bytes(head[4:8], "little"), body) if isinstance(i, Ignored) else i for i in items]

    monkeypatch.setattr(Link, "receive", all_of_it)
    with pytest.raises(CheckFailed, match="owner0 waits for owner1 in 'shapes', which is in another round"):
        check("repeated")


@pytest.mark.parametrize("kind", ["dropped", "dropped unnoticed"])
def test_without_resends_a_lost_frame_ends_the_run(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpc.links.session, "Resend", lambda frames: Ignored())
    with pytest.raises(CheckFailed, match=f"{kind}, frame .*: a session lives through that, but the run ended with"):
        check(kind)


def test_a_party_that_waits_without_end_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    def patient(self: mpc.links.channel.Channel, wait: Wait, missing: set[str]) -> None:
        self._step(self._network.now() + 5)

    monkeypatch.setattr(mpc.links.channel.Channel, "_wait", patient)
    with pytest.raises(CheckFailed, match=r"cut for good, frame \d+ .*: owner0.* still hung after \d+ virtual seconds"):
        check("cut for good")


def test_an_error_that_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless(self: mpc.links.channel.Channel, wait: Wait, missing: set[str]) -> None:
        if self._contact.down or self._network.now() > wait.end:
            raise PeerLostError("somebody is lost")
        self._step(self._network.now() + 5)

    monkeypatch.setattr(mpc.links.channel.Channel, "_wait", nameless)
    with pytest.raises(CheckFailed, match="the error of owner0 names no party: somebody is lost"):
        check("cut for good")


def test_a_protocol_that_fails_by_itself_is_told_apart() -> None:
    async def broken(p: Party, x: Share) -> Share:
        if not p.dry:
            raise ValueError("too clever")
        return x

    with pytest.raises(CheckFailed, match="without any fault owner0 failed: too clever"):
        check_faults(broken, [X])


def frames() -> Iterator[Frame]:
    yield Frame(bytes(48), b"payload")
    yield Frame(bytes(48), b"")


@pytest.mark.parametrize("place", [0, 5, 383, 384, 2**60 + 7])
def test_altered_frames(place: int) -> None:
    for frame in frames():
        whole = frame.head + frame.body
        for kind in ("header altered", "payload altered"):
            out = altered(frame, fault_at(kind, 0, place))
            after = out.head + out.body
            assert len(after) == len(whole) and len(out.head) == 48
            changed = np.unpackbits(np.frombuffer(after, np.uint8) ^ np.frombuffer(whole, np.uint8))
            assert changed.sum() == 1
            in_body = bool(np.flatnonzero(changed)[0] >= 8 * 48)
            assert in_body == (kind == "payload altered" and frame.body != b"")
        short = altered(frame, fault_at("truncated", 0, place))
        assert whole.startswith(short.head + short.body) and len(short.head + short.body) < len(whole)
