"""Faults that an author plants, seen in the trace of a run under a test seed alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpc.randomness.correlation import MultiplyTriple
from mpc.ring.specs import Spec
from mpc.runtime.lockstep import run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.round_tracer import RoundTracer
from mpc.sharing.share import Mask
from parties.base.trace_file import TraceFile, trace_path
from parties.trace.compare import first_difference
from parties.trace.lanes import Lane, read_lanes
from parties.trace.page import trace_html
from parties.trace.values import amiss, first_leaving, values_of
from tests.mpc.kit import entropy, owners

SCALE = 20
X = np.array([1.5, -2.25, 3.0])
Y = np.array([2.0, 4.0, -0.5])


def encoded(values: np.ndarray, scale: int = SCALE) -> np.ndarray:
    return np.round(values * 2.0**scale).astype(np.int64).view(np.uint64)


def product(fault: str = "") -> Callable[[Party], Any]:
    """The sum of x * y, told to all, and each owner's own entry to it alone; with one fault or none."""

    async def run(p: Party) -> None:
        scale = SCALE - 4 if fault == "scale" else SCALE
        x = p.input("hospital_a", None if p.dry or p.name != "hospital_a" else encoded(X), (3,), SCALE)
        y = p.input("hospital_b", None if p.dry or p.name != "hospital_b" else encoded(Y, scale), (3,), SCALE)
        p.watch("x", x)
        p.watch("y", y)
        a, b, c = p.correlation(MultiplyTriple(Spec((3,), SCALE), Spec((3,), SCALE)))
        second = y - b
        if fault == "mask":
            second = y - Mask(a.value, SCALE)  # another use, of the same words
        d, e = await p.open(x - a, second, label="multiply")
        z = c + d * b + e * a + p.public(d * e)
        p.watch("products", z)
        total = z[:2].sum() if fault == "one off" else z.sum()
        p.watch("total", total)
        await p.reveal(total, what="total", why="agreed", label="total")
        first, other = (1, 0) if fault == "recipient" else (0, 1)
        parts = {"hospital_a": z[first : first + 1], "hospital_b": z[other : other + 1]}
        told = await p.reveal_to_each(parts, what="own", why="its own", label="own")
        p.watch(f"told {p.name}", told)

    return run


REFERENCE = {
    "x": X,
    "y": Y,
    "products": X * Y,
    "total": (X * Y).sum(keepdims=True),
    "told hospital_a": (X * Y)[:1],
    "told hospital_b": (X * Y)[1:2],
}
WATCHED = [
    {"label": label, "shape": list(np.shape(x)), "values": np.ravel(x).tolist()} for label, x in REFERENCE.items()
]
RECORD = {"comparison": {"watched": WATCHED}}


def recorded(folder: Path, fault: str = "", *, values: bool = True, seed: int = 1) -> list[Lane]:
    folder.mkdir()
    names = (*owners(2), "helper")
    tracers = {name: RoundTracer(name, TraceFile(trace_path(folder, name)), values=values) for name in names}
    run_lockstep(dict.fromkeys(owners(2), product(fault)), entropy=entropy(2, seed), tracers=tracers)
    for tracer in tracers.values():
        tracer.close()
    return read_lanes(folder)


def test_a_right_protocol_has_nothing_amiss(tmp_path: Path) -> None:
    lanes = recorded(tmp_path / "run")
    values = values_of(lanes, RECORD)
    assert list(amiss(values)) == []
    assert sum(value.wanted is not None for value in values) == len(REFERENCE)
    masked = [value for value in values if value.what == "masked"]
    assert [value.of for value in masked] == [(0, "MultiplyTriple", 0), (0, "MultiplyTriple", 1)]
    for value, plain in zip(masked, (X, Y), strict=True):
        assert value.total is not None and value.opened is not None
        np.testing.assert_array_equal(value.total, plain)
    page = trace_html(lanes, RECORD)
    assert "INSECURE: a test seed" in page and "Nothing is amiss" in page


@pytest.mark.parametrize(
    ("fault", "label"), [("scale", "y"), ("one off", "total"), ("recipient", "told hospital_a"), ("mask", "products")]
)
def test_the_first_label_that_leaves_the_reference(tmp_path: Path, fault: str, label: str) -> None:
    lanes = recorded(tmp_path / "run", fault)
    leaving = first_leaving(values_of(lanes, RECORD))
    assert leaving is not None
    assert leaving.label == label
    assert f"leaves its reference at &#x27;{label}&#x27;" in trace_html(lanes, RECORD)


