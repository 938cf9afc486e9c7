"""An owner's supply hands out the plan's correlations in order, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from mpc.errors import InternalError, ProtocolError
from mpc.randomness.correlation import BitsOfMask, Kind, MultiplyTriple, Truncation, Uniform
from mpc.randomness.dealing import windows
from mpc.randomness.streams import Stream, derive
from mpc.ring.specs import Spec
from mpc.runtime.plan import Plan
from mpc.runtime.supply import PlannedSupply
from mpc.sharing.share import Mask, Share
from tests.mpc.kit import deal, deal_to_all

UNIFORM = Uniform((Spec((2,)),))
KINDS: list[Kind] = [
    UNIFORM,
    Truncation((3,), 20, 4),
    MultiplyTriple(Spec((0,)), Spec((0,))),
    BitsOfMask(4, 1),
    UNIFORM,
    MultiplyTriple(Spec((2, 2)), Spec((2, 2))),
    UNIFORM,
]


def stream(owner: int) -> Stream:
    """The seeds of `deal_to_all`."""
    return Stream(derive((3).to_bytes(8, "little"), f"deal/{owner}"))


def planned(kinds: Sequence[Kind]) -> Plan:
    """A plan that has these correlations and no rounds."""
    return Plan(("a", "b"), "helper", (), kinds, ())


def supply_of_the_last(kinds: Sequence[Kind], change: Callable[[bytes], bytes] = lambda w: w) -> PlannedSupply:
    dealing = deal(kinds, [stream(0), stream(1)])
    return PlannedSupply(planned(kinds), stream(1), lambda: change(next(dealing)))


@pytest.mark.parametrize("window", [1, 40, 70, 1 << 20])
def test_every_owner_gets_its_own_shares(window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", window)
    supplies = [PlannedSupply(planned(KINDS), stream(0), None), supply_of_the_last(KINDS)]
    for supply, held in zip(supplies, deal_to_all(KINDS, 2), strict=True):
        for number, (kind, (drawn, dealt)) in enumerate(zip(KINDS, held, strict=True)):
            got = supply.next(kind)
            assert got[0] == number
            for mine, expected in zip(got[1], (*drawn, *dealt), strict=True):
                np.testing.assert_array_equal(mine.value, expected)


@pytest.mark.parametrize("last", [False, True])
def test_parts_have_their_specs_and_each_mask_a_use_of_its_own(last: bool) -> None:
    supply = supply_of_the_last(KINDS) if last else PlannedSupply(planned(KINDS), stream(0), None)
    uses = []
    for kind in KINDS:
        for k, (spec, one) in enumerate(zip((*kind.drawn, *kind.dealt), supply.next(kind)[1], strict=True)):
            assert type(one) is (Mask if k < len(kind.drawn) else Share)
            assert (one.scale, one.ring, one.shape) == (spec.scale, spec.ring, spec.shape)
            if isinstance(one, Mask):
                uses.append(one.use)
    assert len(set(uses)) == len(uses)


def test_windows_are_fetched_when_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mpc.randomness.dealing.WINDOW_BYTES", 1)
    fetched: list[int] = []

    def count(window: bytes) -> bytes:
        fetched.append(len(window))
        return window

    supply = supply_of_the_last(KINDS, count)
    seen = []
    for kind in KINDS:
        supply.next(kind)
        seen.append(len(fetched))
    assert seen == [0, 1, 1, 2, 2, 3, 3]
    assert fetched == [one.nbytes for one in windows(KINDS)] == [48, 32, 32]


@pytest.mark.parametrize("last", [False, True])
def test_what_is_not_in_the_plan_is_refused(last: bool) -> None:
    def fresh(kinds: Sequence[Kind]) -> PlannedSupply:
        return supply_of_the_last(kinds) if last else PlannedSupply(planned(kinds), stream(0), None)

    for asked in (Truncation((3,), 20, 5), Truncation((4,), 20, 4), MultiplyTriple(Spec((3,)), Spec((3,)))):
        with pytest.raises(InternalError, match=f"{type(asked).__name__}.*not in its plan"):
            fresh([Truncation((3,), 20, 4)]).next(asked)
    done = fresh([UNIFORM])
    done.next(UNIFORM)
    with pytest.raises(InternalError, match="not in its plan"):
        done.next(UNIFORM)


@pytest.mark.parametrize(
    "change", [lambda w: w[:-1], lambda w: w[8:], lambda w: b"", lambda w: w + b"\0", lambda w: 2 * w]
)
def test_corrections_of_another_length_are_refused(change: Callable[[bytes], bytes]) -> None:
    supply = supply_of_the_last(KINDS, change)
    supply.next(KINDS[0])
    with pytest.raises(ProtocolError, match="bytes of corrections instead of 112"):
        supply.next(KINDS[1])
