"""What a tracer records of every round, and that it holds no value unless it may."""

from __future__ import annotations

import inspect
import json
from typing import Any

import numpy as np
import pytest

import mpc.runtime.party
from mpc.errors import PeerLostError
from mpc.randomness.correlation import Kind, MultiplyTriple
from mpc.ring.specs import Spec
from mpc.runtime.lockstep import Message, run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import make_plan
from mpc.runtime.round import HEADER_BYTES, Round, together
from mpc.runtime.round_tracer import RoundTracer, short_path
from mpc.sharing.share import Share
from tests.mpc.kit import Log, Protocol, entropy, owners

X = np.array([2**61 + 12345678901, 2**60 + 98765432109], dtype=np.uint64)


async def square(p: Party, x: Share, label: str) -> Share:
    a, b, c = p.correlation(MultiplyTriple(Spec(x.shape), Spec(x.shape)))
    d, e = await p.open(x - a, x - b, label=label)
    return c + d * b + e * a + p.public(d * e)


async def squares(p: Party) -> list[int]:
    x = p.input("hospital_a", X if p.name == "hospital_a" and not p.dry else None, (2,), 0)
    p.stage("squaring")
    y, z = await together(square(p, x, "first"), square(p, x, "second"))
    p.watch("squares", y)
    (total,) = await p.reveal(y + z, what="total", why="agreed", label="total")
    return [] if p.dry else total.value.tolist()


def traced(
    protocol: Protocol, n: int = 2, *, values: bool = False, most: int = 1 << 20, tap: Any = None
) -> tuple[dict[str, list[Any]], str, Exception | None]:
    """Each party's events of a lockstep run, all that was written, and what it ended with."""
    lines: list[bytes] = []
    names = (*owners(n), "helper")
    tracers = {name: RoundTracer(name, lines.append, values=values, most=most) for name in names}
    problem: Exception | None = None
    try:
        run_lockstep(dict.fromkeys(owners(n), protocol), entropy=entropy(n), tracers=tracers, tap=tap)
    except PeerLostError as error:
        problem = error
    for tracer in tracers.values():
        tracer.close()
    found: dict[str, list[Any]] = {name: [] for name in names}
    for line in lines:
        content = json.loads(line)
        found[content["party"]] += content.get("events", [])
    return found, b"".join(lines).decode(), problem


def of_kind(events: list[Any], kind: str) -> list[Any]:
    return [event for event in events if event[0] == kind]


@pytest.mark.parametrize("n", [2, 3])
def test_rounds_have_the_plans_labels_and_bytes(n: int) -> None:
    plan = make_plan(squares, owners(n), "helper")
    events, _, _ = traced(squares, n)
    for name in owners(n):
        rounds = of_kind(events[name], "round")
        assert [one[2] for one in rounds] == [one.label for one in plan.rounds]
        size = [HEADER_BYTES + one.payload for one in plan.rounds]
        peers = [peer for peer in owners(n) if peer != name]
        assert [one[8] for one in rounds] == [dict.fromkeys(peers, nbytes) for nbytes in size]
        assert [{peer: nbytes for peer, (nbytes, _) in one[9].items()} for one in rounds] == [one[8] for one in rounds]
    sent = of_kind(events["helper"], "push")
    assert [one[3] for one in sent] == [HEADER_BYTES + nbytes for nbytes in plan.windows]
    assert [one[3] for one in of_kind(events[owners(n)[-1]], "pull")] == [one[3] for one in sent]


def test_times_of_a_round_are_in_order() -> None:
    events, _, _ = traced(squares)
    for one in of_kind(events["hospital_b"], "round"):
        began, asked, handed, ready, ended = one[3:8]
        assert began <= asked <= handed <= ready <= ended
        assert all(ready <= time <= ended for _, time in one[9].values())


def test_a_round_names_the_line_that_awaited_it() -> None:
    events, _, _ = traced(squares)
    lines, start = inspect.getsourcelines(squares)
    awaits = [start + k for k, line in enumerate(lines) if "await" in line]
    places = {number: calls for _, number, calls in of_kind(events["hospital_a"], "place")}
    seen = [places[one[1]][-1] for one in of_kind(events["hospital_a"], "round")]
    assert seen == [["test_round_tracer.py", line, "squares"] for line in awaits]


def test_draws_are_those_since_the_last_round() -> None:
    events, _, _ = traced(squares)
    assert [one[10] for one in of_kind(events["hospital_b"], "round")] == [{"MultiplyTriple": 2}, {}]


