"""What a model, its errors and what is told beside it give back of the rows that it was made of: by linear programming.

The numbers of rows of each kind (a combination of values, and a class) are the unknowns. Weights say that sums of
columns times what is left of the target are 0; means and matrices are sums; variances are made linear where the truth
is, which is more than an attacker knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from protocols.disclosure.own_design import OwnDesign, plain
from protocols.rows.design import Made

Floats = NDArray[np.float64]
OPEN_STEPS = 5
"""Of Newton's steps whose matrices are opened, so many are used: each has other weights."""


@dataclass(frozen=True)
class Design:
    """The columns that a model is made of, as all combinations of the values of its parts.

    Args:
        parts: (G, P); made: which columns they make.
    """

    parts: Floats
    made: Made

    @property
    def x(self) -> Floats:
        """The design's columns (G, d)."""
        return np.column_stack([self.parts[:, list(one)].prod(axis=1) for one in self.made.products])

    @property
    def full(self) -> Floats:
        """The same with a column of ones (G, d + 1)."""
        return np.column_stack((self.x, np.ones(len(self.parts))))


def _category(levels: int) -> list[list[float]]:
    return [[float(level == k) for k in range(1, levels)] for level in range(levels)]


def crossed(*axes: Sequence[Sequence[float]]) -> Floats:
    """All combinations of the axes' values, each axis some columns."""
    return np.array([[value for one in chosen for value in one] for chosen in product(*axes)])


FLAG: list[list[float]] = [[0.0], [1.0]]
DESIGNS = {
    "a flag": Design(crossed(FLAG), plain(1)),
    "two flags": Design(crossed(FLAG, FLAG), plain(2)),
    "three flags": Design(crossed(FLAG, FLAG, FLAG), plain(3)),
    "four flags": Design(crossed(FLAG, FLAG, FLAG, FLAG), plain(4)),
    "a product": Design(crossed(FLAG, FLAG), Made(((0,), (1,), (0, 1)))),
    "a product alone": Design(crossed(FLAG, FLAG), Made(((0, 1),))),
    "a category": Design(crossed(_category(3)), Made(((0,), (1,)), ((0, 1),))),
    "a category and a flag": Design(crossed(_category(3), FLAG), Made(((0,), (1,), (2,)), ((0, 1),))),
    "a category times a flag": Design(crossed(_category(3), FLAG), Made(((0,), (1,), (2,), (0, 2), (1, 2)), ((0, 1),))),
    "levels as flags": Design(crossed(_category(4)), plain(3)),
    "a score": Design(crossed([[0.0], [1.0], [2.0], [3.0]]), plain(1)),
    "a score and a flag": Design(crossed([[1.0], [2.0], [3.0]], FLAG), plain(2)),
}


@dataclass(frozen=True)
class Study:
    """How many rows of each combination and class every owner has (owners, G, 2); of a line, of one class."""

    design: Design
    counts: NDArray[np.int64]
    linear: bool
    open_matrices: bool
    least: int

    def own(self, owner: int) -> OwnDesign:
        """An owner's rows."""
        kinds, classes = np.divmod(np.repeat(np.arange(self.counts[0].size), self.counts[owner].reshape(-1)), 2)
        target = np.linspace(0, 1, len(kinds)) if self.linear else classes.astype(float)
        parts = self.design.parts[kinds]
        made = Made(self.design.made.products, self.design.made.factors, parts)
        return OwnDesign(self.design.x[kinds], made, target, not self.linear, self.least, self.open_matrices)


def drawn(name: str, rng: np.random.Generator) -> Study:
    """Random rows of a design, some kinds of them rare or nobody's."""
    design, owners, linear = DESIGNS[name], int(rng.integers(2, 4)), bool(rng.random() < 0.25)
    kinds, rows = 2 * len(design.parts), int(rng.integers(60, 400))
    chance = rng.dirichlet(np.full(kinds, rng.choice([1.0, 3.0, 10.0])))
    rare, nobody = rng.random(kinds) < rng.choice([0.0, 0.1, 0.3]), rng.random(kinds) < rng.choice([0.0, 0.1])
    chance = np.where(rare, rng.uniform(1, 6) / rows, chance) * ~nobody + 1e-9
    counts = rng.multinomial(rows, chance / chance.sum(), size=owners).reshape(owners, len(design.parts), 2)
    if linear:
        counts = np.stack((counts.sum(axis=2), np.zeros_like(counts[:, :, 0])), axis=2)
    return Study(design, counts, linear, bool(rng.random() < 0.3), int(rng.choice([3, 5])))


