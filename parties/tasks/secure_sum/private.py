"""A secure sum with [privacy]: a client's numbers as a vector of bounded length, its noise, and what is told of a sum.

With x clipped to the agreed range [centre - half, centre + half] of its column, and M = `most_rows`, a client has

    count    the number of its rows with a value, over M                  in [0, 1]
    sum      the sum of u = (x - centre) / half, over M                   in [-1, 1]

for each column: m numbers, so that its vector is sqrt(m) long at most, whatever its rows are. Without counts the centre
is 0. The vector is rounded and made noisy by the client, and added up below secure aggregation
(protocols/privacy/distributed.py). What is told of a sum is computed from the noisy one: it costs nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import hypot, sqrt
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mpc.errors import DataError
from mpc.randomness.streams import Stream, derive, os_entropy
from parties.scenario.problems import Problem, quote
from parties.show.blocks import Block, Grid, Line, count_text, plural, to_digits
from parties.tasks.star.noise import (
    LEDGER_TEXT,
    client_mechanism,
    guarantee_facts,
    guarantee_line,
    honest,
    noises_of,
    together,
)
from parties.trust.budget import Charge
from protocols.aggregation.parts.quantise import residues
from protocols.privacy.agreed_range import AgreedRange
from protocols.privacy.concentrated import epsilon_at, rho_at
from protocols.privacy.distributed import Distributed, calibrated_vector, decoded, encoded, padded
from protocols.privacy.estimates import Estimate, NoisySums, count_of, margin, mean_of, sum_of

if TYPE_CHECKING:
    from mpc.ring.array import Array
    from parties.tasks.secure_sum.settings import SumScenario
    from parties.tasks.star.rows import Values

OUTSIDE: Final = (
    "who takes part, and who drops out when",
    "whether a client's data are as the scenario says: its columns, numbers in them, and most_rows rows at most",
    "how long a client takes: a sample of noise takes a time that depends on it",
)


def check_private(scenario: SumScenario) -> Iterator[Problem]:
    """The settings that do not go with [privacy]."""
    task, privacy = scenario.task, scenario.privacy
    assert privacy is not None
    if task.out_of_range != "clip":
        yield Problem(
            '[task] out_of_range = "refuse" tells that a client has such a value, and does not go with [privacy]',
            'write out_of_range = "clip"',
        )
    if task.missing != "skip":
        yield Problem(
            '[task] missing = "refuse" tells that a client has an empty cell, and does not go with [privacy]',
            'write missing = "skip"',
        )
    if task.min_cell is not None:
        yield Problem(
            "[task] min_cell tests exact counts, and does not go with [privacy], whose noise covers small ones",
            "leave it out, and a helper",
        )
    elif scenario.helper is not None:
        yield Problem(
            f"[parties.{scenario.helper}] is a helper, which tests exact counts, and does not go with [privacy]",
            "leave it out",
        )
    if task.weight is not None:
        yield Problem("[task] weight does not go with [privacy]", "leave it out")
    strangers = [column for column in privacy.clip if column not in task.columns]
    if strangers:
        yield Problem(f"[privacy.clip] lists {quote(strangers)}, which is not in `columns`", "remove it there")
    if any(not low < high for low, high in privacy.clip.values()):
        yield Problem("[privacy.clip] has an empty range", "give the smallest value first, then the largest")


def clip_of(scenario: SumScenario, column: str) -> AgreedRange:
    """A column's agreed range, as an interval around 0 where no counts are told."""
    assert scenario.privacy is not None
    low, high = scenario.privacy.clip.get(column, scenario.task.range)
    reach = max(abs(low), abs(high))
    return AgreedRange(low, high) if "count" in scenario.kinds else AgreedRange(-reach, reach)


def noise_of(scenario: SumScenario) -> Distributed:
    """A round's vector and its noise.

    Raises:
        UsageError: no noise carries the claim, or the sums take too many bits.
    """
    privacy, size = scenario.privacy, len(scenario.entries)
    assert privacy is not None
    return calibrated_vector(
        size,
        sqrt(size),
        rho_at(privacy.epsilon, privacy.delta) / scenario.task.rounds,
        clients=scenario.count,
        fewest=honest(scenario.min_cohort, scenario.bounds),
        numbers=scenario.task.rounds * padded(size),
    )


def planned_charge(scenario: SumScenario) -> Charge | None:
    """What all rounds together cost a client; None without [privacy]."""
    privacy = scenario.privacy
    if privacy is None:
        return None
    return Charge((client_mechanism(scenario.noise, scenario.task.rounds),), privacy.epsilon, privacy.delta, "client")


def own_vector(scenario: SumScenario, client: str, values: Values) -> tuple[Array, int]:
    """A client's numbers (m,), before rounding and noise, and how many of its cells were clipped.

    Args:
        values: (rows, columns), NaN where a cell is empty.

    Raises:
        DataError: there are more rows than agreed.
    """
    task = scenario.task
    if len(values) > task.most_rows:
        raise DataError(f"{client}: {len(values)} rows, and {task.most_rows} are the most", "raise `most_rows`")
    found, clipped = {}, 0
    for place, column in enumerate(task.columns):
        low, high = scenario.clip(column)
        cells = values[:, place][~np.isnan(values[:, place])]
        clipped += int(((cells < low) | (cells > high)).sum())
        clip = clip_of(scenario, column)
        units = np.clip((np.clip(cells, low, high) - clip.centre) / clip.half, -1, 1)  # rounded, in narrow ranges
        found[column, "count"] = len(cells) / task.most_rows
        found[column, "sum"] = float(units.sum()) / task.most_rows
    return np.array([found[entry] for entry in scenario.entries]), clipped


