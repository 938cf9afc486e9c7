"""The operations of the microbenchmarks as protocols, and how often each is run."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mpc.fixed import encode
from mpc.ghost import Array
from mpc.party import Party
from mpc.plan import Plan, make_plan
from mpc.ring import B8
from mpc.round import Round
from mpc.share import Share
from mpc.wire import HEADER_BYTES
from protocols.beaver import matmul, multiply
from protocols.comparison import equal, less_than
from protocols.selection import maximum, minimum, select
from protocols.sigmoid import TRIG_SCALE, sigmoid
from protocols.sigmoid_fits import fit_for
from protocols.truncation import truncate

SCALE = 20
READY, RESULT = "ready", "result"
"""The rounds of a session that are not the operation's."""
SIGMOID_RANGE = 30.0
_COEFFICIENT_SCALE = 32

Operation = Callable[[Party, Share, Share], Awaitable[Share]]


async def _multiply_cut(p: Party, x: Share, y: Share) -> Share:
    return await truncate(p, await multiply(p, x, y), SCALE)


async def _matmul_cut(p: Party, x: Share, y: Share) -> Share:
    return await truncate(p, await matmul(p, x, y), SCALE)


async def _sigmoid(p: Party, x: Share, y: Share) -> Share:
    return await sigmoid(p, x, fit_for(SIGMOID_RANGE), 1.0, _COEFFICIENT_SCALE)


async def _select(p: Party, x: Share, y: Share) -> Share:
    """By the lowest bit of x: those of its shares are shares of it under exclusive or."""
    bits = p.compute(lambda: (x.value & np.uint64(1)).astype(np.uint8), shape=x.shape)
    return await select(p, Share(bits, 0, B8), x, y)


@dataclass(frozen=True)
class Micro:
    """One operation.

    Args:
        key: its name, which peers know too (without "+" and "-").
        title: in the report.
        shape: of each of the two inputs.
        largest: the inputs are uniform up to this.
        run: our protocol.
        scale: of our inputs.
        ours_only: whether it has no like among the peers.
        note: in the report.
    """

    key: str
    title: str
    shape: tuple[int, ...]
    largest: float
    run: Operation = field(repr=False)
    scale: int = SCALE
    ours_only: bool = False
    note: str = ""

    @property
    def peer_task(self) -> str:
        """What the peers' programs call it."""
        return self.key.rstrip("+-")

    def inputs(self) -> dict[str, Array]:
        """The two inputs in the clear, the same for all."""
        rng = np.random.default_rng(len(self.title))
        x, y = (rng.uniform(-self.largest, self.largest, size=self.shape) for _ in "xy")
        if self.key == "equal":
            y[::2] = x[::2]
        return {"x": x, "y": y}

    def expected(self) -> Array:
        """The result in the clear."""
        x, y = self.inputs().values()
        match self.peer_task.rstrip("0123456789"):
            case "multiply":
                return x * y
            case "matmul":
                return x @ y
            case "less_than":
                return (x < y).astype(np.float64)
            case "equal":
                return np.equal(x, y).astype(np.float64)
            case "minimum":
                return np.where(x < y, x, y)
            case "maximum":
                return np.where(x < y, y, x)
            case "select":
                return np.where(encode(x, self.scale) & np.uint64(1), x, y)
        return 1 / (1 + np.exp(-x))


_CUT = "with the exact truncation that brings the product back to its scale, as the peers' products have it"
_UNCUT = "at the sum of the scales, which is enough where a truncation rides on a later opening"

_LESS_THAN = Micro("less_than", "less-than 1e5", (100_000,), 8.0, less_than)

