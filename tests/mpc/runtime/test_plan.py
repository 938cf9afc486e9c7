"""A plan is what the run will do: rounds, labels, bytes, correlations and reveals, for any program."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mpc.errors import InternalError
from mpc.randomness.correlation import MatmulTriple, MultiplyTriple, Truncation, Uniform
from mpc.randomness.dealing import WINDOWS_AHEAD
from mpc.ring.rings import B8, B64, Z32, Z64, wide
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, make_plan
from mpc.runtime.round import HEADER_BYTES, Blob, Round, together
from mpc.sharing.share import Share
from tests.examples import steady
from tests.mpc.kit import Log, Protocol, elements, owners, run

RINGS = {"Z64": Z64, "Z32": Z32, "B8": B8, "B64": B64, "Z128": wide(128)}


@dataclass(frozen=True)
class Step:
    """One thing that a random program does."""

    what: str  # open, reveal, multiply, truncate, unused, stage, together
    shape: tuple[int, ...] = (1,)
    ring: str = "Z64"
    times: int = 1
    inner: tuple[Step, ...] = ()


simple = st.builds(
    Step,
    st.sampled_from(["open", "reveal", "multiply", "truncate", "unused", "stage"]),
    st.sampled_from([(1,), (5,), (2, 3), (0,), (7, 1)]),
    st.sampled_from(sorted(RINGS)),
    st.integers(1, 3),
)
programs = st.lists(
    simple | st.builds(Step, st.just("together"), inner=st.lists(simple, min_size=1, max_size=3).map(tuple)), max_size=5
)


def program(steps: tuple[Step, ...]) -> Protocol:
    async def all_steps(p: Party) -> None:
        for step in steps:
            await do(p, step)

    return all_steps


async def do(p: Party, step: Step) -> None:
    if step.what == "together":
        await together(*(do(p, inner) for inner in step.inner))
        return
    for _ in range(step.times):
        await _once(p, step)


async def _once(p: Party, step: Step) -> None:
    ring = Z64 if step.what == "truncate" else RINGS[step.ring]
    spec = Spec(step.shape, 3, ring)
    own = None if p.index or p.dry else elements(ring, step.shape, 5)
    x = p.input(p.owners[0], own, step.shape, 3, ring)
    if step.what == "open":
        (a,) = p.correlation(Uniform((spec,)))
        await p.open(x - a, label="open")
    elif step.what == "reveal":
        await p.reveal(x, x, what=f"sum of {step.ring}", why="agreed", label="reveal")
    elif step.what == "multiply":
        a, b, _ = p.correlation(MultiplyTriple(spec, spec))
        d, e = await p.open(x - a, x - b, label="multiply")
        assert (d * e).shape == step.shape
    elif step.what == "truncate":
        b, *_ = p.correlation(Truncation(step.shape, 3, 2))
        await p.open(x + b, label="truncate")
    elif step.what == "unused":
        p.correlation(Truncation(step.shape, 3, 2))
    else:
        p.stage(f"stage {step.ring}")


@steady(60)
@given(programs, st.integers(2, 4), st.sampled_from([1, 100, 1 << 20]))
def test_plan_is_what_is_measured(steps: list[Step], n: int, window: int) -> None:
    log = Log()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mpc.randomness.dealing.WINDOW_BYTES", window)
        outcome = run(program(tuple(steps)), n, tap=log)
        plan = outcome.plan
        credits = {name: plan.credits if name == owners(n)[-1] else 0 for name in (*owners(n), "helper")}
        assert outcome.rounds == dict.fromkeys(owners(n), len(plan.rounds))
        assert outcome.reveals == plan.reveals
        dealt = [len(m.body) for m in log.messages if m.sender == "helper"]
        assert plan.windows == tuple(dealt)
        for name in (*owners(n), "helper"):
            sent = [m for m in log.messages if m.sender == name]
            assert plan.messages_sent[name] == len(sent) + credits[name]
            assert plan.bytes_sent[name] == sum(HEADER_BYTES + len(m.body) for m in sent) + credits[name] * HEADER_BYTES
            assert outcome.payload_bytes[name] == sum(len(m.body) for m in sent)
            if name != "helper":
                assert [m.label for m in sent] == [one.label for one in plan.rounds for _ in range(n - 1)]


def test_correlations_are_counted_by_kind() -> None:
    plan = run(program((Step("multiply", (5,), times=2), Step("truncate", (3,)), Step("open", (4,))))).plan
    assert plan.correlations == {
        "MultiplyTriple": {"count": 2, "correction_bytes": 80},
        "Truncation": {"count": 1, "correction_bytes": 48},
        "Uniform": {"count": 1, "correction_bytes": 0},
    }
    assert plan.windows == (128,)
    assert plan.bytes_sent == {
        "hospital_a": 4 * HEADER_BYTES + 2 * 80 + 24 + 32,
        "hospital_b": 4 * HEADER_BYTES + 2 * 80 + 24 + 32,
        "helper": HEADER_BYTES + 128,
    }


@pytest.mark.parametrize("windows", [1, WINDOWS_AHEAD, WINDOWS_AHEAD + 1, WINDOWS_AHEAD + 7])
def test_credits(windows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", 8)
    plan = run(program((Step("multiply", times=windows),)), 3).plan
    credits = max(0, windows - WINDOWS_AHEAD)
    assert (len(plan.windows), plan.credits) == (windows, credits)
    assert plan.messages_sent == {
        "hospital_a": 2 * windows, "hospital_b": 2 * windows, "hospital_c": 2 * windows + credits, "helper": windows
    }  # fmt: skip
    assert plan.bytes_sent["hospital_c"] - plan.bytes_sent["hospital_a"] == credits * HEADER_BYTES


def test_time_on_the_wire() -> None:
    plan = run(program((Step("open", (125,), times=4),)), 3).plan
    transfer = (HEADER_BYTES + 1000) / 1e6
    assert plan.seconds(0.02, 1e6) == pytest.approx(4 * (0.01 + transfer))
    assert plan.seconds(0.0, 1e6) == pytest.approx(4 * transfer)
    dealing = run(program((Step("unused", (10000,)), Step("open")))).plan
    window, message = (HEADER_BYTES + 160000) / 1e6, (HEADER_BYTES + 8) / 1e6
    assert dealing.seconds(0.02, 1e6) == pytest.approx(window + 0.01 + message + 0.01)
    beside = run(program((Step("open", (125,), times=4), Step("unused", (10000,)), Step("open")))).plan
    first = dealing.seconds(0.02, 1e6) + 3 * (0.01 + transfer)
    assert beside.seconds(0.02, 1e6) == pytest.approx(first), "a small job is dealt while the first round lasts"


def test_time_of_windows_that_wait_for_credits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as many windows as may be ahead: the second half leaves when the first half's credits are back."""
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", 1)
    plan = planned((Step("unused", times=2 * WINDOWS_AHEAD),))
    latency, transfer, credit = 1.0, (HEADER_BYTES + 16) / 1e3, HEADER_BYTES / 1e3 + 1.0
    half = WINDOWS_AHEAD * transfer + latency
    assert plan.seconds(2.0, 1e3) == pytest.approx(half + credit + transfer + latency)
    assert planned((Step("unused", times=WINDOWS_AHEAD),)).seconds(2.0, 1e3) == pytest.approx(half)


