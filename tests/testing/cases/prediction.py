"""New rows scored by a model that nobody sees: each owner's rows for itself, or rows of split columns for one owner."""

from __future__ import annotations

from typing import Any

import numpy as np

from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import own, reals
from protocols.evaluation.shared_model import kept_scale
from protocols.prediction.columns_job import NewColumns, vertical_predict_job
from protocols.prediction.rows_job import NewRows, PredictSettings, predict_job
from protocols.rows.kept_model import SharedModel, Units
from protocols.rows.limits import X_SCALE
from protocols.rows.own_rows import DIGEST_BITS
from tests.testing.cases.case import Case, Cost, Secrets, View
from tests.testing.cases.costs import COMPARED, COMPARED_DEALT, WORD, clamped, floored

D = 3
M = 1  # of two owners, how many rows are scored
GRID = 10
IDS = np.arange(DIGEST_BITS, dtype=np.uint8) % 2
W_INPUT = reals((D + 1,), scale=kept_scale(D), largest=8.0)


def _score(z: Array, steps: int | None) -> Array:
    """Of a logit, its class or a number of steps."""
    return (z >= 0).astype(float) if steps is None else steps / (1 + np.exp(-z))


# -- rows


def _rows_scored(steps: int | None) -> Any:
    async def scored(p: Party, x: Array, w: Share) -> Share:
        """Owner k's rows are the first k of what it is given; what it gets is put beside the others'."""
        rows = tuple(k % 3 for k in range(len(p.owners)))
        mine = None
        if not p.dry:
            model = SharedModel(w, Units.known(np.zeros(D), np.ones(D)))
            mine = NewRows(model, tuple(f"x{k}" for k in range(D)), decode(x[: rows[p.index]], X_SCALE))
        got = await predict_job(p, mine, PredictSettings(p.owners, "helper", rows, D, steps))
        out = np.zeros((len(p.owners), 2))
        if got is not None:
            out[p.index, : rows[p.index]] = got[: rows[p.index]]
        return Share(np.rint(out * (steps or 1)).astype(np.uint64))

    return scored


def _rows_reference(steps: int | None) -> Any:
    def scored(x: tuple[Array, ...], w: Array) -> Array:
        out = np.zeros((len(x), 2))
        for k, rows in enumerate(x):
            out[k, : k % 3] = _score(rows[: k % 3] @ w[:-1] + w[-1], steps)
        return out

    return scored


def _rows(*firsts: float) -> list[list[list[float]]]:
    """Each owner's two rows, alike."""
    return [[[first] * D] * 2 for first in firsts]


def _rows_alike(n: int) -> Secrets:
    """Another model, or another's rows, and the same rounded scores; owner 0 has no rows, owner 2 two."""
    w = [4.0, 3.0, 3.0, 6.0]
    return [
        ([_rows(0.0, 1.0, 1.0), w], [_rows(0.0, 1.0, 1.0), [3.0, 3.0, 4.0, 7.0]]),
        ([_rows(0.0, 1.0, 1.0), w], [_rows(0.0, 1.0, 1.25), w]),
        ([_rows(0.0, 1.0, -3.0), w], [_rows(0.0, 1.25, -3.0), w]),
    ]


# -- columns


def _widths(n: int) -> list[int]:
    """How many of the columns each owner has: of more than three, some have none."""
    return [len(range(k, D, n)) for k in range(n)]


def _columns_scored(steps: int | None) -> Any:
    async def scored(p: Party, x: Array, w: Share) -> Share:
        """An owner's columns are the first of what it is given; the last owner gets the scores."""
        n = len(p.owners)
        settings = PredictSettings(p.owners, "helper", (0,) * (n - 1) + (M,), D, steps, split=True)
        mine = None
        if not p.dry:
            widths = dict(zip(p.owners, _widths(n), strict=True))
            names = {owner: tuple(f"{owner}.{k}" for k in range(d)) for owner, d in widths.items()}
            width = widths[p.name]
            model = SharedModel(w, Units.known(np.zeros(width), np.ones(width)))
            mine = NewColumns(model, names, decode(x[:, :width], X_SCALE), IDS)
        got = await vertical_predict_job(p, mine, settings)
        out = np.zeros(M)
        if got is not None and got.size:
            out = np.rint(got * (steps or 1))
        return Share(out.astype(np.uint64))

    return scored


