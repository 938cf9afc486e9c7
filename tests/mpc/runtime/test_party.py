"""What a party may open and reveal, what that shows, and how inputs are shared: for two to five owners."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest

from mpc.errors import InternalError, ProtocolError
from mpc.randomness.correlation import OwnMasks, Uniform
from mpc.randomness.streams import Stream, derive
from mpc.ring.rings import B64, Z32, Z64, Ring, wide
from mpc.ring.specs import Spec
from mpc.runtime.lockstep import Watch
from mpc.runtime.party import PairStreams, Party, pair_streams
from mpc.sharing.share import Mask, Masked, Public, Share
from tests.mpc.kit import RINGS, Log, combine, elements, entropy, ints, owners, run

SIZES = [2, 3, 4, 5]
each_ring = pytest.mark.parametrize("ring", RINGS, ids=repr)
each_size = pytest.mark.parametrize("n", SIZES)


def own_input(p: Party, owner: str, value: np.ndarray, ring: Ring = Z64, scale: int = 0) -> Share:
    """As a program does it: only the owner itself gives the value."""
    return p.input(owner, value if p.name == owner and not p.dry else None, value.shape, scale, ring)


async def masked(p: Party, x: Share) -> tuple[Masked, Mask]:
    (a,) = p.correlation(Uniform((Spec(x.shape, x.scale, x.ring),)))
    return x - a, a


# --- inputs ---


@each_size
@each_ring
def test_inputs_are_shared_and_add_up(ring: Ring, n: int) -> None:
    values = {name: elements(ring, (3, 2), i) for i, name in enumerate(owners(n))}
    log = Log()

    async def program(p: Party) -> list[np.ndarray]:
        return [own_input(p, name, value, ring, 4).value for name, value in values.items()]

    outcome = run(program, n, tap=log)
    assert log.messages == [] and outcome.plan.rounds == ()
    for k, value in enumerate(values.values()):
        shares = [outcome.results[name][k] for name in owners(n)]
        assert combine(ring, shares).tolist() == ints(value).tolist()
        for i, share in enumerate(shares):
            for other in (*shares[:i], value):
                assert not np.array_equal(share, other)


@pytest.mark.parametrize(
    "value",
    [
        None,
        np.zeros(2, np.uint64),
        np.zeros((3, 1), np.uint64),
        np.zeros(3),
        np.zeros(3, np.int64),
        np.zeros(3, object),
    ],
)
def test_a_missing_or_wrong_input_is_refused(value: Any) -> None:
    async def program(p: Party) -> None:
        p.input("hospital_a", None if p.dry or p.index else value, (3,), 0)

    with pytest.raises(InternalError, match="hospital_a's input is missing, or not ring elements of shape"):
        run(program)


# --- opening ---


@each_size
@each_ring
def test_open_gives_everyone_the_masked_value(ring: Ring, n: int) -> None:
    value = elements(ring, (2, 3), 7)

    async def program(p: Party) -> tuple[Public, Public, Share]:
        x = own_input(p, owners(n)[-1], value, ring, 6)
        a, b = p.correlation(Uniform((Spec((2, 3), 6, ring), Spec((2, 3), 6, ring))))
        minus, plus = await p.open(x - a, x + b, label="both")
        return minus, plus, (a[:], b[:])  # type: ignore[return-value]

    results = run(program, n).results
    a, b = (combine(ring, [r[2][k].value for r in results.values()]).astype(ring.dtype) for k in (0, 1))
    for minus, plus, _ in results.values():
        assert type(minus) is Public and minus.scale == 6 and minus.ring == ring
        assert ints(minus.value).tolist() == ints(ring.sub(value, a)).tolist()
        assert ints(plus.value).tolist() == ints(ring.add(value, b)).tolist()


def test_only_masked_values_are_opened() -> None:
    for spoil in (
        lambda x, a: x,
        lambda x, a: a,
        lambda x, a: a[:],
        lambda x, a: a + x,
        lambda x, a: (x - a) + x,
        lambda x, a: x - a[:],
        lambda x, a: (x - a).sum(),
    ):

        async def program(p: Party, spoil: Any = spoil) -> None:
            x = p.input("hospital_a", np.zeros(3, np.uint64) if p.index == 0 else None, (3,), 0)
            (a,) = p.correlation(Uniform((Spec((3,)),)))
            await p.open(spoil(x, a), label="leak")

        with pytest.raises(InternalError, match="is not masked and cannot be opened in 'leak'"):
            run(program)


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("again", ["other value", "other scale", "same value"])
def test_a_mask_is_used_once(at_once: bool, again: str) -> None:
    async def program(p: Party) -> None:
        x = own_input(p, "hospital_a", np.array([1, 2], dtype=np.uint64))
        first, a = await masked(p, x)
        second = {
            "other value": lambda: x + x - a,
            "other scale": lambda: first.at_scale(9),
            "same value": lambda: x - a,
        }
        if at_once:
            await p.open(first, second[again](), label="twice")
        else:
            await p.open(first, label="once")
            await p.open(second[again](), label="twice")

    with pytest.raises(InternalError, match="a mask was used twice, the second time in 'twice'"):
        run(program)


def test_of_a_spent_mask_nothing_is_kept() -> None:
    """A run may open any number of values: when a value is gone, its party has forgotten that it was there."""
    party = Party("hospital_a", owners(2), NoSupply(), {}, Watch(), declared=None)
    x, theirs = Share(np.array([5], dtype=np.uint64)), {"hospital_b": (np.array([7], dtype=np.uint64),)}

    async def program() -> None:
        while True:
            await party.open(x - Mask(np.array([3], dtype=np.uint64)), label="again")

    running = program()
    running.send(None)
    tracemalloc.start()
    try:
        for _ in range(2000):
            running.send(theirs)
        assert tracemalloc.get_traced_memory()[0] < 2000 * 4, "bytes"
    finally:
        tracemalloc.stop()
        running.close()
    assert party.opened == {"again": 2001}


def test_a_mask_read_at_another_scale_is_the_same_mask() -> None:
    async def program(p: Party) -> None:
        x, y = own_input(p, "hospital_a", np.zeros(2, np.uint64)), own_input(p, "hospital_a", np.ones(2, np.uint64))
        (a,) = p.correlation(Uniform((Spec((2,)),)))
        await p.open(x - a, label="first")
        await p.open(y.at_scale(5) - a.at_scale(5), label="second")

    with pytest.raises(InternalError, match="used twice"):
        run(program)


def test_the_same_object_may_be_opened_again() -> None:
    async def program(p: Party) -> list[np.ndarray]:
        covered, _ = await masked(p, own_input(p, "hospital_a", np.array([1, 2], dtype=np.uint64)))
        once = await p.open(covered, covered, label="both")
        again = await p.open(covered, label="again")
        return [opened.value for opened in (*once, *again)]

    for one, two, three in run(program, 3).results.values():
        assert one.tolist() == two.tolist() == three.tolist()


@each_ring
@pytest.mark.parametrize("rows", [1, 2, 5, 6, 7, 12, 13])
def test_a_large_value_is_opened_in_rounds_of_whole_rows(
    monkeypatch: pytest.MonkeyPatch, ring: Ring, rows: int
) -> None:
    monkeypatch.setattr("mpc.runtime.party.MOST_WORDS", 20)  # six rows of three
    value = elements(ring, (rows, 3), 7)

    async def program(p: Party) -> tuple[Share, Share]:
        x = own_input(p, "hospital_a", value, ring)
        (a,) = p.correlation(Uniform((Spec((rows, 3), 0, ring),)))
        return (await p.open_rows(x - a, label="rows")), a[:]  # type: ignore[return-value]

    outcome = run(program, 3)
    assert [one.label for one in outcome.plan.rounds] == ["rows"] * -(-rows // 6)
    a = combine(ring, [r[1].value for r in outcome.results.values()]).astype(ring.dtype)
    for opened, _ in outcome.results.values():
        assert ints(opened.value).tolist() == ints(ring.sub(value, a)).tolist()


@pytest.mark.parametrize("rows", [2, 20])
@pytest.mark.parametrize("again", ["the same object", "another"])
def test_a_large_value_uses_its_mask_up(monkeypatch: pytest.MonkeyPatch, rows: int, again: str) -> None:
    monkeypatch.setattr("mpc.runtime.party.MOST_WORDS", 8)

    async def program(p: Party) -> None:
        x = own_input(p, "hospital_a", np.zeros(rows, np.uint64))
        covered, a = await masked(p, x)
        await p.open_rows(covered, label="once")
        await p.open(x - a if again == "another" else covered, label="twice")

    if (rows, again) == (2, "the same object"):
        run(program)  # opened in one round it is there as it was
    else:
        with pytest.raises(InternalError, match="a mask was used twice, the second time in 'twice'"):
            run(program)


@pytest.mark.parametrize("sizes", [(5, 5), (7, 3), (2, 9, 4), (1, 0, 6), (3, 1, 4, 1, 5)])
@pytest.mark.parametrize("most", [4, 1 << 21])
def test_each_owners_own_rows_are_opened_to_all(
    monkeypatch: pytest.MonkeyPatch, sizes: tuple[int, ...], most: int
) -> None:
    monkeypatch.setattr("mpc.runtime.party.MOST_WORDS", most)  # 4: two rows of two
    values = [elements(Z64, (max(sizes), 2), k) for k in range(len(sizes))]

    async def program(p: Party) -> tuple[Public, Share]:
        (a,) = p.correlation(OwnMasks(sizes, 2, 4))
        covered = Share(values[p.index], 4) - a
        return await p.open_own(covered, sizes, label="own"), a[:]

    outcome = run(program, len(sizes))
    rounds = 1 if most > 4 else -(-max(sizes) // 2)
    assert [one.label for one in outcome.plan.rounds] == ["own"] * rounds
    assert outcome.payload_bytes["hospital_a"] == 8 * 2 * max(sizes) * (len(sizes) - 1)
    masks = [a.value for _, a in outcome.results.values()]
    rows = [(x - a)[:size] for x, a, size in zip(values, masks, sizes, strict=True)]
    for opened, _ in outcome.results.values():
        assert (opened.value == np.concatenate(rows)).all() and opened.scale == 4


def test_own_rows_are_opened_once_and_under_a_mask() -> None:
    sizes = (2, 2)

    async def bare(p: Party) -> None:
        await p.open_own(Share(np.zeros((2, 2), np.uint64)), sizes, label="leak")  # type: ignore[arg-type]

    async def twice(p: Party) -> None:
        (a,) = p.correlation(OwnMasks(sizes, 2, 0))
        x = Share(np.zeros((2, 2), np.uint64))
        await p.open_own(x - a, sizes, label="once")
        await p.open_own(x + x - a, sizes, label="twice")

    for program, says in ((bare, "is not masked and cannot be opened in 'leak'"), (twice, "twice, .* in 'twice'")):
        with pytest.raises(InternalError, match=says):
            run(program)


def test_only_a_masked_value_is_opened_row_by_row() -> None:
    async def program(p: Party) -> None:
        await p.open_rows(own_input(p, "hospital_a", np.zeros(2, np.uint64)), label="leak")  # type: ignore[arg-type]

    with pytest.raises(InternalError, match="is not masked and cannot be opened in 'leak'"):
        run(program)


# --- revealing ---


@each_size
@each_ring
def test_reveal_gives_everyone_the_value(ring: Ring, n: int) -> None:
    values = [elements(ring, (3,), 5), elements(ring, (2, 2), 6)]

    async def program(p: Party) -> tuple[Public, ...]:
        shares = [own_input(p, owners(n)[k], value, ring, 3) for k, value in enumerate(values)]
        return await p.reveal(*shares, what="sums", why="agreed", label="sum")

    outcome = run(program, n)
    for opened in outcome.results.values():
        assert [ints(v.value).tolist() for v in opened] == [ints(v).tolist() for v in values]
        assert all(type(v) is Public and v.scale == 3 and v.ring == ring for v in opened)
    assert [(r.what, r.to, r.shape, r.why) for r in outcome.reveals] == [
        ("sums", owners(n), (3,), "agreed"),
        ("sums", owners(n), (2, 2), "agreed"),
    ]
    assert outcome.plan.reveals == outcome.reveals


@each_size
@each_ring
def test_revealing_adds_a_fresh_sharing_of_zero(ring: Ring, n: int) -> None:
    """What each party sends is its share plus noise that cancels in the sum, and is new every time."""
    log = Log()

    async def program(p: Party) -> np.ndarray:
        x = own_input(p, owners(n)[0], elements(ring, (64,), 1), ring)
        for k in range(2):
            await p.reveal(x, what="x", why="agreed", label=f"sum/{k}")
        return x.value

    shares = run(program, n, tap=log).results
    noise: dict[tuple[str, str], np.ndarray] = {}
    for message in log.messages:
        sent = ring.from_bytes(message.body, (64,))
        noise[message.label, message.sender] = ring.sub(sent, shares[message.sender])
    for label in ("sum/0", "sum/1"):
        assert not combine(ring, [noise[label, name] for name in owners(n)]).any()
    assert len({bytes(ring.to_bytes(part)) for part in noise.values()}) == 2 * n - 2 * (ring.xor and n == 2)


@each_size
@each_ring
@pytest.mark.parametrize("to", ["all", "each"])
def test_each_value_has_a_sharing_of_zero_of_its_own(to: str, ring: Ring, n: int) -> None:
    """One share is revealed three times, twice in one round: what is sent of it is never alike, nor alike for two."""
    log = Log()

    async def program(p: Party) -> np.ndarray:
        x = own_input(p, owners(n)[0], elements(ring, (64,), 1), ring)
        for k in range(3):
            if to == "each":
                await p.reveal_to_each(dict.fromkeys(owners(n), x), what="x", why="agreed", label=f"{k}")
            elif k < 2:
                await p.reveal(*[x] * (2 - k), what="x", why="agreed", label=f"{k}")
        return x.value

    shares = run(program, n, tap=log).results
    for sender in owners(n):
        sent = {}
        for message in (one for one in log.messages if one.sender == sender):
            words = np.frombuffer(message.body, dtype=np.uint8).reshape(-1, 64 * ring.word_bytes)
            sent.update(
                {(message.label, k, to == "all" or message.receiver): row.tobytes() for k, row in enumerate(words)}
            )
        assert len(sent) == (3 if to == "all" else 3 * (n - 1))
        assert len({*sent.values(), bytes(ring.to_bytes(shares[sender]))}) == len(sent) + 1, sender


@each_size
@each_ring
def test_each_owner_is_told_its_own_part(ring: Ring, n: int) -> None:
    """Of other values and lengths than the others'; one is told nothing, and is sent zeros."""
    log = Log()
    parts = {name: elements(ring, (3 * k,), k) for k, name in enumerate(owners(n))}
    last = owners(n)[-1]

    async def program(p: Party) -> Public:
        shares = {name: own_input(p, last, value, ring, 3) for name, value in parts.items()}
        return await p.reveal_to_each(shares, what="parts", why="agreed", label="own")

    outcome = run(program, n, tap=log)
    assert [(one.what, one.to, one.shape) for one in outcome.reveals] == [
        ("parts", (name,), (len(part),)) for name, part in parts.items() if len(part)
    ]
    assert outcome.plan.reveals == outcome.reveals
    assert {len(message.body) for message in log.messages} == {len(parts[last]) * ring.word_bytes}
    for name, told in outcome.results.items():
        assert ints(told.value).tolist() == ints(parts[name]).tolist()
        got = [ring.from_bytes(one.body, parts[last].shape) for one in log.messages if one.receiver == name]
        assert not any(words[len(parts[name]) :].any() for words in got), "one is sent its own part alone"


