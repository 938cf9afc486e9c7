"""check_view: the view of a party, or of parties that share all they see, does not depend on the others' secrets.

Two checks. The statistical one runs the protocol many times with one secret and with another that gives the same
outputs, and compares how everything that a coalition sees, and can work out by adding and subtracting what it holds,
is distributed. The structural one (structure.py) shows that every word that is sent has a mask of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, zip_longest
from typing import Any, Literal

from mpc.errors import UsageError
from mpc.ring.array import Array
from mpc.ring.rings import Ring
from mpc.runtime.inputs import Input, Sizes
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.cases.inputs import Values, complete, constants, names_in, randoms, written
from mpc.testing.cases.programs import Case, Protocol, taken_case
from mpc.testing.views.by_round import check_enough, check_rounds
from mpc.testing.views.draws import Draws
from mpc.testing.views.kept import check_kept
from mpc.testing.views.longer_masks import check_longer, even_nibbles
from mpc.testing.views.recording import Recording, record
from mpc.testing.views.sight import Item, Sight, check_said, stacked
from mpc.testing.views.statistics import histograms, repeated, smallest_shift, uneven, unlike
from mpc.testing.views.structure import Structure, check_masks

FALSE_ALARM = 1e-4
"""The chance that a check of a protocol that shows nothing fails; all its tests share it (Bonferroni)."""
_FEWEST_RUNS, _MOST_RUNS = 50, 200
_RUNS_BESIDE = 60  # where the masks are looked at too, and nobody asks for more
_RUNS_ALONE = 1000  # where no mask is looked at, and somebody does
_WORDS = 2000
_MOST_SHOWN = 5
LARGEST_SHIFT = 0.3
"""The shift of probability that statistics alone must be able to find."""

Secrets = Sequence[Any]


@dataclass(frozen=True)
class Viewed:
    """The findings of `check_view`.

    `shift` is the smallest shift of probability that it would find (in 99 cases of 100) in a word of the message with
    the fewest words; `untested` are coalitions from which the given secrets hide nothing, so that nothing was compared.
    `sessions` are the runs with the same secrets in which no mask came twice.
    """

    coalitions: tuple[str, ...]
    untested: tuple[str, ...]
    runs: int
    tests: int
    words: int
    shift: float
    sessions: int
    structure: Structure | None

    def __str__(self) -> str:
        lines = [
            f"{self.tests} tests over {self.runs} runs; coalitions: {'; '.join(self.coalitions)}",
            "the helper receives nothing",
            f"a shift of {self.shift:.3f} in probability would be found, in {self.words} words",
            f"no mask twice in {self.sessions} sessions",
        ]
        if self.untested:
            lines.append(f"nothing to hide from: {'; '.join(self.untested)}")
        return "\n".join([*lines, *([str(self.structure)] if self.structure else [])])


@dataclass
class _Finding:
    """The fault of one item: its likelihood, the nibbles, and the coalition that sees it."""

    what: str
    rank: int
    p: float = 1.0
    nibbles: set[int] = field(default_factory=set)
    coalitions: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        bits = ", ".join(f"{4 * first} to {4 * last + 3}" for first, last in _stretches(sorted(self.nibbles)))
        return f"{self.what} in bits {bits} (p = {self.p:.0e}), as seen by {'; '.join(self.coalitions)}"


@dataclass
class _Sums:
    """The tests of a whole check, so far, and what they found."""

    public: Sequence[str]
    longer: Mapping[str, int]
    words: int  # that are wanted
    most_runs: int
    tests: int = 0
    runs: int = 0
    sessions: int = 0
    masked: int = 0  # samples of the masked message that has the fewest, and of the output that has the fewest
    output: int = 0
    found: list[tuple[str, int, int, float, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # that are no matter of chance

    def note(self, check: Callable[[], None]) -> None:
        """Make a check, and note its finding, unless the statistics find something too, which says more."""
        try:
            check()
        except CheckFailed as problem:
            self.problems.append(str(problem))

    def findings(self) -> list[_Finding]:
        """The findings that are less likely than chance allows over all tests, the simplest items first."""
        merged: dict[str, _Finding] = {}
        for what, rank, nibble, p, coalition in self.found:
            if p < FALSE_ALARM / self.tests:
                finding = merged.setdefault(what, _Finding(what, rank))
                finding.p = min(finding.p, p)
                finding.nibbles.add(nibble)
                if coalition not in finding.coalitions:
                    finding.coalitions.append(coalition)
        return sorted(merged.values(), key=lambda finding: finding.rank)


def check_view(
    protocol: Protocol,
    inputs: Sequence[Input],
    *,
    secrets: Sequence[tuple[Secrets, Secrets]] | None = None,
    owners: int = 3,
    coalitions: Iterable[Iterable[int]] | None = None,
    sizes: Sizes | None = None,
    public: Sequence[str] = (),
    words: int | None = None,
    statistical: Mapping[str, int] | None = None,
    kept: Sequence[int] = (),
    structure: bool | Literal["by round"] = True,
    structure_sizes: Sizes | None = None,
    seed: int = 0,
) -> Viewed:
    """Check that no coalition's view depends on the others' inputs.

    Args:
        secrets: pairs of secrets with equal outputs, each with a value for each input; where the protocol reveals
            nothing, any two do, and zeros, edges and random ones are taken.
        coalitions: owners that share all they see; all coalitions but the whole where left out. Where one would give
            all inputs itself, the owners' turns to give them start elsewhere.
        sizes: of named sizes in the statistical check; larger ones give more power for the time.
        public: labels of rounds in which nothing secret is sent: their words need no mask and are not uniform.
        words: samples, on either side, of the message that has the fewest: in at least 50 runs and at most 200, or
            1,000 if no mask is looked at. Where left out 2,000, in at most 200 runs, or 60 if masks are looked at too.
        statistical: by label, rounds whose masks do not fill the ring, and by how many bits they are longer than what
            they cover (40, say). They are held to that, and to even lower bits of what is opened; not to `structure`.
        kept: numbers of results whose shares are stored or handed on, and so must be independent of all that was sent.
        structure: whether to check the masks too: word by word, "by round" (a few runs a round, for long protocols), or
            not at all. Then the statistics must find a shift of 0.3.
        structure_sizes: of named sizes in that check, which takes two runs for every drawn word.

    Raises:
        CheckFailed: something in a view differs, is not uniform, or is covered by no mask of its own; the message
            names the round, the label and the parties.
        UsageError: no mask is looked at, and the statistics would miss a shift of 0.3.
    """
    longer = statistical or {}
    exempt = {*public, *longer}
    covered = None
    if structure or kept:
        small = complete(inputs, structure_sizes, 2)
        taken = taken_case(protocol, inputs, owners, small, f"structure/{seed}")
        if structure:
            covered = (check_masks if structure is True else check_rounds)(taken, exempt, seed)
        check_kept(taken, kept, seed)
    known = complete(inputs, sizes, 16 if len(names_in(inputs)) == 1 else 5)
    chosen = _coalitions(coalitions, owners)
    masks = bool(covered and covered.words)
    most = _MOST_RUNS if masks == (words is not None) else _RUNS_BESIDE if masks else _RUNS_ALONE
    sums = _Sums(public, longer, words or _WORDS, most)
    tested: set[tuple[int, ...]] = set()
    for number, (one, other) in enumerate(pairs_of(protocol, inputs, owners, known, secrets, seed)):
        cases = [Case(protocol, tuple(inputs), owners, known, values) for values in (one, other)]
        tested |= _look(cases[0], cases[1], chosen, f"{seed}/{number}", sums, secrets is not None)
    if not tested:
        raise UsageError("the secrets are such that nothing is hidden from any coalition", "give other secrets")
    _conclude(sums)
    words_seen = sums.masked or sums.output
    shift = smallest_shift(words_seen, FALSE_ALARM / sums.tests)
    if shift > LARGEST_SHIFT and not masks:
        raise UsageError(
            f"no mask is looked at, and in {words_seen} words a shift of {shift:.2f} in probability would not be found",
            f'give more `words` or larger `sizes` until it is {LARGEST_SHIFT}, or structure="by round"',
        )
    return Viewed(
        tuple(_names(c) for c in chosen if c in tested),
        tuple(_names(c) for c in chosen if c not in tested),
        sums.runs,
        sums.tests,
        words_seen,
        shift,
        sums.sessions,
        covered,
    )


def _coalitions(given: Iterable[Iterable[int]] | None, owners: int) -> list[tuple[int, ...]]:
    """The coalitions as given, or all but the whole."""
    if given is not None:
        return [tuple(sorted(set(c))) for c in given]
    return [c for size in range(1, owners) for c in combinations(range(owners), size)]


def _names(coalition: Sequence[int]) -> str:
    return ", ".join(f"owner{k}" for k in coalition)


def _look(
    one: Case,
    other: Case,
    coalitions: Sequence[tuple[int, ...]],
    seed: str,
    sums: _Sums,
    may_refuse: bool,
) -> set[tuple[int, ...]]:
    """Compare each coalition's views of two secrets; returns the coalitions from which something is hidden."""
    turns = range(one.n) if any(each.owner is None and not each.of_all for each in one.inputs) else range(1)
    sides = [
        (replace(one, turn=turn), _Runner(replace(other, turn=turn), sums, f"{seed}/{turn}", may_refuse))
        for turn in turns
    ]
    tested = set()
    for coalition in coalitions:
        for case, runner in sides:  # the first turn in which somebody outside has something to hide
            mine = agreeing(case, runner.other, coalition)
            if mine is not None:
                tested.add(coalition)
                _compare(runner, mine, coalition, sums)
                break
    return tested


