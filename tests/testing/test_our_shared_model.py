"""A model that nobody sees, kept, measured and scored by, under the checks of the kit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import ProtocolError
from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import CheckFailed, check_view, integers, own, reals
from protocols import predict
from protocols.metrics import Scored, local_sums
from protocols.predict import NewRows, PredictSettings, predict_job
from protocols.rows.kept_model import SharedModel, Units
from protocols.rows.limits import X_SCALE
from protocols.selection import clamp
from protocols.shared_model import evaluate_kept, keep, kept_scale
from protocols.twin import TwinModel, twin_metrics
from tests.testing.spoken import Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view
from tests.testing.test_our_shared_scores import (
    KEYS,
    _or_less,
    evaluate_bytes,
    evaluate_dealt,
    floor_bytes,
    floor_dealt,
)

WORD = 8
D = 3
LIMIT = 8.0
NAMES = tuple(f"x{k}" for k in range(D))


async def _clamp(p: Party, x: Share) -> Share:
    return await clamp(p, x, 1)


async def _keep(p: Party, w: Share) -> Share:
    return await keep(p, w, limit=LIMIT)


def _keep_twin(w: Array) -> Array:
    if np.abs(w).max() > LIMIT:
        raise ProtocolError("too large")
    return w


async def _evaluate(p: Party, x: Share, y: Share, w: Share) -> tuple[Array, ...]:
    found = await evaluate_kept(p, w, {"test": (x.shifted(X_SCALE).at_scale(X_SCALE), y)})
    return () if p.dry else tuple(np.array(_or_less(found["test"][key])) for key in KEYS if key != "auc")


def _evaluate_twin(x: Array, y: Array, w: Array) -> tuple[Array, ...]:
    z = np.rint((x @ w[:-1] + w[-1]) * 2.0**24) / 2.0**24
    model = TwinModel(np.array([1.0, 0.0]), np.zeros(1), np.ones(1), 0.0, 0.0)
    wanted = twin_metrics(model, z[:, np.newaxis], y)
    loss, brier = local_sums(Scored(z, y))[4:] / len(y)
    wanted |= {"log_loss": loss, "brier": brier}
    return tuple(np.array(_or_less(wanted[key])) for key in KEYS if key != "auc")


def predictor(steps: int | None) -> Any:
    async def scored(p: Party, x: Array, w: Share) -> Share:
        """Owner k's rows are the first k + 1 of what it is given; what it gets is put beside the others'."""
        rows = tuple(k % 3 for k in range(len(p.owners)))
        settings = PredictSettings(p.owners, "helper", rows, D, steps)
        mine = None
        if not p.dry:
            model = SharedModel(w, Units.known(np.zeros(D), np.ones(D)))
            mine = NewRows(model, NAMES, decode(x[: rows[p.index]], X_SCALE))
        got = await predict_job(p, mine, settings)
        out = np.zeros((len(p.owners), 2))
        if got is not None:
            out[p.index, : rows[p.index]] = got[: rows[p.index]]
        return Share(np.rint(out * (steps or 1)).astype(np.uint64))

    return scored


def predict_twin(steps: int | None) -> Any:
    def scored(x: tuple[Array, ...], w: Array) -> Array:
        out = np.zeros((len(x), 2))
        for k, rows in enumerate(x):
            z = rows[: k % 3] @ w[:-1] + w[-1]
            out[k, : k % 3] = (z >= 0) if steps is None else steps / (1 + np.exp(-z))
        return out

    return scored


def _rows(*firsts: float) -> list[list[list[float]]]:
    """Each owner's two rows, alike."""
    return [[[first] * D] * 2 for first in firsts]


# Another model, or another's rows, and the same rounded scores; owner 0 has no rows, owner 2 two.
ALIKE = [
    ([_rows(0.0, 1.0, 1.0), [4.0, 3.0, 3.0, 6.0]], [_rows(0.0, 1.0, 1.0), [3.0, 3.0, 4.0, 7.0]]),
    ([_rows(0.0, 1.0, 1.0), [4.0, 3.0, 3.0, 6.0]], [_rows(0.0, 1.0, 1.25), [4.0, 3.0, 3.0, 6.0]]),
    ([_rows(0.0, 1.0, -3.0), [4.0, 3.0, 3.0, 6.0]], [_rows(0.0, 1.25, -3.0), [4.0, 3.0, 3.0, 6.0]]),
]
# Owner 2 gets other scores: nobody else may see that.
TO_ONE = [([_rows(0.0, 1.0, -3.0), [4.0, 3.0, 3.0, 6.0]], [_rows(0.0, 1.0, 1.0), [4.0, 3.0, 3.0, 6.0]])]