def known_sums(study: Study) -> Floats | None:
    """The sums over rows that all learn, over kinds (sums, 2 G); None if there is no such fit."""
    full = study.design.full
    n = study.counts.sum(axis=0).astype(float)
    both = np.repeat(full, 2, axis=0).T
    sums = [both[-1:]]
    if study.linear:
        weights = np.ones(len(full))
        steps = [weights]
    else:
        fitted = _fitted(full, n)
        if fitted is None:
            return None
        steps, p = fitted
        weights = p * (1 - p)
        left = np.column_stack((-p, 1 - p)).reshape(-1)
        sums.append(both * left)  # what the weights say
        sums += [both, both**2]  # means and deviations
        if study.open_matrices:
            sums.append(both * np.tile([0.0, 1.0], len(full)))
    fisher = (full * (n.sum(axis=1) * weights)[:, np.newaxis]).T @ full
    if np.linalg.cond(fisher) > 1e10:
        return None
    moved = (full @ np.linalg.inv(fisher)) ** 2 * weights[:, np.newaxis]
    sums.append(np.repeat(moved, 2, axis=0).T)
    if study.open_matrices:
        j, k = np.triu_indices(full.shape[1])
        sums += [np.repeat(full[:, j] * full[:, k] * step[:, np.newaxis], 2, axis=0).T for step in steps]
    return np.concatenate(sums)


def _fitted(full: Floats, n: Floats) -> tuple[list[Floats], Floats] | None:
    """The weights p (1 - p) of some of Newton's steps, and p where the likelihood is largest (G,); None without."""
    w, move, p = np.zeros(full.shape[1]), np.ones(1), np.zeros(len(full))
    steps: list[Floats] = []
    for step in range(30):
        p = 1 / (1 + np.exp(-full @ w))
        if step < OPEN_STEPS:
            steps.append(p * (1 - p))
        fisher = (full * (n.sum(axis=1) * p * (1 - p))[:, np.newaxis]).T @ full
        if not np.isfinite(fisher).all() or np.linalg.cond(fisher) > 1e10:
            return None
        move = np.linalg.solve(fisher, full.T @ (n[:, 1] - n.sum(axis=1) * p))
        w = w + move
    return (steps, p) if np.abs(move).max() < 1e-8 else None


def targets(study: Study) -> Iterator[Floats]:
    """Every cell, over kinds: of all parts, of each column's and of each product's values; by class and of both."""
    parts, factors = study.design.parts, study.design.made.factors
    axes = [parts[:, list(one)] for one in (*study.design.made.products, *factors)]
    ways: list[NDArray[np.int64]] = [np.arange(len(parts)), np.zeros(len(parts), dtype=np.int64)]
    ways += [np.unique(one, axis=0, return_inverse=True)[1].reshape(-1) for one in axes]
    seen = set()
    for way in ways:
        for value in range(way.max() + 1):
            for classes in ((1.0, 0.0), (0.0, 1.0), (1.0, 1.0)):
                target = np.outer(way == value, classes).reshape(-1)
                if (key := target.tobytes()) not in seen:
                    seen.add(key)
                    yield target


def recovered(study: Study, sums: Floats, attacker: int) -> Iterator[int]:
    """The cells of 1 to least - 1 rows of others that an owner, who takes its own rows off, solves for."""
    others = (study.counts.sum(axis=0) - study.counts[attacker]).reshape(-1).astype(float)
    known = _independent(sums)
    bounds = [(0, 0) if study.linear and k % 2 else (0, None) for k in range(len(others))]
    for target in targets(study):
        if not 0 < target @ others < study.least:
            continue
        ends = []
        for sign in (1.0, -1.0):
            found = linprog(sign * target, A_eq=known, b_eq=known @ others, bounds=bounds, method="highs")
            assert found.status in (0, 3), found.message
            ends.append(np.inf if found.status == 3 else sign * found.fun)
        if abs(ends[1] - ends[0]) < 1.0 - 1e-6:
            yield int(target @ others)


def _independent(sums: Floats) -> Floats:
    """Orthonormal combinations of these equations (rank, 2 G), as many as say something of their own."""
    scaled = sums / np.abs(sums).max(axis=1, keepdims=True).clip(1e-300)
    _, sizes, directions = np.linalg.svd(scaled, full_matrices=False)
    found: Floats = directions[sizes > 1e-9 * sizes[0]]
    return found
