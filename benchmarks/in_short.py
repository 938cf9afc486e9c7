"""The report's first lines: each figure that is asked for, beside the fastest peer's where there is one."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.formats import clean, ms, size, small
from benchmarks.jobs import AS_FAR, AUTO, SGD
from benchmarks.micro_programs import MICROS
from benchmarks.results import BesidePlan, Micro, Results, Training

OURS = "beaverlodge"
ACCURATE = 1e-2
"""A contender whose max |dw| is below this counts as having trained the model."""

_COMPARED = (
    ("A", "localhost", 40, 10),
    ("A", "WAN", 15, None),
    ("C", "localhost", None, None),
    ("B", "localhost", None, None),
)
"""Job, network, and how many times the speed of the fastest peer is aimed at: of those that are right, and of all."""

_ASKED = {"step": 0.4e-3, "floor": 2.0, "command": 1.5, "auto": 2.0, "sigmoid": 1e-4}


def fastest(candidates: Iterable[Training]) -> Training | None:
    """The one with the fastest step among those that were measured."""
    measured = [one for one in candidates if not one.failure and one.step_seconds]
    return min(measured, key=lambda one: one.step_seconds or 0.0, default=None)


def rivals(results: Results, job: str, network: str, *, accurate: bool) -> list[Training]:
    """All others' measurements of a job, or those alone whose weights came out right."""
    return [
        one
        for one in results.trainings
        if one.job == job
        and one.network == network
        and not is_ours(one.who)
        and (not accurate or (one.difference is not None and one.difference < ACCURATE))
    ]


def is_ours(who: str) -> bool:
    """Whether a line of the record is about us."""
    return who.startswith(OURS)


def short(results: Results) -> str:
    """The section, as a list."""
    lines = [_beside_peers(results, *one) for one in _COMPARED]
    for one in results.floors:
        secured = "with" if one.encrypted else "without"
        lines.append(
            f"A step of job A takes {one.step / one.line:.2f} times its floor ({secured} encryption; "
            f"aim: at most {_ASKED['floor']:g})."
        )
    if not results.floors:
        lines.append("The floor of a step: not measured.")
    if not results.commands:
        lines.append("From the command to the result: not measured.")
    for name, seconds in results.commands.items():
        lines.append(f"{name}: {seconds:.2f} s from the command to the result (aim: at most {_ASKED['command']:g} s).")
    lines += [_auto(results, network) for network in ("WAN", "localhost")]
    lines += [_whole(results, job, aim) for job, aim in (("B", 1.5), ("C", 0.06), ("D", 15.0), ("E", None))]
    lines += _operations(results)
    lines += _beside_plans(results)
    return "".join(f"- {line}\n" for line in lines)


def _beside_plans(results: Results) -> list[str]:
    """Whether what was counted is what was planned, and a comparison's rounds."""
    every = [*results.comparisons, *results.analyses]
    done = [one for one in every if not one.failure]
    if not done:
        return ["Comparisons and other kinds of jobs beside their plans: no figures."]
    other = [f"{one.key} ({one.network})" for one in done if not _as_planned(one)]
    said = f"all but {', '.join(other)}" if other else "all"
    missing = f"; {len(every) - len(done)} without figures" if len(done) < len(every) else ""
    lines = [f"Rounds and bytes of {len(done)} measurements beside their plans: {said} as planned, exactly{missing}."]
    lines += [
        f"Comparison of 1e5 values, {one.network}: {one.rounds:g} rounds (aim: at most 9), {ms(one.seconds)} ms."
        for one in results.comparisons
        if one.key == "less_than" and not one.failure
    ]
    return lines


def _as_planned(one: BesidePlan) -> bool:
    measured = (one.rounds, one.owner_bytes, one.helper_bytes)
    return measured == (one.planned_rounds, one.planned_owner_bytes, one.planned_helper_bytes)


def _beside_peers(results: Results, job: str, network: str, aim: int | None, aim_of_all: int | None) -> str:
    ours = _ours(results, job, network)
    if ours is None or not ours.step_seconds:
        return f"Job {job}, {network}: no figure of ours{_why(results, job, network)}."
    goal = f" (aim: at most {ms(_ASKED['step'])} ms)" if (job, network) == ("A", "localhost") else ""
    words = [f"Job {job}, {network}: {ms(ours.step_seconds)} ms a step with encryption{goal}"]
    kinds = ((True, f"with max \\|dw\\| below {ACCURATE:g}", aim), (False, "whatever its weights", aim_of_all))
    for accurate, name, factor in kinds:
        best = fastest(rivals(results, job, network, accurate=accurate))
        if best is None or not best.step_seconds:
            words.append(f"no figure of a peer {name}")
            continue
        found = best.step_seconds / ours.step_seconds
        asked = f"; aim: {factor}" if factor else ""
        words.append(f"{found:.1f} times the speed of the fastest peer {name} ({best.who}{asked})")
    return "; ".join(words) + "."