def _columns_reference(steps: int | None) -> Any:
    def scored(x: tuple[Array, ...], w: Array) -> Array:
        parts = [part[:, :width] for part, width in zip(x, _widths(len(x)), strict=True)]
        return _score(np.concatenate(parts, axis=1) @ w[:-1] + w[-1], steps)

    return scored


def _columns(*values: float) -> list[list[list[float]]]:
    """Each owner's row, alike in all columns."""
    return [[[value] * D] for value in values]


def _columns_alike(n: int) -> Secrets:
    """Another model, or another owner's columns, and the same rounded scores."""
    x, w = [1.0, 2.0, 1.0][:n], [4.0, 3.0, 3.0, 6.0]
    moved = [[one + 0.25 * (i == k) for i, one in enumerate(x)] for k in range(n)]
    return [
        ([_columns(*x), w], [_columns(*x), [3.0, 3.0, 4.0, 7.0]]),
        *(([_columns(*x), w], [_columns(*other), w]) for other in moved),
    ]


# -- owner 2 gets other scores: nobody else may see that

ROWS_TO_ONE: Secrets = [([_rows(0.0, 1.0, -3.0), [4.0, 3.0, 3.0, 6.0]], [_rows(0.0, 1.0, 1.0), [4.0, 3.0, 3.0, 6.0]])]
COLUMNS_TO_ONE: Secrets = [
    ([_columns(1.0, 1.0, -3.0), [4.0, 3.0, 6.0, -2.0]], [_columns(1.0, 1.0, 3.0), [4.0, 3.0, 6.0, -2.0]])
]


def cost(steps: int | None, rounds: int = 0, sent: int = 0, dealt: int = 0) -> Cost:
    """A class takes the product and its sign; a score, the clamp, the logistic series and its floor."""
    product, one = (M * D + D) * WORD, M * WORD
    if steps is None:
        after = 10, product + M * COMPARED + 1 + one, 2 * one + M * COMPARED_DEALT
    else:
        (a, a_dealt), (b, b_dealt) = clamped(M), floored(M)
        after = 19, product + a + b + 2 * one, one + a_dealt + 48 * one + b_dealt
    return Cost(rounds + after[0], sent + after[1], dealt + after[2], owners=(2,))


def case(steps: int | None, protocol: Any, reference: Any, rows: int, cost: Cost, **view: Any) -> Case:
    inputs = [own(reals((rows, D), scale=X_SCALE, largest=4)), W_INPUT]
    error, every = (0.0, 7) if steps is None else (0.5 + steps * 4e-4, 17)
    seen = View(soak_from=2, words=200, shift=0.8, structure="by round", **view)
    return Case(protocol, reference, inputs, error, cost, seen, examples=10, every=every)


def rows_case(steps: int | None) -> Case:
    return case(steps, _rows_scored(steps), _rows_reference(steps), 2, cost(steps), owners=(3,), secrets=_rows_alike)


def columns_case(steps: int | None) -> Case:
    """The rows' digests are compared first."""
    of = cost(steps, 2, DIGEST_BITS // 8 + WORD, DIGEST_BITS * WORD)
    return case(steps, _columns_scored(steps), _columns_reference(steps), M, of, secrets=_columns_alike)


CASES = {
    "scores": rows_case(GRID),
    "classes": rows_case(None),
    "scores of split columns": columns_case(GRID),
    "classes of split columns": columns_case(None),
}