@each_size
def test_what_a_party_sends_to_reveal_is_uniform(n: int) -> None:
    """A share that is not uniform at all (here zero, at all but one) must not show."""
    log = Log()

    async def program(p: Party) -> None:
        share = p.public(Public(np.arange(4096, dtype=np.uint64)))
        await p.reveal(share, what="x", why="agreed", label="sum")

    run(program, n, tap=log)
    for message in log.messages:
        assert bits_are_balanced(np.frombuffer(message.body, dtype=np.uint64)), message.sender
        same = [m.body for m in log.messages if m.sender == message.sender]
        assert same == [message.body] * (n - 1)  # everyone is told the same


@pytest.mark.parametrize("what", ["weights", "", "Model"])
def test_only_what_is_declared_is_revealed(what: str) -> None:
    def party(name: str) -> Party:
        pairs = {o: pair_streams(bytes(32), b"") for o in owners(2) if o != name}
        return Party(name, owners(2), NoSupply(), pairs, Watch(), declared=frozenset({"model"}))

    share = Share(np.array([5], dtype=np.uint64))
    each = dict.fromkeys(owners(2), share)
    with pytest.raises(InternalError, match=f"'{what}' is not declared"):
        party("hospital_a").reveal(share, what=what, why="", label="x").send(None)
    with pytest.raises(InternalError, match=f"'{what}' is not declared"):
        party("hospital_a").reveal_to_each(each, what=what, why="", label="x").send(None)
    party("hospital_a").reveal(share, what="model", why="", label="x").send(None)
    party("hospital_a").reveal_to_each(each, what="model", why="", label="x").send(None)
    with pytest.raises(InternalError, match="parts for hospital_b, not for each of hospital_a, hospital_b"):
        party("hospital_a").reveal_to_each({"hospital_b": share}, what="model", why="", label="x").send(None)


