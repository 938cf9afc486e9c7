"""All parties in one thread: what goes wrong is said at once, by who waits for whom, and taps see everything."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import numpy as np
import pytest

from mpc.errors import InternalError, PeerLostError, ProtocolError
from mpc.randomness.correlation import MultiplyTriple, Uniform
from mpc.randomness.streams import insecure_entropy
from mpc.ring.rings import Z64
from mpc.ring.specs import Spec
from mpc.runtime.lockstep import Message, run_lockstep, seat
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, make_plan
from mpc.runtime.round import Blob, Round
from mpc.sharing.share import Mask, Share
from tests.mpc.kit import Log, Protocol, combine, entropy, owners, run

X, Y = (np.array(numbers, dtype=np.uint64) for numbers in ([3, 2**63, 5], [7, 4, 2**64 - 1]))


async def product(p: Party, *, label: str = "multiply") -> Share:
    x = p.input("hospital_a", X if p.name == "hospital_a" and not p.dry else None, (3,), 0)
    y = p.input("hospital_b", Y if p.name == "hospital_b" and not p.dry else None, (3,), 0)
    a, b, c = p.correlation(MultiplyTriple(Spec((3,)), Spec((3,))))
    d, e = await p.open(x - a, y - b, label=label)
    return c + d * b + e * a + p.public(d * e)


async def revealed_product(p: Party) -> list[int]:
    (z,) = await p.reveal(await product(p), what="product", why="agreed", label="reveal")
    p.stage("done", 1, 1)
    return z.value.tolist() if not p.dry else []


EXPECTED = [int(x) * int(y) % 2**64 for x, y in zip(X, Y, strict=True)]


def with_odd_one(odd: Protocol, others: Protocol = revealed_product, n: int = 2, tap: Any = None) -> Any:
    """The last owner runs another program than the one that was planned."""
    factories = {**dict.fromkeys(owners(n), others), owners(n)[-1]: odd}
    return run_lockstep(factories, entropy=entropy(n), tap=tap)


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_a_product(n: int) -> None:
    outcome = run(revealed_product, n)
    assert outcome.results == dict.fromkeys(owners(n), EXPECTED)
    assert outcome.rounds == dict.fromkeys(owners(n), 2)
    assert outcome.payload_bytes == {**dict.fromkeys(owners(n), (n - 1) * (48 + 24)), "helper": 24}
    assert [(r.what, r.shape) for r in outcome.reveals] == [("product", (3,))]


@pytest.mark.parametrize("who", ["hospital_a", "hospital_b", "hospital_c", "helper"])
def test_each_partys_seeds_matter(who: str) -> None:
    """Fresh seeds of any one party make every message new: no stream is used in two sessions."""
    logs = Log(), Log()
    for log, seed in zip(logs, (1, 2), strict=True):
        seeds = {**entropy(3, 1), who: insecure_entropy(seed, who)}
        run_lockstep(dict.fromkeys(owners(3), revealed_product), entropy=seeds, tap=log)
    for one, other in zip(logs[0].messages, logs[1].messages, strict=True):
        assert (one.sender, one.receiver, one.label) == (other.sender, other.receiver, other.label)
        assert one.body != other.body


def test_each_seed_is_asked_once_of_who_may_know_it() -> None:
    asked: list[tuple[str, str]] = []

    def watched(name: str) -> Callable[[str], bytes]:
        def give(label: str) -> bytes:
            asked.append((name, label))
            return insecure_entropy(1, name)(label)

        return give

    parties = (*owners(3), "helper")
    run_lockstep(dict.fromkeys(owners(3), revealed_product), entropy={name: watched(name) for name in parties})
    assert sorted(asked) == sorted(
        [(name, "hello") for name in parties]
        + [("helper", f"deal/{name}") for name in owners(3)]
        + [("hospital_a", "pair/hospital_b"), ("hospital_a", "pair/hospital_c"), ("hospital_b", "pair/hospital_c")]
    )


def test_owners_do_not_hold_each_others_shares() -> None:
    async def shares(p: Party) -> list[bytes]:
        kind = MultiplyTriple(Spec((3,)), Spec((3,)))
        inputs = [p.input(o, X if o == p.name and not p.dry else None, (3,), 0) for o in p.owners]
        held = [*p.correlation(kind), *p.correlation(kind), *inputs]
        return [] if p.dry else [share.value.tobytes() for share in held]

    results = run(shares, 4).results
    assert len({share for held in results.values() for share in held}) == 4 * 10


def test_an_owner_may_be_done_before_the_others() -> None:
    async def uneven(p: Party) -> int:
        later = p.owners[1:]
        for k in range(0 if p.name not in later else 3):
            (peer,) = (name for name in later if name != p.name)
            got = await Round({peer: (X + np.uint64(k),)}, {peer: (Spec((3,)),)}, f"step/{k}")
            assert got[peer][0][0] == X[0] + k
        return p.index

    outcome = run(uneven, 3, plan=Plan(owners(3), "helper", (), (), ()))
    assert outcome.results == {"hospital_a": 0, "hospital_b": 1, "hospital_c": 2}
    assert outcome.rounds == {"hospital_a": 0, "hospital_b": 3, "hospital_c": 3}


def test_a_tap_sees_every_message() -> None:
    log = Log()
    run(revealed_product, 3, tap=log)
    seen = [(m.sender, m.receiver, m.label) for m in log.messages]
    pairs = [(a, b) for a in owners(3) for b in owners(3) if a != b]
    assert sorted(seen) == sorted(
        [("helper", "hospital_c", "deal"), *((a, b, label) for a, b in pairs for label in ("multiply", "reveal"))]
    )


@pytest.mark.parametrize(
    "label, text",
    [
        ("matmul", "hospital_a waits for hospital_b in 'multiply', which sent 'matmul'"),
        ("", "hospital_a waits for hospital_b in 'multiply', which sent ''"),
    ],
)
def test_a_planted_mismatch_says_who_waits_for_whom(label: str, text: str) -> None:
    async def odd(p: Party) -> Share:
        return await product(p, label=label)

    with pytest.raises(PeerLostError) as caught:
        with_odd_one(odd)
    assert caught.value.message == text
    assert caught.value.party == "hospital_b"


def test_a_party_that_ends_early_is_named() -> None:
    for n in (2, 3):
        with pytest.raises(PeerLostError, match=f"hospital_a waits for {owners(n)[-1]} in 'reveal'$"):
            with_odd_one(product, n=n)


def test_a_message_of_another_length_is_refused() -> None:
    async def shorter(p: Party) -> Any:
        sent = (X[:2], Y)
        return await Round(dict.fromkeys(p.peers, sent), dict.fromkeys(p.peers, (Spec((3,)), Spec((3,)))), "multiply")

    with pytest.raises(ProtocolError, match="a message from hospital_b in 'multiply' has 40 bytes instead of 48"):
        with_odd_one(shorter)


@pytest.mark.parametrize(
    "sender, label, text",
    [
        ("hospital_b", "multiply", "hospital_a waits for hospital_b in 'multiply'$"),
        ("hospital_a", "reveal", "hospital_b waits for hospital_a in 'reveal'$"),
        ("helper", "deal", "hospital_b waits for helper in 'deal'$"),
    ],
)
def test_a_dropped_message_is_missed_at_once(sender: str, label: str, text: str) -> None:
    def drop(message: Message) -> bytes | None:
        return None if (message.sender, message.label) == (sender, label) else message.body

    with pytest.raises(PeerLostError, match=text) as caught:
        run(revealed_product, tap=drop)
    assert caught.value.party == sender


@pytest.mark.parametrize(
    "change, error", [(lambda b: b[:-8], "bytes instead of"), (lambda b: b + b"\0", "bytes instead of")]
)
@pytest.mark.parametrize("label", ["multiply", "reveal"])
def test_a_tap_that_cuts_or_grows_is_noticed(change: Callable[[bytes], bytes], error: str, label: str) -> None:
    with pytest.raises(ProtocolError, match=error):
        run(revealed_product, tap=lambda m: change(m.body) if m.label == label else m.body)


def test_corrections_that_are_cut_are_noticed() -> None:
    with pytest.raises(ProtocolError, match="16 bytes of corrections instead of 24"):
        run(revealed_product, tap=lambda m: m.body[:-8] if m.label == "deal" else m.body)


@pytest.mark.parametrize("label", ["multiply", "reveal", "deal"])
def test_a_tap_that_alters_a_word_changes_what_arrives(label: str) -> None:
    """Lockstep has no tags: this is how a test plays a party that alters its values."""

    def add_one(message: Message) -> bytes:
        if message.label != label or message.receiver != "hospital_b":
            return message.body
        words = np.frombuffer(message.body, dtype=np.uint64).copy()
        words[0] += 1
        return words.tobytes()

    results = run(revealed_product, tap=add_one).results
    assert results["hospital_b"][1:] == EXPECTED[1:]
    assert results["hospital_b"][0] != EXPECTED[0]
    if label != "multiply":
        assert results["hospital_b"][0] == (EXPECTED[0] + 1) % 2**64
    assert (results["hospital_a"] == EXPECTED) == (label == "reveal")


def test_programs_are_closed_after_a_failure() -> None:
    closed: list[str] = []
    held: list[Any] = []  # so that it is not the garbage collector who closes them

    def factory(p: Party) -> Any:
        held.append(careful(p))
        return held[-1]

    async def careful(p: Party) -> Any:
        try:
            return await revealed_product(p)
        finally:
            closed.append(p.name if not p.dry else "dry")

    with pytest.raises(PeerLostError):
        run(factory, 3, tap=lambda m: None if m.label == "reveal" else m.body)
    assert sorted(closed) == ["dry", *owners(3)]


def test_an_error_inside_a_program_comes_through() -> None:
    async def fails(p: Party) -> None:
        await product(p)
        raise ProtocolError("a value is out of range", party=p.name)

    with pytest.raises(ProtocolError, match="a value is out of range") as caught:
        with_odd_one(fails)
    assert caught.value.party == "hospital_b"


def test_messages_of_unknown_length_without_a_plan() -> None:
    async def hello(p: Party) -> Any:
        (peer,) = p.peers
        got = await Round({peer: p.name.encode()}, {peer: Blob(100)}, "hello")
        return got[peer]

    results = run(hello, plan=Plan(owners(2), "helper", (), (), ())).results
    assert results == {"hospital_a": b"hospital_b", "hospital_b": b"hospital_a"}


Step = Callable[[Party, Share, list[Mask]], Coroutine[Any, Any, Any]]


async def opens_one_more(p: Party, x: Share, masks: list[Mask]) -> None:
    await p.open(*([x - masks[1]] if p.dry else [x - masks[1], x + masks[2]]), label="second")


async def skips_an_opening(p: Party, x: Share, masks: list[Mask]) -> None:
    if p.dry:
        await p.open(x - masks[1], label="second")


async def opens_elsewhere(p: Party, x: Share, masks: list[Mask]) -> None:
    await p.open(x - masks[1], label="second" if p.dry else "third")


async def reveals_again(p: Party, x: Share, masks: list[Mask]) -> None:
    if not p.dry:
        await p.reveal(x + x, what="sum", why="agreed", label="sum")


async def draws_one_more_when_dry(p: Party, x: Share, masks: list[Mask]) -> None:
    if p.dry:
        p.correlation(Uniform((Spec((3,)),)))


NOT_PLANNED = {
    opens_one_more: "opened 2 values in 'second', where its plan has 1",
    skips_an_opening: "opened 0 values in 'second', where its plan has 1",
    opens_elsewhere: "opened 0 values in 'second', where its plan has 1",
    reveals_again: "opened 2 values in 'sum', where its plan has 1",
    draws_one_more_when_dry: "drew 3 correlations, where its plan has 4",
}


@pytest.mark.parametrize(("does", "says"), NOT_PLANNED.items(), ids=lambda v: getattr(v, "__name__", None))
def test_a_run_that_opens_other_than_planned_fails(does: Step, says: str) -> None:
    """At all owners alike, so that no round fails: each value was masked, and each output declared."""

    async def program(p: Party) -> int:
        x = p.input("hospital_a", X if p.index == 0 and not p.dry else None, (3,), 0)
        masks = [a for _ in range(3) for a in p.correlation(Uniform((Spec((3,)),)))]
        await p.open(x - masks[0], label="first")
        await does(p, x, masks)
        await p.reveal(x, what="sum", why="agreed", label="sum")
        return 1

    with pytest.raises(InternalError, match=f"hospital_a {says}") as caught:
        run(program, 2)
    assert "do not use its result" in caught.value.hint and caught.value.party == "hospital_a"


def test_seated_parties_share_what_a_handshake_agrees_on() -> None:
    plan = make_plan(revealed_product, owners(3), "helper")
    seated = seat(plan, entropy(3), lambda windows: lambda: next(windows))
    assert list(seated) == list(owners(3))
    shares = [
        one.party.input("hospital_b", Y if name == "hospital_b" else None, (3,), 0) for name, one in seated.items()
    ]
    assert combine(Z64, [share.value for share in shares]).tolist() == Y.tolist()
    for one in seated.values():
        one.party.stage("here")
        assert one.watch.stages == [("here", 0, 0)] and one.watch.reveals == []
