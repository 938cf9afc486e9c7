"""New rows of which every owner has other columns, scored for one owner, under the checks of the kit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.ring.array import Array
from mpc.ring.fixed_point import decode
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from mpc.testing import CheckFailed, check_view, own, reals
from protocols import predict
from protocols.predict import PredictSettings
from protocols.rows.kept_model import SharedModel, Units
from protocols.rows.limits import X_SCALE
from protocols.rows.own_rows import DIGEST_BITS
from protocols.shared_model import kept_scale
from protocols.vertical_predict import NewColumns, vertical_predict_job
from tests.testing.spoken import Spoken, hold_to_correct, hold_to_cost, hold_to_faults, hold_to_view
from tests.testing.test_our_shared_model import clamp_bytes, clamp_dealt, scores_bytes
from tests.testing.test_our_shared_scores import floor_bytes, floor_dealt

WORD = 8
D, M = 3, 1
GRID = 10
LIMIT = 8.0
IDS = np.arange(DIGEST_BITS, dtype=np.uint8) % 2


def widths(n: int) -> list[int]:
    """How many of the columns each owner has: of more than three, some have none."""
    return [len(range(k, D, n)) for k in range(n)]


def predictor(steps: int | None) -> Any:
    async def scored(p: Party, x: Array, w: Share) -> Share:
        """An owner's columns are the first of what it is given; the last owner gets the scores."""
        n = len(p.owners)
        settings = PredictSettings(p.owners, "helper", (0,) * (n - 1) + (M,), D, steps, split=True)
        mine = None
        if not p.dry:
            names = {
                owner: tuple(f"{owner}.{k}" for k in range(d)) for owner, d in zip(p.owners, widths(n), strict=True)
            }
            width = widths(n)[p.index]
            model = SharedModel(w, Units.known(np.zeros(width), np.ones(width)))
            mine = NewColumns(model, names, decode(x[:, :width], X_SCALE), IDS)
        got = await vertical_predict_job(p, mine, settings)
        out = np.zeros(M)
        if got is not None and got.size:
            out = np.rint(got * (steps or 1))
        return Share(out.astype(np.uint64))

    return scored


def predict_twin(steps: int | None) -> Any:
    def scored(x: tuple[Array, ...], w: Array) -> Array:
        parts = [part[:, :width] for part, width in zip(x, widths(len(x)), strict=True)]
        z = np.concatenate(parts, axis=1) @ w[:-1] + w[-1]
        result: Array = (z >= 0) if steps is None else steps / (1 + np.exp(-z))
        return result

    return scored


def _columns(*values: float) -> list[list[list[float]]]:
    """Each owner's row, alike in all columns."""
    return [[[value] * D] for value in values]


def alike(n: int) -> Any:
    """Another model, or another owner's columns, and the same rounded scores."""
    x, w = [1.0, 2.0, 1.0][:n], [4.0, 3.0, 3.0, 6.0]
    moved = [[one + 0.25 * (i == k) for i, one in enumerate(x)] for k in range(n)]
    return [
        ([_columns(*x), w], [_columns(*x), [3.0, 3.0, 4.0, 7.0]]),
        *(([_columns(*x), w], [_columns(*other), w]) for other in moved),
    ]


# Owner 2 gets another score: nobody else may see that.
TO_ONE = [([_columns(1.0, 1.0, -3.0), [4.0, 3.0, 6.0, -2.0]], [_columns(1.0, 1.0, 3.0), [4.0, 3.0, 6.0, -2.0]])]

W_INPUT = reals((D + 1,), scale=kept_scale(D), largest=LIMIT)
X_INPUT = own(reals((M, D), scale=X_SCALE, largest=4))
ALIGNED, ALIGNED_DEALT = DIGEST_BITS // 8 + WORD, DIGEST_BITS * WORD


def split(steps: int | None, **how: Any) -> Spoken:
    return Spoken(
        predictor(steps), predict_twin(steps), [X_INPUT, W_INPUT], secrets=alike, words=200, shift=0.8,
        structure="by round", cost_owners=(2,), examples=10, **how,
    )  # fmt: skip


OURS = {
    "scores of split columns": split(
        GRID,
        error=0.5 + GRID * 4e-4,
        rounds=21,
        bytes=ALIGNED + scores_bytes(M) + clamp_bytes(M) + M * WORD + floor_bytes(M) + M * WORD,
        dealt=ALIGNED_DEALT + M * WORD + clamp_dealt(M) + 48 * M * WORD + floor_dealt(M),
        every=17,
    ),
    "classes of split columns": split(
        None,
        error=0.0,
        rounds=12,
        bytes=ALIGNED + scores_bytes(M) + M * (WORD + 29) + 1 + M * WORD,
        dealt=ALIGNED_DEALT + M * WORD + M * (WORD + 19) + M * WORD,
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


@pytest.mark.soak
@pytest.mark.parametrize("owners", [2, 3])
@every_one
def test_view(name: str, owners: int) -> None:
    hold_to_view(OURS[name], owners)


def test_view_of_classes_in_short() -> None:
    check_view(
        predictor(None), [X_INPUT, W_INPUT], secrets=alike(3)[:1], coalitions=[(1, 2)], words=40, structure="by round"
    )


def look_at_scores(steps: int | None) -> None:
    """What owners 0 and 1 see, alone and together, while owner 2's scores are others."""
    how: dict[str, Any] = {"words": 40 if steps is None else 200, "structure": "by round"}
    check_view(predictor(steps), [X_INPUT, W_INPUT], secrets=TO_ONE, coalitions=[(0,), (1,), (0, 1)], **how)


@pytest.mark.parametrize("steps", [None, pytest.param(GRID, marks=pytest.mark.soak)])
def test_nobody_but_the_owner_that_is_named_sees_a_score(steps: int | None) -> None:
    look_at_scores(steps)


def test_everybody_who_is_sent_all_scores_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predict, "_by_owner", lambda found, settings: dict.fromkeys(settings.owners, found))
    with pytest.raises(CheckFailed, match=r"'scores', value 0 as opened to owner0, differs between two secrets"):
        look_at_scores(None)


@every_one
def test_faults(name: str) -> None:
    hold_to_faults(OURS[name])