W_INPUT = reals((D + 1,), scale=kept_scale(D), largest=LIMIT)
X_INPUT = own(reals((2, D), scale=X_SCALE, largest=4))
GRID = 10
M = 1  # rows of two owners: 0 and 1


def clamp_bytes(m: int) -> int:
    return 2 * m * (WORD + 29) + -(-2 * m // 8) + 2 * m * WORD


def clamp_dealt(m: int) -> int:
    return 2 * m * (WORD + 19) + 2 * 2 * m * WORD


def scores_bytes(m: int) -> int:
    return (m * D + D) * WORD


OURS = {
    "clamp": Spoken(
        _clamp,
        lambda x: np.clip(x, -2, 2),
        [reals(("m",), scale=24, largest=1000)],
        1e-12,
        8,
        clamp_bytes(3),
        clamp_dealt(3),
        {"m": 3},
        words=400,
        shift=0.6,
        structure_sizes={"m": 1},
    ),
    "keep": Spoken(
        _keep,
        _keep_twin,
        [reals((D + 1,), scale=43, largest=2 * LIMIT)],
        2.0 ** -kept_scale(D),
        10,
        4 * WORD + 4 * (WORD + 2 * 29) + 1 + WORD,
        4 * (2 * WORD) + 4 * (WORD + 2 * 19) + 4 * WORD,
        secrets=lambda _: [([[1.0, -2.0, 3.0, 4.0]], [[-8.0, 7.0, 0.0, 1e-3]])],
        kept=(0,),
        words=100,
        shift=0.8,
        structure="by round",
        examples=15,
    ),
    "kept metrics": Spoken(
        _evaluate,
        _evaluate_twin,
        [integers(("m", D), -9, 9), integers(("m",), 0, 1), W_INPUT],
        4e-5,
        34,
        scores_bytes(3) + 3 * WORD + clamp_bytes(3) + 2 * WORD + evaluate_bytes(3),
        3 * WORD + 2 * 3 * WORD + clamp_dealt(3) + 2 * 2 * WORD + evaluate_dealt(3),
        {"m": 3},
        structure="by round",
        examples=8,
        every=41,
    ),
    "scores": Spoken(
        predictor(GRID),
        predict_twin(GRID),
        [X_INPUT, W_INPUT],
        0.5 + GRID * 4e-4,
        19,
        scores_bytes(M) + clamp_bytes(M) + M * WORD + floor_bytes(M) + M * WORD,
        M * WORD + clamp_dealt(M) + 48 * M * WORD + floor_dealt(M),
        secrets=lambda _: ALIKE,
        words=200,
        shift=0.8,
        structure="by round",
        cost_owners=(2,),
        examples=10,
        every=17,
    ),
    "classes": Spoken(
        predictor(None),
        predict_twin(None),
        [X_INPUT, W_INPUT],
        0.0,
        10,
        scores_bytes(M) + M * (WORD + 29) + 1 + M * WORD,
        M * WORD + M * (WORD + 19) + M * WORD,
        secrets=lambda _: ALIKE,
        words=200,
        shift=0.8,
        structure="by round",
        cost_owners=(2,),
        examples=10,
        every=7,
    ),
}
every_one = pytest.mark.parametrize("name", OURS)


@every_one
def test_correct(name: str) -> None:
    hold_to_correct(OURS[name])


@every_one
def test_cost(name: str) -> None:
    hold_to_cost(OURS[name])


@pytest.mark.parametrize("name", ["clamp", "keep"])
def test_view(name: str) -> None:
    hold_to_view(OURS[name], 2)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["scores", "classes"])
def test_view_of_scores(name: str) -> None:
    hold_to_view(OURS[name], 3)


def test_view_of_classes_in_short() -> None:
    check_view(
        predictor(None), [X_INPUT, W_INPUT], secrets=ALIKE[:1], coalitions=[(1, 2)], words=40, structure="by round"
    )


def look_at_scores(steps: int | None) -> None:
    """What owners 0 and 1 see, alone and together, while owner 2's scores are others."""
    how: dict[str, Any] = {"words": 40 if steps is None else 200, "structure": "by round"}
    check_view(predictor(steps), [X_INPUT, W_INPUT], secrets=TO_ONE, coalitions=[(0,), (1,), (0, 1)], **how)


@pytest.mark.parametrize("steps", [None, pytest.param(GRID, marks=pytest.mark.soak)])
def test_nobody_but_the_owner_of_a_row_sees_its_score(steps: int | None) -> None:
    look_at_scores(steps)


def test_everybody_who_is_sent_all_scores_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "_by_owner", lambda found, settings: dict.fromkeys(settings.owners, found))
    with pytest.raises(CheckFailed, match=r"'scores', value 0 as opened to owner0, differs between two secrets"):
        look_at_scores(None)


@every_one
def test_faults(name: str) -> None:
    hold_to_faults(OURS[name])
