"""Rows of which every owner has other columns, scored by a model that nobody sees: as the open model scores them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import DataError, DisagreementError
from mpc.ring.fixed_point import encode
from mpc.runtime.plan import ProgramFactory
from mpc.sharing.share import Share
from protocols.evaluation.shared_model import kept_scale
from protocols.plain.logistic import pooled
from protocols.plain.logistic_columns import joined
from protocols.prediction.columns_job import NewColumns, vertical_predict_job
from protocols.prediction.rows_job import PredictSettings
from protocols.rows.kept_model import SharedModel, Units
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns
from protocols.training.columns_job import vertical_job
from tests.helpers import example_tables, lockstep, owner_names
from tests.protocols.training.test_columns_job import IDS, divided


def scored(new: dict[str, NewColumns], to: str, steps: int | None, seed: int = 3) -> dict[str, np.ndarray]:
    """Every owner's scores: all go to one."""
    rows, features = len(new[to].x), sum(len(one) for one in new[to].names.values())
    gets = tuple(rows if owner == to else 0 for owner in new)
    settings = PredictSettings(tuple(new), "helper", gets, features, steps, split=True)

    def factory(name: str) -> ProgramFactory:
        return lambda p: vertical_predict_job(p, None if p.dry else new[name], settings)

    outcome = lockstep({name: factory(name) for name in new}, seed)
    assert [(item.what, item.to) for item in outcome.reveals] == [
        ("row alignment", tuple(new)),
        ("classes" if steps is None else "scores", (to,)),
    ]
    assert all(outcome.results[name].shape == (0,) for name in new if name != to)
    return outcome.results


def trained(own: dict[str, OwnColumns], how: Any) -> dict[str, SharedModel]:
    def factory(name: str) -> ProgramFactory:
        return lambda p: vertical_job(p, None if p.dry else own[name], how)

    results = lockstep({name: factory(name) for name in how.owners}, 2).results
    return {name: result.kept for name, result in results.items()}


@pytest.mark.parametrize(
    ("widths", "standardise"),
    [
        ([3, 1], True),
        ([2, 0, 2], True),
        ([1, 3], False),
        ([1, 1, 1, 1], True),
    ],
)
def test_the_open_models_scores(widths: list[int], standardise: bool) -> None:
    x, y = example_tables([90], 4, 6)["owner0"]
    x = x if standardise else x / np.abs(x).max(axis=0)
    changes: dict[str, Any] = {"reveal_model": False, "standardise": standardise, "learning_rate": 0.1}
    own, how = divided(x, y, widths, 1, **changes)
    kept, reference = trained(own, how), pooled([joined(own)], how)
    new = {name: NewColumns(kept[name], one.names, one.x_test, IDS) for name, one in own.items()}
    z = reference.scores(np.concatenate([one.x_test for one in own.values()], axis=1))
    for to in own:
        found = scored(new, to, 1000)[to]
        assert np.abs(found - 1 / (1 + np.exp(-z))).max() < 1e-3
        sure = np.abs(z) > 1e-3
        assert (scored(new, to, None)[to] == (z >= 0))[sure].all()


def known(x: dict[str, np.ndarray], weights: np.ndarray, **changes: Any) -> dict[str, NewColumns]:
    """Owners' columns, and shares of these weights in the columns' own units."""
    draw, d = np.random.default_rng(2), len(weights) - 1
    masks = [draw.integers(0, 2**64, size=d + 1, dtype=np.uint64) for _ in x]
    masks[0] = encode(weights, kept_scale(d)) - np.add.reduce(masks[1:])
    names = {name: tuple(f"{name}.{k}" for k in range(one.shape[1])) for name, one in x.items()}
    new = {}
    for (name, one), mask in zip(x.items(), masks, strict=True):
        units = Units.known(np.zeros(one.shape[1]), np.ones(one.shape[1]))
        given = {"x": one, "ids": IDS, **changes.get(name, {})}
        new[name] = NewColumns(SharedModel(Share(mask, kept_scale(d)), units), names, **given)
    return new


WEIGHTS = np.array([0.9, -0.7, 0.4, 0.6, -0.3, 0.5, 0.2])


def test_what_scores_tell_of_weights_and_others_sums() -> None:
    """The attack that the docs name: the same row time and again, with other values in the owner's own columns."""
    theirs = np.array([1.5, -0.25, 0.75, 2.0])
    mine = np.vstack((np.zeros(2), np.eye(2)))
    names = owner_names(2)
    p = scored(known({names[0]: mine, names[1]: np.tile(theirs, (3, 1))}, WEIGHTS), names[0], 1000)[names[0]]
    odds = np.log(p / (1 - p))
    found = np.linalg.solve(np.hstack((mine, np.ones((3, 1)))), odds)
    assert np.abs(found[:2] - WEIGHTS[:2]).max() < 0.01
    others = theirs @ WEIGHTS[2:6] + WEIGHTS[6]  # of the others' weights one equation, no more
    assert abs(found[2] - others) < 0.01 and abs(odds[0] - others) < 0.01  # its own columns at 0: a single score


def test_owners_may_stand_in_another_order_than_in_the_training() -> None:
    draw, names = np.random.default_rng(5), owner_names(3)
    x = {name: draw.normal(size=(4, width)) for name, width in zip(names, (1, 3, 2), strict=True)}
    new, wanted = known(x, WEIGHTS), np.concatenate(list(x.values()), axis=1) @ WEIGHTS[:-1] + WEIGHTS[-1]
    turned = {name: new[name] for name in (names[2], names[0], names[1])}
    for order in (new, turned):
        assert np.abs(scored(order, names[1], 1000)[names[1]] - 1 / (1 + np.exp(-wanted))).max() < 1e-3


def test_ids_that_differ_end_the_run_before_any_row_is_shared() -> None:
    names, x = owner_names(2), np.ones((2, 3))
    counted: list[str] = []
    other = IDS.copy()
    other[DIGEST_BITS // 2] ^= 1
    changes = {names[0]: {"count": lambda: counted.append("a")}, names[1]: {"ids": other}}
    with pytest.raises(DataError, match="the owners' lists of ids differ"):
        scored(known({names[0]: x, names[1]: x}, WEIGHTS, **changes), names[0], 100)
    assert not counted


def test_without_its_count_an_owner_sends_its_share_of_no_score() -> None:
    names, x = owner_names(2), np.ones((2, 3))

    def refused() -> None:
        raise DisagreementError("no more rows")

    with pytest.raises(DisagreementError, match="no more rows"):
        scored(known({names[0]: x, names[1]: x}, WEIGHTS, **{names[1]: {"count": refused}}), names[0], 100)


def test_a_row_out_of_range_is_named_at_its_owner_alone() -> None:
    names, x = owner_names(2), np.ones((2, 3))
    far = x.copy()
    far[1, 2] = 1e30
    with pytest.raises(DataError, match=r"owner1: 1 of the new rows have values too far .* column owner1\.2"):
        scored(known({names[0]: x, names[1]: far}, WEIGHTS), names[0], 100)