def test_stages_and_the_protocols_ends_are_there() -> None:
    events, _, _ = traced(squares)
    kinds = [event[0] for event in events["hospital_a"]]
    assert kinds.index("start") < kinds.index("stage") < kinds.index("round") < kinds.index("end")
    assert [event[2] for event in of_kind(events["hospital_a"], "stage")] == ["squaring"]


def words_of(run: Log) -> list[int]:
    """Every word that was sent: shares of revealed values, and of masked ones; corrections."""
    return [int(word) for message in run.messages for word in np.frombuffer(message.body, dtype=np.uint64)]


def test_without_a_test_seed_no_value_is_written() -> None:
    run = Log()
    drawn: list[tuple[Any, ...]] = []

    async def noted(p: Party) -> list[int]:
        before = p.correlation

        def correlation(kind: Kind) -> tuple[Any, ...]:
            drawn.append(before(kind))
            return drawn[-1]

        if not p.dry:
            p.correlation = correlation  # type: ignore[method-assign]
        return await squares(p)

    _, text, _ = traced(noted, tap=run)
    known = [int(word) for parts in drawn for part in parts for word in part.value]  # masks and dealt shares
    opened = [(a + b) % 2**64 for a, b in zip(words_of(run), words_of(run), strict=True)]
    secret = [*known, *opened, *words_of(run), *(int(x) for x in X), *(2 * int(x) ** 2 % 2**64 for x in X)]
    assert len(known) == 2 * 2 * 3 * 2  # owners, triples, parts, words
    for word in secret:
        assert str(word) not in text
        assert int(word).to_bytes(8, "little").hex() not in text
        assert f"{word:x}" not in text


def test_under_a_test_seed_shares_and_masks_are_there() -> None:
    events, _, _ = traced(squares, values=True)

    def told(name: str, what: str, label: str) -> list[Any]:
        return [one[4] for one in of_kind(events[name], "value") if (one[1], one[2]) == (what, label)]

    def words(text: str) -> np.ndarray:
        return np.frombuffer(bytes.fromhex(text), dtype=np.uint64)

    first = [told(name, "masked", "first")[0] for name in owners(2)]
    masked, mask = (sum(words(one[key]) for one in first) for key in ("words", "mask"))
    assert np.array_equal(masked + mask, X)
    assert all(np.array_equal(words(told(name, "opened", "first")[0]["words"]), masked) for name in owners(2))
    assert first[0]["of"] == [0, "MultiplyTriple", 0]
    watched = sum(words(told(name, "watch", "squares")[0]["words"]) for name in owners(2))
    assert np.array_equal(watched, X * X)
    assert np.array_equal(words(told("hospital_b", "told", "total")[0]["words"]), 2 * X * X)


def test_an_added_mask_is_told_from_a_subtracted_one() -> None:
    async def added(p: Party) -> None:
        x = p.input("hospital_a", X if p.name == "hospital_a" and not p.dry else None, (2,), 0)
        a, b, _ = p.correlation(MultiplyTriple(Spec((2,)), Spec((2,))))
        await p.open(x + a, x - b, label="both")

    events, _, _ = traced(added, values=True)
    assert [one[4]["added"] for one in of_kind(events["hospital_a"], "value") if one[1] == "masked"] == [True, False]


def test_a_round_that_never_ends_says_who_is_missing() -> None:
    def lost(message: Message) -> bytes | None:
        return None if (message.label, message.sender) == ("total", "hospital_b") else message.body

    events, _, problem = traced(squares, tap=lost)
    assert isinstance(problem, PeerLostError)
    last = of_kind(events["hospital_a"], "round")[-1]
    assert (last[2], last[7], last[9]) == ("total", None, {})


def test_beyond_its_bound_rounds_are_added_up() -> None:
    async def many(p: Party) -> None:
        for _ in range(1000):
            await Round(dict.fromkeys(p.peers, ()), dict.fromkeys(p.peers, ()), "again", everyone=True)

    events, text, _ = traced(many, most=20_000)
    kept = len(of_kind(events["hospital_a"], "round"))
    (dropped,) = of_kind(events["hospital_a"], "dropped")
    assert 0 < kept < 1000
    assert dropped[1]["again"][0] == 1000 - kept
    assert dropped[1]["again"][4] == HEADER_BYTES * (1000 - kept)
    assert len(text) < 2 * 40_000 + 20_000


@pytest.mark.parametrize(
    ("path", "short"),
    [
        (mpc.runtime.party.__file__, "mpc/runtime/party.py"),
        ("/srv/someone/mpc/protocols/median.py", "median.py"),
        ("/srv/someone/secret study/median.py", "median.py"),
        ("<string>", "<string>"),
    ],
)
def test_a_path_says_nothing_of_the_machine(path: str, short: str) -> None:
    assert short_path(path) == short