def test_where_nothing_is_declared_nothing_is_revealed() -> None:
    party = Party("hospital_a", owners(2), NoSupply(), {}, Watch(), declared=frozenset())
    share = Share(np.array([5], dtype=np.uint64))
    for program in (
        party.reveal(share, what="model", why="", label="x"),
        party.reveal_to_each(dict.fromkeys(owners(2), share), what="model", why="", label="x"),
    ):
        with pytest.raises(InternalError, match="'model' is not declared"):
            program.send(None)


def test_an_undeclared_reveal_stops_before_anything_is_sent() -> None:
    log = Log()

    async def program(p: Party) -> None:
        x = own_input(p, "hospital_a", np.array([5], dtype=np.uint64))
        await p.reveal(x, what="model" if p.dry else "rows", why="", label="x")

    with pytest.raises(InternalError, match="'rows' is not declared"):
        run(program, tap=log)
    assert log.messages == []


def test_masks_are_not_revealed() -> None:
    for pick in (lambda x, a: a, lambda x, a: x - a):

        async def program(p: Party, pick: Any = pick) -> None:
            x = p.input("hospital_a", np.zeros(3, np.uint64) if p.index == 0 else None, (3,), 0)
            (a,) = p.correlation(Uniform((Spec((3,)),)))
            await p.reveal(pick(x, a), what="x", why="", label="sum")

        async def to_each(p: Party, pick: Any = pick) -> None:
            x = p.input("hospital_a", np.zeros(3, np.uint64) if p.index == 0 else None, (3,), 0)
            (a,) = p.correlation(Uniform((Spec((3,)),)))
            await p.reveal_to_each(dict.fromkeys(p.owners, pick(x, a)), what="x", why="", label="sum")

        for one in (program, to_each):
            with pytest.raises(InternalError, match="a mask cannot be revealed, in 'sum'"):
                run(one)