MICROS = (
    Micro("multiply+", "multiply 1e6, truncated", (1_000_000,), 8.0, _multiply_cut, note=_CUT),
    Micro("multiply-", "multiply 1e6, not truncated", (1_000_000,), 8.0, multiply, ours_only=True, note=_UNCUT),
    Micro("matmul128+", "matmul 128^3, truncated", (128, 128), 8.0, _matmul_cut, note=_CUT),
    Micro("matmul128-", "matmul 128^3, not truncated", (128, 128), 8.0, matmul, ours_only=True, note=_UNCUT),
    Micro("matmul512+", "matmul 512^3, truncated", (512, 512), 8.0, _matmul_cut, note=_CUT),
    Micro("matmul512-", "matmul 512^3, not truncated", (512, 512), 8.0, matmul, ours_only=True, note=_UNCUT),
    _LESS_THAN,
    Micro("sigmoid", "sigmoid 1e4", (10_000,), SIGMOID_RANGE, _sigmoid, scale=0),
)

COMPARISONS = (
    _LESS_THAN,
    Micro("equal", "equal 1e5", (100_000,), 8.0, equal, ours_only=True),
    Micro("minimum", "minimum 1e5", (100_000,), 8.0, minimum, ours_only=True),
    Micro("maximum", "maximum 1e5", (100_000,), 8.0, maximum, ours_only=True),
    Micro("select", "selection 1e5, by a shared bit", (100_000,), 8.0, _select, ours_only=True),
)
"""What is measured beside its plan, and not beside peers."""


def sigmoid_scale() -> int:
    """Fractional bits at which the sigmoid takes its input: its period fills the ring."""
    return 64 - (fit_for(SIGMOID_RANGE).period.bit_length() - 1)


async def program(p: Party, micro: Micro, repeats: int, times: list[tuple[float, float]] | None) -> Any:
    """Share the inputs, run the operation once and then `repeats` times, and reveal the last result.

    Args:
        times: where each timed run's beginning and end go; None in a dry run.
    """
    scale = micro.scale or sigmoid_scale()
    shares = []
    for owner, value in zip(p.owners, micro.inputs().values() if not p.dry else (None, None), strict=True):
        mine = encode(value, scale, what="an input") if value is not None and owner == p.name else None
        shares.append(p.input(owner, mine, micro.shape, scale))
    z = await micro.run(p, *shares)
    for _ in range(repeats):
        # An empty message each way, so that nobody's clock runs while a peer is still busy with the last run.
        await Round(dict.fromkeys(p.peers, ()), dict.fromkeys(p.peers, ()), READY, everyone=True)
        began = time.monotonic()
        z = await micro.run(p, *shares)
        if times is not None:
            times.append((began, time.monotonic()))
    (opened,) = await p.reveal(z, what="result", why="to see the error", label=RESULT)
    if p.dry:
        return None
    return (opened.value & np.uint8(1)).astype(np.float64) if opened.ring == B8 else opened.real()


def plan_of(micro: Micro, owners: tuple[str, ...], helper: str, repeats: int | None = None) -> tuple[Plan, int]:
    """The plan, and how often the operation is repeated in it: as often as can be dealt ahead, at most five times."""
    for count in (5, 4, 3, 2, 1) if repeats is None else (repeats,):
        plan = make_plan(_factory(micro, count), owners, helper)
        if not plan.credits or count == 1 or repeats is not None:
            return plan, count
    raise AssertionError("the loop returns")


def _factory(micro: Micro, count: int) -> Callable[[Party], Any]:
    return lambda p: program(p, micro, count, None)


def micro_of(key: str) -> Micro:
    """The operation with this key."""
    return next(micro for micro in (*MICROS, *COMPARISONS) if micro.key == key)


def each_time(plan: Plan, repeats: int, rounds: float, sent: float) -> tuple[float, float]:
    """What one of the session's operations took of rounds and of an owner's bytes, from those of the whole session."""
    aside = [one for one in plan.rounds if one.label in (READY, RESULT)]
    others = len(plan.owners) - 1
    left = sent - others * sum(HEADER_BYTES + one.payload for one in aside)
    return (rounds - len(aside)) / (repeats + 1), left / (repeats + 1)


__all__ = ["COMPARISONS", "MICROS", "TRIG_SCALE", "Micro", "each_time", "less_than", "micro_of", "plan_of", "program"]