def _auto(results: Results, network: str) -> str:
    """solver = "auto" beside mini-batches that end at the same loss: the whole run after the handshake."""
    name = f'Job A, {network}, solver = "auto"'
    auto, sgd = _ours(results, "A", network, AUTO), _ours(results, "A", network, AS_FAR)
    if auto is None or sgd is None or not auto.online_seconds or not sgd.online_seconds:
        return f"{name}: no figures{_why(results, 'A', network, AUTO if auto is None else AS_FAR)}."
    goal = f"; aim: {_ASKED['auto']:g}" if network == "WAN" else ""
    return (
        f"{name} ({auto.note}): {_run(auto)}; sgd to the same loss ({sgd.steps:,} steps): {_run(sgd)}; "
        f"{sgd.online_seconds / auto.online_seconds:.1f} times as long{goal}."
    )


def _run(one: Training) -> str:
    return f"{one.online_seconds:.2f} s online, {one.all_rounds or 0:,} rounds, loss {one.log_loss or 0.0:.5f}"


def _whole(results: Results, job: str, aim: float | None) -> str:
    """All steps of a job, and all after the handshake."""
    one = _ours(results, job, "localhost")
    if one is None or not one.step_seconds or not one.online_seconds:
        return f"Job {job}, all its steps: no figure{_why(results, job, 'localhost')}."
    steps = one.steps * one.step_seconds
    goal = "" if aim is None else f"; aim: at most {_time(aim)} {'online' if job == 'B' else 'for the steps'}"
    memory = "" if one.peak_bytes is None else f"; the largest process held {size(one.peak_bytes)}"
    return (
        f"Job {job}: {one.steps:,} steps in {_time(steps)} with encryption, {_time(one.online_seconds)} online "
        f"(all after the handshake: sharing, X - A or Gram, steps, checks, w, metrics){goal}{memory}."
    )


def _time(seconds: float) -> str:
    return f"{ms(seconds)} ms" if seconds < 1 else f"{seconds:.2f} s"


def _ours(results: Results, job: str, network: str, variant: str = SGD) -> Training | None:
    """Our training of a job by one variant, over encrypted links."""
    return next((one for one in _lines(results, job, network, variant) if one.encrypted and not one.failure), None)


def _why(results: Results, job: str, network: str, variant: str = SGD) -> str:
    reasons = [one.failure for one in _lines(results, job, network, variant) if one.failure]
    reasons += [one.failure for one in results.trainings if one.job == job and one.who == OURS and one.failure]
    return f" ({clean(reasons[0])})" if reasons else ""


def _lines(results: Results, job: str, network: str, variant: str) -> list[Training]:
    who = f"{OURS}, {variant}"
    return [one for one in results.trainings if (one.job, one.network, one.who) == (job, network, who)]


def _operations(results: Results) -> list[str]:
    lines = []
    for operation in MICROS:
        found = [one for one in results.micros if one.operation == operation.key]
        ours = {one.encrypted: one for one in found if is_ours(one.who)}
        if operation.ours_only or not ours:
            continue
        theirs = [one for one in found if not is_ours(one.who) and one.seconds]
        words = [
            _like_for_like(
                "without encryption for both", ours.get(False), [one for one in theirs if not one.encrypted]
            ),
            _like_for_like("with encryption for both", ours.get(True), [one for one in theirs if one.encrypted]),
            _like_for_like("with it for us alone", ours.get(True), [one for one in theirs if not one.encrypted]),
        ]
        if operation.key == "sigmoid" and any(one.seconds for one in ours.values()):
            error = max(one.error or 0.0 for one in ours.values())
            words.append(f"largest error on [-30, 30] {small(error)} (aim: at most {_ASKED['sigmoid']:g})")
        lines.append(f"{operation.title}: {'; '.join(words)}.")
    return lines


def _like_for_like(how: str, one: Micro | None, theirs: list[Micro]) -> str:
    """Who is faster, in words, and by how much."""
    if one is None or not one.seconds:
        return f"{how}, no figure of ours{f' ({clean(one.failure)})' if one is not None and one.failure else ''}"
    best = min(theirs, key=lambda peer: peer.seconds or 0.0, default=None)
    if best is None or not best.seconds:
        return f"{how}, {ms(one.seconds)} ms and no figure of a peer"
    beside = f"{ms(one.seconds)} ms beside {ms(best.seconds)} ms of the fastest, {best.who}"
    if one.seconds < best.seconds:
        return f"{how}, we are faster than every peer: {best.seconds / one.seconds:.1f} times the speed ({beside})"
    return f"{how}, {best.who} is faster than we are: {one.seconds / best.seconds:.1f} times the speed ({beside})"
