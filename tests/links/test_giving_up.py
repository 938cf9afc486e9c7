"""What peers are told when one gives up, and when they hear it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mpc.errors import DataError, InternalError, InterruptedRun, PeerLostError, ProtocolError
from mpc.session import Frame
from tests.links.over_zmq import LONG, Sent, Site, at_once, sites, values
from tests.links.pairs import KEY, both, fails, greet, swap


@pytest.fixture
def pair() -> Iterator[dict[str, Site]]:
    with sites("a", "b") as parties:
        both(parties, lambda site, _: greet(site))
        yield parties


def aborted(pair: dict[str, Site], error: Any, stage: str) -> tuple[Any, dict[str, Any]]:
    """What a is told when b gives up, and the bytes that say it."""
    frames: list[Sent] = []

    def watch(sent: Sent) -> Frame:
        frames.append(sent)
        return Frame(sent.head, sent.body)

    pair["b"].transport.wire = watch
    pair["b"].channel.abort(error, stage)
    with pytest.raises(type(error)) as caught:
        pair["a"].channel.exchange(swap("b", 1))
    (frame,) = [f for f in frames if f.head[3] == 3]
    return caught.value, json.loads(frame.body)


def test_an_abort_tells_code_party_and_stage_only(pair: dict[str, Site]) -> None:
    secret = DataError("row 17 of patients.csv holds 'Smith, 1961'", "look into /data/patients.csv", party="b")
    told, fields = aborted(pair, secret, "data")
    assert fields == {"code": "data", "stage": "data", "origin": "b"}
    assert told.exit_code == secret.exit_code and told.party == "b" and told.told_by == "b"
    assert told.message == "b stopped the run in stage 'data' (data)" and told.hint == "the log of b says why"


def test_an_abort_about_another_party_names_that_one(pair: dict[str, Site]) -> None:
    _, fields = aborted(pair, PeerLostError("lost contact with c", party="c"), "training")
    assert fields == {"code": "peer-lost", "stage": "training", "origin": "c"}


def test_an_abort_that_was_told_keeps_its_origin(pair: dict[str, Site]) -> None:
    told = DataError("c stopped the run", party="c", told_by="c")
    _, fields = aborted(pair, told, "training")
    assert fields == {"code": "data", "stage": "training", "origin": "c"}


def test_an_error_about_a_peer_that_was_found_here_comes_from_here(pair: dict[str, Site]) -> None:
    _, fields = aborted(pair, ProtocolError("a sent nonsense", party="a"), "training")
    assert fields == {"code": "protocol", "stage": "training", "origin": "b"}


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"", ProtocolError, "b stopped the run in stage 'unknown' (protocol)"),
        (b"[1, 2]", ProtocolError, "b stopped the run in stage 'unknown' (protocol)"),
        (b'{"code": "data"}', ProtocolError, "b stopped the run in stage 'unknown' (protocol)"),
        (b"[" * 100_000, ProtocolError, "b stopped the run in stage 'unknown' (protocol)"),
        (b'{"code": "x", "stage": "s", "origin": "b"}', InternalError, "b stopped the run in stage 's' (internal)"),
        (b'{"code": "data", "stage": "s", "origin": "all"}', DataError, "b stopped the run in stage 's' (data)"),
        (b'{"code": "data", "stage": "s", "origin": "a"}', DataError, "a stopped the run in stage 's' (data)"),
        (
            b'{"code": "data", "stage": "a\\nFAKE LINE", "origin": "b"}',
            DataError,
            "b stopped the run in stage 'unknown' (data)",
        ),
        (
            json.dumps({"code": "data", "stage": "s" * 1000, "origin": "b"}).encode(),
            DataError,
            f"b stopped the run in stage '{'s' * 64}' (data)",
        ),
    ],
)
def test_nothing_of_an_aborts_text_is_trusted(
    pair: dict[str, Site], body: bytes, kind: type[Exception], words: str
) -> None:
    pair["b"].transport.send("a", pair["b"].channel._links["a"].abort(body))
    error = fails(lambda: pair["a"].channel.exchange(swap("b", 1)), kind, "stopped the run")
    assert error.message == words


def test_an_abort_before_the_session_key_reaches_peers_with_and_without_it() -> None:
    """b gives up while it waits for a third party: a has its key with b already, c has none yet."""
    with sites("a", "c", "b") as parties:
        for peer in ("a", "c"):
            parties["b"].channel.push(peer, "hello", b"hello")
            assert bytes(parties[peer].channel.pull("b", "hello", LONG)) == b"hello"
        parties["a"].channel.rekey("b", KEY)
        parties["b"].channel.abort(DataError("no such file", party="b"), "data")
        for peer in ("a", "c"):
            fails(
                lambda peer=peer: parties[peer].channel.exchange(swap("b", 1)),  # type: ignore[misc]
                DataError,
                "b stopped the run in stage 'data'",
            )


def test_who_only_just_connects_hears_that_another_gave_up() -> None:
    """a gives up before b is connected, and nobody but a itself can let b in."""
    with sites("a", "b") as parties:
        ends = at_once(
            {
                "a": lambda: parties["a"].channel.abort(DataError("no such file", party="a"), "data"),
                "b": lambda: parties["b"].channel.exchange(swap("a", 1)),
            }
        )
    assert ends["a"].error is None
    error = ends["b"].error
    assert isinstance(error, DataError) and error.told_by == "a"


@pytest.mark.parametrize("error", [PeerLostError("b did not connect", party="b"), InterruptedRun("stopped", party="a")])
def test_nobody_waits_for_peers_after_an_interrupt_or_in_vain(error: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.channel._FAREWELL_SECONDS", 2 * LONG)
    with sites("a", "b") as parties:
        values(at_once({"a": lambda: parties["a"].channel.abort(error, "connecting")}))
