"""What `mpc audit` is given of a secure sum: what each client adds to it, and its noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from mpc.ring.array import Array
from parties.show.blocks import count_text
from parties.tasks.audited.audit import Audit, Population, Trial
from parties.tasks.audited.noise import distributed_trial
from parties.tasks.audited.sums import sums_population
from parties.tasks.secure_sum.ends.data import numbers_of
from parties.tasks.secure_sum.private import own_vector, signs
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.star.rows import ClientRows
from protocols.privacy.distributed import centred

_BEYOND: Final = 10.0  # widths of its range, by which a worst client's values are outside
_FEWEST: Final = 4  # clients of whom half are in a sum


def _population(scenario: SumScenario, record: Mapping[str, Any] | None) -> Population | None:
    """Each client with what it adds in the first round; None where a helper takes small sums out."""
    if scenario.helper is not None or scenario.count < _FEWEST:
        return None
    source = ClientRows(scenario, scenario.read_columns)
    vectors = [numbers_of(scenario, name, source.of(name, 1)).vector for name in scenario.client_names]
    added, variance = _numbers(scenario, np.array(vectors)), 0.0
    if scenario.privacy is not None:
        variance = scenario.noise.deviation(scenario.count) ** 2
    everyone = "the server, and whoever it shows the sums"
    whose = tuple(scenario.client_names)
    return sums_population(added, variance, whose, unit="client", each="clients", seen_by=everyone)


def _numbers(scenario: SumScenario, vectors: Array) -> Array:
    """What the vectors stand for: exact ones are modulo 2^b."""
    return vectors if scenario.privacy is not None else centred(vectors, scenario.coding.bits)


def _trials(scenario: SumScenario) -> tuple[Trial, ...]:
    """A round's noisy sum, with clients that have as many rows as may be, all far beyond the ranges."""
    if scenario.privacy is None:
        return ()
    task = scenario.task
    ends = [scenario.clip(column) for column in task.columns]
    above = [[high + _BEYOND * (high - low) for low, high in ends]] * task.most_rows
    below = [[low - _BEYOND * (high - low) for low, high in ends]] * task.most_rows
    vectors = np.array([own_vector(scenario, "the worst client", np.array(rows))[0] for rows in (above, below)])
    what = "the noisy sum" if task.rounds == 1 else f"the noisy sum of a round, of {count_text(task.rounds)}"
    return (distributed_trial(what, scenario.privacy.delta, scenario.noise, signs(scenario, 1), vectors),)


AUDIT: Final = Audit(_population, _trials)