def noisy_vector(scenario: SumScenario, numbers: Array, number: int) -> Array:
    """The machine words (d,) that a client adds in a round of this number: with noise drawn for this call."""
    how = scenario.noise
    secret = Stream(os_entropy("noise"))
    return residues(encoded(numbers, how, signs(scenario, number), secret), how.bits)


def signs(scenario: SumScenario, number: int) -> bytes:
    """The public seed of the signs by which a round's vectors are rotated."""
    return derive(bytes.fromhex(scenario.digest), f"sum signs/{number}")


def noisy_columns(scenario: SumScenario, total: Array, clients: int, number: int) -> dict[str, dict[str, Any]]:
    """What is told of each column, and in how wide an interval the clients' clipped rows have it, in 95 of 100 runs.

    Args:
        total: the sum (d,) of so many clients' words.
    """
    how, task = scenario.noise, scenario.task
    estimate = dict(zip(scenario.entries, decoded(total, how, signs(scenario, number)).tolist(), strict=True))
    columns: dict[str, dict[str, Any]] = {}
    for column in task.columns:
        clip = clip_of(scenario, column)
        count, first = (estimate.get((column, kind), 0.0) * task.most_rows for kind in ("count", "sum"))
        of = NoisySums(count, first, None, how.deviation(clients) * task.most_rows, 0.0)
        found: dict[str, Estimate] = {}
        if "count" in task.statistics:
            found["count"] = count_of(count, of.deviation)
        if "sum" in task.statistics:
            found["sum"] = sum_of(of, clip.centre, clip.half)
        if "mean" in task.statistics:
            found["mean"] = mean_of(of, clip.centre, clip.half)
        columns[column] = {kind: one.value for kind, one in found.items()}
        columns[column]["intervals"] = {kind: [one.low, one.high] for kind, one in found.items()}
    return columns


def errors_of(scenario: SumScenario) -> dict[tuple[str, str], float]:
    """By how much each count and sum is off at most in 95 of 100 runs, if all clients take part."""
    deviation = scenario.noise.deviation(scenario.count) * scenario.task.most_rows
    found = {}
    for column, kind in scenario.entries:
        clip = clip_of(scenario, column)
        found[column, kind] = margin(deviation) * (1.0 if kind == "count" else hypot(clip.centre, clip.half))
    return found


def privacy_facts(scenario: SumScenario, survivors: Sequence[int] | None = None) -> dict[str, Any] | None:
    """The guarantee, what is released and what it costs, as plain JSON; None without [privacy].

    Args:
        survivors: at the end, how many clients were in the sum of each round that gave one.
    """
    privacy, task = scenario.privacy, scenario.task
    if privacy is None:
        return None
    how, spent = scenario.noise, None
    if survivors is not None:
        rho = sum(how.rho_of(noises_of(how, one, scenario.bounds)) for one in survivors)
        spent = epsilon_at(rho, privacy.delta, task.rounds * how.slack)
    release = {
        "what": "the noisy sum of the clients' counts and sums",
        "of": ", ".join(task.columns),
        "times": task.rounds,
        "numbers": how.size,
        "share": 1.0,
        "norm": how.norm,
        "honest_clients": how.fewest,
        "client_deviation": how.deviation(1),
        "sensitivity": sqrt(how.squared_norm) / how.scale,
        "bits": how.bits,
        "errors": [
            {"column": column, "of": kind, "error": error} for (column, kind), error in errors_of(scenario).items()
        ],
    }
    planned = epsilon_at(task.rounds * how.rho, privacy.delta, task.rounds * how.slack)
    return guarantee_facts(privacy, scenario.bounds, planned, spent, [release], OUTSIDE)


def privacy_blocks(scenario: SumScenario) -> list[Block]:
    """The same for plan and consent."""
    facts, privacy, task = privacy_facts(scenario), scenario.privacy, scenario.task
    if facts is None or privacy is None:
        return []
    how, bounds = scenario.noise, scenario.bounds
    rows = tuple((f"{kind} of {column}", to_digits(error)) for (column, kind), error in errors_of(scenario).items())
    often = f"; each of {task.rounds} rounds has an equal part of the budget" if task.rounds > 1 else ""
    ranges = {column: scenario.clip(column) for column in task.columns}
    clips = "; ".join(f"{column} {low:g} to {high:g}" for column, (low, high) in ranges.items())
    lines = [
        f"A client's {plural(how.size, 'number')}, over {count_text(task.most_rows)} rows and scaled by the ranges, "
        f"are a vector of length {how.norm:.3g} at most, which is released in one noisy sum{often}. Values beyond the "
        f"ranges count as the nearer end: {clips}.",
        f"Each client adds its part of the noise. {plural(together(bounds), 'client')} may take off what they added, "
        f"and that of {count_text(how.fewest)} still carries the claim: of the fewest in a sum, {scenario.min_cohort}, "
        "less these. If more take part, there is more noise than the claim needs.",
        "Small cells are not withheld: noise covers them. Counts may come out below 0; they are not changed.",
        LEDGER_TEXT,
        f"Told exactly, whatever epsilon is: {'; '.join(facts['outside'])}.",
    ]
    title = f"What is released with noise (error: at most, in 95 of 100 runs, if all {count_text(scenario.count)} stay)"
    return [
        Line(""),
        guarantee_line(privacy),
        Grid(title, ("number", "error"), rows, frozenset({0})),
        *map(Line, lines),
    ]