# --- the rest ---


@pytest.mark.parametrize("ring", [Z64, Z32, B64, wide(128), wide(256)])
@pytest.mark.parametrize("number", [0, 1, -1, 2**63, -(2**63), 2**64, 2**64 + 5, 2**300 + 1])
def test_constants_are_brought_into_the_ring(ring: Ring, number: int) -> None:
    async def program(p: Party) -> Public:
        return p.constant(number, (2, 3), 7, ring)

    got = run(program).results["hospital_b"]
    assert got.shape == (2, 3) and got.scale == 7 and got.value.dtype == ring.dtype
    assert ints(got.value).tolist() == [[number % (1 << ring.bits)] * 3] * 2


def test_compute_and_insist_are_skipped_in_a_dry_run_only() -> None:
    calls: list[bool] = []

    async def program(p: Party) -> np.ndarray:
        x = p.compute(lambda a, b: a + b, np.array([1]), np.array([2]), shape=(1,))
        p.insist(lambda: bool(x[0] == 3), lambda: ProtocolError("not three"))
        calls.append(p.dry)
        return x

    assert all(result.tolist() == [3] for result in run(program).results.values())
    assert calls == [True, False, False]

    async def fails(p: Party) -> None:
        p.insist(lambda: False, lambda: ProtocolError("the value is out of range"))

    with pytest.raises(ProtocolError, match="the value is out of range"):
        run(fails)


