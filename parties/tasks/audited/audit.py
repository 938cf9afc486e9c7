"""What a kind of task gives an audit (`mpc audit`): the rows that attackers look for, and its noise to be drawn.

Everything here needs all owners' rows in one place, or none: it is for one machine, as the comparison of `mpc run` is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mpc.randomness.streams import Stream
from mpc.ring.array import Array
from parties.tasks.audited.counts import Counted, Places
from parties.tasks.audited.updates import Updates

Mask = NDArray[np.bool_]
"""Which candidates are members."""
Random = np.random.Generator
Losses = Callable[[Array, Array], Array]
"""(rows (n, d), targets (n,)) -> minus the log-likelihood of each target by some model (n,)."""


@dataclass(frozen=True)
class Population:
    """The candidates for a release. A member is one of those from which it was computed.

    Args:
        unit: what a candidate is: "patient" or "client".
        what: what is released, as "the model's weights".
        seen_by: who reads it.
        whose: each candidate's owner.
        draw: members as another run of the study would have them (candidates,).
        release: what a run on such members discloses, by the plaintext twin; with [privacy], its noise is in it.
        score: of each candidate (candidates,), how well it fits a release: larger for a member than for another.
        members: those of the audited run; None of a study, or where all candidates are members.
        seen: what the audited run disclosed, as `release` gives it; None of a study.
        x, y, names: of a model, the rows as it takes them (candidates, d), their targets, and the columns' names.
        losses: of a model by what was released of it, to somebody who has the rows of these members; None where a
            target does not follow from x alone.
    """

    unit: str
    what: str
    seen_by: str
    whose: tuple[str, ...]
    draw: Callable[[Random], Mask]
    release: Callable[[Mask, Random], Array]
    score: Callable[[Array], Array]
    members: Mask | None = None
    seen: Array | None = None
    x: Array | None = field(default=None, repr=False)
    y: Array | None = field(default=None, repr=False)
    names: tuple[str, ...] = ()
    losses: Callable[[Array, Mask], Losses] | None = None

    @property
    def size(self) -> int:
        """How many candidates there are."""
        return len(self.whose)


def draw_members(size: int, groups: Iterable[tuple[Places, int]], rng: Random) -> Mask:
    """Draw the members of `size` candidates: from each group, given by numbers, as many as its count."""
    mask = np.zeros(size, dtype=bool)
    for candidates, count in groups:
        mask[rng.permutation(candidates)[:count]] = True
    return mask


@dataclass(frozen=True)
class Alone:
    """One owner's own rows and what a run disclosed, for an audit on its own machine.

    Args:
        what: what was disclosed.
        scores: of its rows, as `Population.score` has them (rows,).
        members: those that the run trained on; the others were held out.
    """

    what: str
    scores: Array
    members: Mask


@dataclass(frozen=True)
class Worlds:
    """What a mechanism shows one onlooker, less the noise that this one knows.

    Args:
        without: draws without the row (draws, numbers).
        with_row: draws with it, one array for each row that was tried: rows that change the release the most, each in
            another direction.
        shift: what each of these rows adds but for the noise (rows, numbers).
    """

    without: Array
    with_row: tuple[Array, ...]
    shift: Array


@dataclass(frozen=True)
class Opened:
    """The noise in what the protocol itself opens, run by all parties in one thread.

    Args:
        noise: of so many openings, or some more, what was opened less what was summed up (openings, numbers).
        variance: what the noise in each number should have.
        numbers: how many samples of noise an opening takes, about.
    """

    noise: Callable[[int, Stream], Array]
    variance: float
    numbers: int


@dataclass(frozen=True)
class Trial:
    """A mechanism to be drawn many times, with and without the row that changes it most.

    Args:
        what: what it releases.
        epsilon, delta: the claim for all that a draw holds.
        draw: so many draws of each world, by onlooker ("the helper", "all owners but one", ...).
        numbers: how many samples of noise a draw takes, about; what a draw costs.
        shift: of Gaussian noise, the most that a row shifts its mean, in deviations: sqrt(sum of D^2 / v).
        variance: of the noise that is promised to be left in each number, whoever looks; None of other noise.
        unit: what is with or without: "patient" or "client".
        opened: the same mechanism by its protocol; None where the draws are by its very functions.
        reach: the largest change by any row that was tried, as a part of what is promised: exact, and 1 at most.
    """

    what: str
    epsilon: float
    delta: float
    draw: Callable[[int, Stream], Mapping[str, Worlds]]
    numbers: int = 1
    shift: float | None = None
    variance: float | None = None
    unit: str = "patient"
    opened: Opened | None = None
    reach: float | None = None


def no_trials(scenario: Any) -> tuple[Trial, ...]:
    """`trials` of a scenario without noise."""
    return ()


@dataclass(frozen=True)
class Audit:
    """What a kind gives an audit.

    Args:
        population: of a scenario whose owners' data are all here, and of the record of a run of it, if there is one;
            None where nothing is released that depends on rows.
        trials: the mechanisms of a scenario with [privacy].
        counted: of the records of some runs, what the counts and sums of each told of the owners' rows, of which all
            are here or those of one owner; None: there are none.
        updates: what clients of a scenario send in the first rounds of training; None: they send none.
        alone: of a run's record and an owner, its own rows; None: nothing can be said with these.
    """

    population: Callable[[Any, Mapping[str, Any] | None], Population | None]
    trials: Callable[[Any], tuple[Trial, ...]] = no_trials
    counted: Callable[[Any, Sequence[Mapping[str, Any]], str | None], tuple[Counted, ...]] | None = None
    updates: Callable[[Any], Updates | None] | None = None
    alone: Callable[[Any, Mapping[str, Any], str], Alone | None] | None = None