@steady(40)
@given(programs, st.integers(2, 3), st.sampled_from([1, 100, 1 << 20]), st.floats(0, 1), st.floats(1e2, 1e9))
def test_time_is_at_least_the_longest_chain_at_most_the_sum(
    steps: list[Step], n: int, window: int, round_trip: float, bandwidth: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mpc.randomness.dealing.WINDOW_BYTES", window)
        plan = make_plan(program(tuple(steps)), owners(n), "helper")
        seconds = plan.seconds(round_trip, bandwidth)
    latency = round_trip / 2
    rounds = sum(latency + (HEADER_BYTES + one.payload) / bandwidth for one in plan.rounds)
    dealing = sum((HEADER_BYTES + size) / bandwidth for size in plan.windows) + latency * bool(plan.windows)
    waiting = len(plan.windows) * (round_trip + HEADER_BYTES / bandwidth)
    assert max(rounds, dealing) <= seconds * (1 + 1e-9)
    assert seconds <= (rounds + dealing + waiting) * (1 + 1e-9)


# --- the digest ---

BASE = (Step("multiply", (2, 3)), Step("reveal", (5,)))
OTHERS = {
    "a shape": (Step("multiply", (5,)), Step("reveal", (5,))),
    "a revealed shape": (Step("multiply", (2, 3)), Step("reveal", (2, 3))),
    "a ring": (Step("multiply", (2, 3), "B64"), Step("reveal", (5,))),
    "an output": (Step("multiply", (2, 3)), Step("reveal", (5,), "B64")),
    "the order": BASE[::-1],
    "one more round": (*BASE, Step("open")),
    "one more correlation": (*BASE, Step("unused")),
    "one round less": BASE[:1],
    "side by side": (Step("together", inner=BASE),),
    "a kind": (Step("truncate", (2, 3)), Step("reveal", (5,))),
}


def planned(steps: tuple[Step, ...], n: int = 2, helper: str = "helper", constants: str = "") -> Plan:
    return make_plan(program(steps), owners(n), helper, constants)


def test_the_digest_changes_with_everything_that_matters() -> None:
    digests = {what: planned(steps).digest for what, steps in OTHERS.items()}
    digests |= {
        "nothing": planned(BASE).digest,
        "one more owner": planned(BASE, 3).digest,
        "the helper": planned(BASE, helper="other").digest,
        "constants": planned(BASE, constants="sigmoid").digest,
        "other constants": planned(BASE, constants="sigmoid 2").digest,
    }
    assert len(set(digests.values())) == len(digests)
    assert planned(BASE).digest == digests["nothing"] and len(digests["nothing"]) == 64


def test_the_digest_changes_with_labels_outputs_and_reasons() -> None:
    base = planned(BASE)
    rounds, (one, *more) = base.rounds, base.reveals
    others = [
        replace(base, rounds=(replace(rounds[0], label="other"), *rounds[1:])),
        replace(base, rounds=(replace(rounds[0], payload=1), *rounds[1:])),
        replace(base, reveals=(replace(one, what="rows"), *more)),
        replace(base, reveals=(replace(one, to=("hospital_a",)), *more)),
        replace(base, reveals=(replace(one, shape=(6,)), *more)),
        replace(base, reveals=(replace(one, why="because"), *more)),
        replace(base, owners=("hospital_b", "hospital_a")),
    ]
    assert len({base.digest, *(other.digest for other in others)}) == len(others) + 1


@steady(40)
@given(programs, programs)
def test_equal_programs_and_only_they_have_equal_digests(one: list[Step], two: list[Step]) -> None:
    first, second = planned(tuple(one)), planned(tuple(two))
    assert planned(tuple(one)).digest == first.digest

    def content(plan: Plan) -> Any:
        return [(r.label, r.payload) for r in plan.rounds], plan.kinds, plan.reveals

    assert (first.digest == second.digest) == (content(first) == content(second))


# --- what cannot be planned ---


async def open_one(p: Party, shape: tuple[int, ...] = (3,)) -> Any:
    x = p.input("hospital_a", None if p.dry or p.index else np.zeros(shape, np.uint64), shape, 0)
    (a,) = p.correlation(Uniform((Spec(shape),)))
    return (await p.open(x - a, label="open"))[0]


@pytest.mark.parametrize(
    "decide",
    [
        lambda opened: bool(opened.value[0]),
        lambda opened: opened.value[0] == 0,
        lambda opened: opened.value.sum() > 3,
        lambda opened: opened.real()[0] < 0.5,
        lambda opened: range(int(opened.value[0])),
        lambda opened: float(opened.real()[0]) > 1,
        lambda opened: max(opened.value),
        lambda opened: 0 in opened.value,
        lambda opened: opened,
        lambda opened: [1, 2][opened.value[0] & 1],
    ],
)
def test_control_flow_that_depends_on_data_is_refused(decide: Callable[[Any], Any]) -> None:
    async def branches(p: Party) -> None:
        if decide(await open_one(p)):
            await open_one(p)

    async def loops(p: Party) -> None:
        opened = await open_one(p)
        while decide(opened):
            opened = await open_one(p)

    for one in (branches, loops):
        with pytest.raises(InternalError, match=r"control flow|truth value"):
            make_plan(one, owners(2), "helper")


@pytest.mark.parametrize(
    "compute", [lambda x: np.sort(x), lambda x: np.where(x, x, x), lambda x: np.add.accumulate(x), lambda x: x[:2] @ x]
)
def test_what_a_dry_run_cannot_follow_is_named(compute: Callable[[Any], Any]) -> None:
    async def computes(p: Party) -> None:
        compute((await open_one(p)).value)

    with pytest.raises(InternalError, match="a dry run"):
        make_plan(computes, owners(2), "helper")


def test_rounds_that_are_not_everyones_cannot_be_planned() -> None:
    word = (Spec((1,)),)
    peers = ("hospital_b", "hospital_c")

    def one(recv: Any, everyone: bool = True) -> Callable[[Party], Awaitable[Any]]:
        async def asks(p: Party) -> None:
            await Round({}, recv, "odd", everyone)

        return asks

    for asks, text in (
        (one(dict.fromkeys(peers, word), everyone=False), "not the same for every owner"),
        (one({"hospital_b": word, "hospital_c": word * 2}), "not the same for every owner"),
        (one({}), "not the same for every owner"),
        (one(dict.fromkeys(peers, Blob(9))), "no fixed length"),
    ):
        with pytest.raises(InternalError, match=f"round 'odd' .*{text}"):
            make_plan(asks, owners(3), "helper")  # type: ignore[arg-type]


def test_shapes_that_do_not_fit_are_found_by_the_plan() -> None:
    async def wrong(p: Party) -> None:
        x = p.input("hospital_a", None, (3, 4), 0)
        a, _, _ = p.correlation(MatmulTriple(Spec((4, 3)), Spec((3, 4))))
        await p.open(x - a, label="open")

    with pytest.raises(ValueError, match="mismatch"):
        make_plan(wrong, owners(2), "helper")


@pytest.mark.parametrize("left, right", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2))])
def test_shapes_of_products_are_those_of_the_run(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    """Correlations that follow from a product's shape are asked for alike in the plan and in the run."""

    async def uses_a_product(p: Party) -> tuple[int, ...]:
        product = (await open_one(p, left)) @ (await open_one(p, right))
        (a,) = p.correlation(Uniform((Spec(product.shape),)))
        await p.open(p.public(product) - a, label="open")
        return product.shape

    assert set(run(uses_a_product).results.values()) == {left[:-1] + right[1:] or (1,)}


def test_a_big_job_is_planned_in_no_memory() -> None:
    async def big(p: Party) -> None:
        x = p.input("hospital_a", None, (10**8, 10**4), 0)
        (a,) = p.correlation(Uniform((Spec((10**8, 10**4)),)))
        (opened,) = await p.open(x - a, label="open")
        y = Share(x.value.T, 0) @ opened
        assert y.shape == (10**4, 10**4)

    plan = make_plan(big, owners(2), "helper")
    assert plan.rounds[0].payload == 8 * 10**12