def test_pair_streams_are_two_streams_bound_to_the_session() -> None:
    seed = entropy(2)["hospital_a"]("pair/hospital_b")
    one = pair_streams(seed, b"session")
    assert isinstance(one, PairStreams)
    assert one.inputs.take(32).tobytes() == Stream(derive(seed, "inputs", b"session")).take(32).tobytes()
    assert one.zeros.take(32).tobytes() == Stream(derive(seed, "zeros", b"session")).take(32).tobytes()
    other = pair_streams(seed, b"another session")
    drawn = {s.take(32).tobytes() for s in (one.inputs, one.zeros, other.inputs, other.zeros)}
    assert len(drawn) == 4


class NoSupply:
    """For parties that ask for no correlation."""

    def next(self, kind: Any) -> Any:
        raise AssertionError(kind)

    def fork(self, way: bool) -> bool:
        raise AssertionError(way)


def bits_are_balanced(words: np.ndarray) -> bool:
    """Whether each of the 64 bits is set in about half of many words (within 6 standard deviations)."""
    set_ = np.array([int(((words >> np.uint64(bit)) & np.uint64(1)).sum()) for bit in range(64)])
    return bool((np.abs(set_ - words.size / 2) < 3 * np.sqrt(words.size)).all())


def test_work_is_done_between_sending_and_receiving() -> None:
    seen: list[tuple[str, str]] = []

    async def program(p: Party) -> int:
        def work() -> int:
            seen.append((p.name, "work"))
            return 5

        m, _ = await masked(p, own_input(p, p.owners[0], np.zeros(1, dtype=np.uint64)))
        here = p.defer(work)
        await p.open(m, label="open")
        if not p.dry:
            seen.append((p.name, "after"))
        return here() + here()

    outcome = run(program, 2)
    assert set(outcome.results.values()) == {10}
    for name in outcome.results:
        assert [what for who, what in seen if who == name][-2:] == ["work", "after"]