def pairs_of(
    protocol: Protocol,
    inputs: Sequence[Input],
    n: int,
    sizes: Sizes,
    secrets: Sequence[tuple[Secrets, Secrets]] | None,
    seed: int,
) -> list[tuple[Values, Values]]:
    """Pairs of secrets to compare, as values: the given ones; or zeros, edges and random ones."""
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


def agreeing(case: Case, other: Case, coalition: Sequence[int]) -> Case | None:
    """The case with the coalition's inputs made equal to the other's, since it knows them; None if no input is left.

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
                theirs if (g if one.of_all else case.giver(k)) in coalition else ours
                for g, (ours, theirs) in enumerate(zip(case.values[k], other.values[k], strict=True))
            ]
            values.append(tuple(parts))
        mine = Case(case.protocol, case.inputs, case.n, case.sizes, tuple(values), case.turn)
    everybody = range(case.n)
    return mine if any(mine.own_inputs(k) != other.own_inputs(k) for k in everybody) else None


class _Runner:
    """Runs cases often enough, and keeps the views: several coalitions look at the same runs."""

    def __init__(self, other: Case, sums: _Sums, seed: str, may_refuse: bool) -> None:
        self.other = other
        self._may_refuse = may_refuse
        self._sums = sums
        self._exempt = {*sums.public, *sums.longer}
        self._seed = seed
        self._kept: dict[tuple[tuple[bytes, ...], ...], Sight] = {}
        self.runs = 0

    def sight(self, case: Case) -> Sight:
        """All messages and notes of all runs of a case."""
        key = tuple(case.own_inputs(k) for k in range(case.n))
        if key not in self._kept:
            seed = f"view/{self._seed}/{len(self._kept)}"
            first = record(case, Draws(case.n, f"{seed}/0"), may_refuse=self._may_refuse)
            self._sums.note(lambda: check_enough(first, self._exempt))
            count = self._count(first)
            self.runs += count
            rest = [
                record(case, Draws(case.n, f"{seed}/{run}"), may_refuse=self._may_refuse) for run in range(1, count)
            ]
            self._kept[key] = stacked([first, *rest], case.n)
        return self._kept[key]

    def _count(self, first: Recording) -> int:
        sent = [one for one in first.sendings if one.value.size and one.label not in self._sums.public]
        sizes = [one.value.size for one in sent if not one.revealed] or [one.value.size for one in sent]
        fewest = min(sizes, default=self._sums.words)
        return min(self._sums.most_runs, max(_FEWEST_RUNS, -(-self._sums.words // fewest)))


def _compare(runner: _Runner, mine: Case, coalition: Sequence[int], sums: _Sums) -> None:
    before = runner.runs
    sides = [runner.sight(case) for case in (mine, runner.other)]
    sums.runs += runner.runs - before
    sums.sessions = min(sums.sessions or sides[0].runs, *(side.runs for side in sides))
    names = _names(coalition)
    for owner, texts in sides[0].said.items():
        check_said(owner, texts, sides[1].said[owner], "with another secret")
    spread: dict[tuple[int, int], tuple[Array, Ring]] = {}
    for one, other in zip_longest(*(side.items(coalition) for side in sides)):
        if one is None or other is None or one.name != other.name:
            odd = one or other
            raise CheckFailed(f"{odd.name}: seen by {names} with one secret and not with the other")
        _compare_item(one, other, names, sums)
        if one.opened and one.label in sums.longer:
            spread[one.opened] = one.words, one.ring
    if spread:
        sums.note(lambda: check_longer(mine, runner.other, spread, sums.longer, f"longer/{names}"))


def _compare_item(one: Item, other: Item, names: str, sums: _Sums) -> None:
    counts = histograms(one.words, one.ring), histograms(other.words, other.ring)
    sums.tests += counts[0].shape[1]
    samples = int(one.words.size)
    masked = one.masked and one.label not in sums.public
    if masked:
        sums.masked = min(sums.masked or samples, samples)
    elif one.rank == 0:
        sums.output = min(sums.output or samples, samples)
    for nibble, p in unlike(*counts):
        sums.found.append((f"{one.name}, differs between two secrets", 2 * one.rank, nibble, p, names))
    if masked:
        even = counts[0].shape[1]
        if one.opened and one.label in sums.longer:
            even = even_nibbles(one.words, one.ring)
        sums.tests += even
        for nibble, p in uneven(counts[0][:, :even]):
            sums.found.append((f"{one.name}, is not uniform", 2 * one.rank + 1, nibble, p, names))
    if one.once and one.label not in sums.public:
        for item in (one, other):
            if again := repeated(item.words, item.ring):
                sums.problems.append(
                    f"{item.name}: the same word in sessions {again[0]} and {again[1]}, as seen by {names}: a mask was "
                    "used in both"
                )


def _conclude(sums: _Sums) -> None:
    findings = sums.findings()
    if findings:
        more = f"\n... and {len(findings) - _MOST_SHOWN} more" if len(findings) > _MOST_SHOWN else ""
        raise CheckFailed("\n".join(str(finding) for finding in findings[:_MOST_SHOWN]) + more)
    if sums.problems:
        raise CheckFailed("\n".join(list(dict.fromkeys(sums.problems))[:_MOST_SHOWN]))


def _stretches(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Sorted numbers as stretches without a gap."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
