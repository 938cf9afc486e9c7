"""check_view: what a party sees, and what parties who tell each other everything see, does not depend on secrets.

Two checks. The statistical one runs the protocol many times with one secret and with another that gives the same
outputs, and compares how everything that a coalition sees, and can work out by adding and subtracting what it holds,
is distributed. The structural one (structure.py) shows that every word that is sent has a mask of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from mpc.errors import UsageError
from mpc.testing.failure import CheckFailed
from mpc.testing.inputs import Input, Sizes, Values, complete, constants, names_in, randoms, written
from mpc.testing.programs import Case, Protocol
from mpc.testing.recording import Draws, Recording, record
from mpc.testing.sight import Sight, stacked
from mpc.testing.statistics import histograms, smallest_shift, uneven, unlike
from mpc.testing.structure import Structure, check_masks

FALSE_ALARM = 1e-4
"""The chance that a check of a protocol that shows nothing fails; all its tests share it (Bonferroni)."""
_FEWEST_RUNS, _MOST_RUNS = 8, 200
_TOLD = 5

Secrets = Sequence[Any]


@dataclass(frozen=True)
class Viewed:
    """What `check_view` saw.

    `shift` is the smallest shift of probability that it would find (in 99 cases of 100) in a word of the message with
    the fewest words; `untested` are coalitions from which the given secrets hide nothing, so that nothing was compared.
    """

    coalitions: tuple[str, ...]
    untested: tuple[str, ...]
    runs: int
    tests: int
    words: int
    shift: float
    structure: Structure | None

    def __str__(self) -> str:
        lines = [
            f"{self.tests} tests over {self.runs} runs; coalitions: {'; '.join(self.coalitions)}",
            "the helper receives nothing",
            f"a shift of {self.shift:.3f} in probability would be found, in {self.words} words",
        ]
        if self.untested:
            lines.append(f"nothing to hide from: {'; '.join(self.untested)}")
        return "\n".join([*lines, *([str(self.structure)] if self.structure else [])])


@dataclass(frozen=True)
class _Finding:
    p: float
    rank: int
    text: str


@dataclass
class _Sums:
    """The tests of a whole check, so far."""

    tests: int
    findings: list[_Finding]
    words: int
    runs: int


def check_view(
    protocol: Protocol,
    inputs: Sequence[Input],
    *,
    secrets: Sequence[tuple[Secrets, Secrets]] | None = None,
    owners: int = 3,
    coalitions: Iterable[Iterable[int]] | None = None,
    sizes: Sizes | None = None,
    public: Sequence[str] = (),
    words: int = 2000,
    structure: bool = True,
    structure_sizes: Sizes | None = None,
    seed: int = 0,
) -> Viewed:
    """Check that no coalition's view depends on what the others put in.

    Args:
        secrets: pairs of secrets with equal outputs, each with a value for each input; where the protocol reveals
            nothing, any two do, and zeros, edges and random ones are taken.
        coalitions: which owners tell each other everything; all but the whole where left out.
        sizes: of named sizes in the statistical check; larger ones give more power for the time.
        public: labels of rounds in which nothing secret is sent: their words need no mask and are not uniform.
        words: samples, on either side, of the message that has the fewest.
        structure: whether to check the masks too.
        structure_sizes: of named sizes in that check, which takes two runs for every drawn word.

    Raises:
        CheckFailed: something in a view differs, is not uniform, or is covered by no mask of its own; the message
            names the round, the label and the parties.
    """
    covered = None
    if structure:
        small = complete(inputs, structure_sizes, 2)
        case = Case(protocol, tuple(inputs), owners, small, randoms(inputs, small, owners, f"structure/{seed}"))
        covered = check_masks(case, public, seed)
    known = complete(inputs, sizes, 128 if len(names_in(inputs)) == 1 else 12)
    everybody = range(owners)
    chosen = (
        [tuple(sorted(set(c))) for c in coalitions]
        if coalitions is not None
        else [c for size in range(1, owners) for c in combinations(everybody, size)]
    )
    sums = _Sums(0, [], 0, 0)
    tested: dict[tuple[int, ...], bool] = dict.fromkeys(chosen, False)
    for number, (one, other) in enumerate(_pairs(protocol, inputs, owners, known, secrets, seed)):
        runner = _Runner(Case(protocol, tuple(inputs), owners, known, other), words, f"{seed}/{number}")
        for coalition in chosen:
            mine = _agreeing(Case(protocol, tuple(inputs), owners, known, one), runner.other, coalition)
            if mine is not None:
                tested[coalition] = True
                _compare(runner, mine, coalition, public, sums)
    if not any(tested.values()):
        raise UsageError("the secrets are such that nothing is hidden from any coalition", "give other secrets")
    _conclude(sums)
    names = {c: ", ".join(f"owner{k}" for k in c) for c in chosen}
    return Viewed(
        tuple(names[c] for c in chosen if tested[c]),
        tuple(names[c] for c in chosen if not tested[c]),
        sums.runs,
        sums.tests,
        sums.words,
        smallest_shift(sums.words, FALSE_ALARM / sums.tests),
        covered,
    )


def _pairs(
    protocol: Protocol,
    inputs: Sequence[Input],
    n: int,
    sizes: Sizes,
    secrets: Sequence[tuple[Secrets, Secrets]] | None,
    seed: int,
) -> list[tuple[Values, Values]]:
    if secrets is not None:
        return [(written(inputs, sizes, n, one), written(inputs, sizes, n, other)) for one, other in secrets]
    zeros = constants(inputs, sizes, n, 0)
    reveals = Case(protocol, tuple(inputs), n, sizes, zeros).plan.reveals
    if reveals:
        raise UsageError(
            f"the protocol reveals '{reveals[0].what}', so its view depends on that",
            "give pairs of `secrets` with equal outputs",
        )
    highest, lowest = (constants(inputs, sizes, n, edge) for edge in (1 << 300, -(1 << 300)))
    return [(zeros, highest), (lowest, randoms(inputs, sizes, n, f"view/{seed}"))]


def _agreeing(case: Case, other: Case, coalition: Sequence[int]) -> Case | None:
    """The case with what the coalition puts in made equal to the other's, for it may see that; None if nothing is left.

    A protocol that reveals must be left as it is: changed inputs would give other outputs.
    """
    if case.plan.reveals:
        mine = case
        if any(case.own_inputs(k) != other.own_inputs(k) for k in coalition):
            return None
    else:
        values = []
        for k, one in enumerate(case.inputs):
            parts = [
                theirs if (g if one.private else case.giver(k)) in coalition else ours
                for g, (ours, theirs) in enumerate(zip(case.values[k], other.values[k], strict=True))
            ]
            values.append(tuple(parts))
        mine = Case(case.protocol, case.inputs, case.n, case.sizes, tuple(values))
    everybody = range(case.n)
    return mine if any(mine.own_inputs(k) != other.own_inputs(k) for k in everybody) else None


class _Runner:
    """Runs cases often enough, and keeps what was seen: several coalitions look at the same runs."""

    def __init__(self, other: Case, words: int, seed: str) -> None:
        self.other = other
        self._words = words
        self._seed = seed
        self._kept: dict[tuple[tuple[bytes, ...], ...], Sight] = {}
        self.runs = 0

    def sight(self, case: Case) -> Sight:
        """What was sent and noted in all runs of a case."""
        key = tuple(case.own_inputs(k) for k in range(case.n))
        if key not in self._kept:
            seed = f"view/{self._seed}/{len(self._kept)}"
            first = record(case, Draws(case.n, f"{seed}/0"))
            count = self._count(first)
            self.runs += count
            rest = [record(case, Draws(case.n, f"{seed}/{run}")) for run in range(1, count)]
            self._kept[key] = stacked([first, *rest], case.n)
        return self._kept[key]

    def _count(self, first: Recording) -> int:
        sizes = [one.value.size for one in first.sendings if not one.revealed and one.value.size]
        fewest = min(sizes, default=self._words)
        return min(_MOST_RUNS, max(_FEWEST_RUNS, -(-self._words // fewest)))


def _compare(runner: _Runner, mine: Case, coalition: Sequence[int], public: Sequence[str], sums: _Sums) -> None:
    before = runner.runs
    sides = [runner.sight(case) for case in (mine, runner.other)]
    sums.runs += runner.runs - before
    names = ", ".join(f"owner{k}" for k in coalition)
    pairs = zip(*(side.items(coalition) for side in sides), strict=True)
    for one, other in pairs:
        if one.name != other.name:
            raise CheckFailed(f"{names} sees other messages with one secret than with the other: {one.name}")
        counts = histograms(one.words, one.ring), histograms(other.words, other.ring)
        sums.tests += counts[0].shape[1]
        for nibble, p in unlike(*counts):
            text = f"{one.name}, {_bits(nibble)}, differs between two secrets, as seen by {names} (p = {p:.0e})"
            sums.findings.append(_Finding(p, one.rank, text))
        if one.masked and one.label not in public:
            sums.tests += counts[0].shape[1]
            samples = int(one.words.size)
            sums.words = min(sums.words or samples, samples)
            for nibble, p in uneven(counts[0]):
                text = f"{one.name}, {_bits(nibble)}, is not uniform, as seen by {names} (p = {p:.0e})"
                sums.findings.append(_Finding(p, one.rank, text))


def _conclude(sums: _Sums) -> None:
    found = [finding for finding in sums.findings if finding.p < FALSE_ALARM / sums.tests]
    found.sort(key=lambda finding: (finding.rank, finding.p))
    if found:
        more = f"\n... and {len(found) - _TOLD} more" if len(found) > _TOLD else ""
        raise CheckFailed("\n".join(finding.text for finding in found[:_TOLD]) + more)


def _bits(nibble: int) -> str:
    return f"bits {4 * nibble} to {4 * nibble + 3}"
