"""Private trainings run in lockstep, and all noise of them: the owners' own, and what the helper dealt."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.randomness.streams import Stream, derive
from mpc.ring.abstract_array import abstract
from mpc.runtime.party import Party
from mpc.sharing.share import Share
from protocols.core.stacked import Stacked
from protocols.privacy.noisy_sum import DiscreteGaussian
from protocols.training.private.bounds import Perturbed
from protocols.training.private.filled_columns import scaled_rows
from protocols.training.private.perturbed import perturbed_weights
from tests.helpers import lockstep, owner_names, signed

DELTA = 1e-6
DEALT: list[np.ndarray] = []
"""What noise the helper dealt; kept where `dealt` is imported."""


@pytest.fixture(autouse=True)
def dealt(monkeypatch: pytest.MonkeyPatch) -> None:
    real_deal = DiscreteGaussian.deal
    DEALT.clear()

    def deal(self: DiscreteGaussian, drawn: Any, book: Any) -> Any:
        found = real_deal(self, drawn, book)
        DEALT.append(signed(found[0]))
        return found

    monkeypatch.setattr(DiscreteGaussian, "deal", deal)


def stream(name: str, seed: int) -> Stream:
    return Stream(derive(bytes(32), f"own noise/{seed}/{name}"))


def own_noise(how: Perturbed, name: str, seed: int) -> tuple[np.ndarray, Any]:
    """An owner's, of the result, and of the objective if it has some."""
    mine = stream(name, seed)
    told = how.noise.own(mine, how.columns)
    return told, None if how.linear is None else how.linear.noise.own(mine, how.columns)


def example(rows: int, columns: int, how: Perturbed, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows as words, of the largest length that there may be in each second one, and labels."""
    rng = np.random.default_rng(seed)
    u = rng.uniform(-1, 1, (rows, columns - 1)) * np.where(np.arange(rows) % 2, 4.0, 0.5)[:, None]
    labels = rng.random(rows) < 1 / (1 + np.exp(-4 * u.sum(axis=1)))
    return scaled_rows(np.c_[u, np.ones(rows)], how.squared_norm, how.x_scale), labels.astype(np.uint64)


def train(x: np.ndarray, y: np.ndarray, how: Perturbed, owners: int, seed: int = 0) -> Any:
    """Rows of as many for each owner, in lockstep: the opened numbers, checked against the plan."""
    own, sizes = len(y) // owners, (len(y) // owners,) * owners

    def program(p: Party) -> Any:
        mine, none = slice(p.index * own, (p.index + 1) * own), abstract((how.columns,))
        rows, labels = (abstract(x[mine].shape), abstract((own,))) if p.dry else (x[mine], y[mine])
        told, linear = (none, none) if p.dry else own_noise(how, p.name, seed)
        stacked = Stacked(Share(rows, how.x_scale), sizes, p.index)
        return perturbed_weights(p, stacked, Stacked(Share(labels), sizes, p.index).share, told, how, linear)

    return lockstep(dict.fromkeys(owner_names(owners), program), seed)


def real(x: np.ndarray, how: Perturbed) -> np.ndarray:
    """Rows of words as real numbers."""
    return signed(x).astype(float) / 2.0**how.x_scale