def test_a_mask_that_covers_two_values_is_named(tmp_path: Path) -> None:
    found = list(amiss(values_of(recorded(tmp_path / "run", "mask"), {})))
    (said,) = found
    assert said.startswith("Round 1 ('multiply', test_values.py:")
    assert said.endswith("), 'multiply': it is opened under a mask that no correlation gave.")


def test_a_mask_that_is_dealt_twice_is_named(tmp_path: Path) -> None:
    lanes = recorded(tmp_path / "run")
    for lane in lanes:
        masked = [content for what, _, _, content in lane.told if what == "masked"]
        for key in ("mask", "digest of mask") if masked else ():
            masked[1][key] = masked[0][key]  # type: ignore[index]
    assert "its mask is that of 'multiply' in round 1" in " ".join(amiss(values_of(lanes, {})))


def test_without_a_test_seed_a_page_has_no_values(tmp_path: Path) -> None:
    lanes = recorded(tmp_path / "run", values=False)
    page = trace_html(lanes, RECORD)
    assert values_of(lanes, RECORD) == []
    assert "INSECURE" not in page and "in clear" not in page


def test_runs_that_are_alike_have_no_difference(tmp_path: Path) -> None:
    one, other = (recorded(tmp_path / name) for name in "ab")
    assert first_difference(one, other) == "no difference in 3 rounds of 3 parties (values, too)"


@pytest.mark.parametrize(
    ("fault", "values", "said"),
    [
        ("scale", True, "round 1: hospital_b's input 'hospital_b' differs: its words"),
        ("mask", True, "round 1: hospital_a's masked 'multiply' differs: its words"),
        ("one off", True, "round 2: hospital_a's watch 'total' differs: its words"),
        ("recipient", True, "round 3: hospital_a's share 'own' differs: its words"),
        ("scale", False, "no difference in 3 rounds of 3 parties (values were not recorded)"),
    ],
)
def test_the_first_difference_of_two_runs(tmp_path: Path, fault: str, values: bool, said: str) -> None:
    one, other = recorded(tmp_path / "a", values=values), recorded(tmp_path / "b", fault, values=values)
    assert first_difference(one, other) == said


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("", "no difference in 3 rounds of 3 parties (values in clear, too, of other randomness)"),
        ("scale", "round 1: hospital_a's input 'hospital_a' differs: its words"),  # other data: nothing is compared
        ("one off", "watch 'total' of shape (1,) at scale 40 differs in clear: -7.50000 and -6.00000"),
        ("recipient", "share 'own' to hospital_a of shape (1,) at scale 40 differs in clear: 3.00000 and -9.00000"),
    ],
)
def test_runs_of_other_randomness_differ_in_clear(tmp_path: Path, fault: str, said: str) -> None:
    one, other = recorded(tmp_path / "a"), recorded(tmp_path / "b", fault, seed=2)
    assert first_difference(one, other).endswith(said)


def test_a_value_that_leaves_points_at_lines(tmp_path: Path) -> None:
    (said,) = amiss(values_of(recorded(tmp_path / "run", "one off"), RECORD))
    assert said.startswith("The protocol leaves its reference at 'total', after round 1 ('multiply', ")
    assert "and before round 2 ('total', " in said and "test_values.py:" in said


def test_other_bytes_are_a_difference(tmp_path: Path) -> None:
    async def longer(p: Party) -> None:
        x = p.input("hospital_a", None if p.dry or p.name != "hospital_a" else encoded(np.ones(4)), (4,), SCALE)
        await p.reveal(x, what="total", why="agreed", label="multiply")

    folder = tmp_path / "b"
    folder.mkdir()
    tracers = {name: RoundTracer(name, TraceFile(trace_path(folder, name))) for name in (*owners(2), "helper")}
    run_lockstep(dict.fromkeys(owners(2), longer), entropy=entropy(2), tracers=tracers)
    for tracer in tracers.values():
        tracer.close()
    said = first_difference(recorded(tmp_path / "a", values=False), read_lanes(folder))
    assert said == "round 1: hospital_a sends hospital_b 96 and 80 bytes in 'multiply'"


def test_another_line_is_a_difference_if_nothing_else_is(tmp_path: Path) -> None:
    lanes = []
    for name, line in (("a", 7), ("b", 8)):
        found = recorded(tmp_path / name, values=False)
        for lane in found:
            lane.rounds = [replace(one, place=(("mine.py", line, "run"),)) for one in lane.rounds]
        lanes.append(found)
    assert first_difference(*lanes) == "round 1: hospital_a awaits 'multiply' at mine.py:7 and at mine.py:8"
