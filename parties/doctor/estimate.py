"""A plan's needs on this machine and links: memory, disk, and the time on the wire at measured rates."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mpc.errors import DataError, UsageError
from mpc.randomness.correlation import kept_bytes
from mpc.randomness.dealing import WINDOW_BYTES, WINDOWS_AHEAD
from mpc.runtime.plan import Plan
from parties.base.memory import peak_memory
from parties.data.own_table import OwnTable
from parties.doctor.findings import Finding, finding_of, ok, problem, warning
from parties.doctor.links import LinkReport
from parties.doctor.peers import megabits
from parties.scenario.file import Scenario
from parties.show.blocks import count_text, short_bytes
from parties.tasks.registry import job_of, plan_for

DISK_NEEDED: Final = 50_000_000
"""Bytes; far more than a record, its report and its log take."""

# Measured with 400 to 80,000 rows and 100 to 3,000 columns: the peak of a party's process was below these.
_OWNER_AT_LEAST: Final = 130_000_000
_OWNER_PER_MASK: Final = 11  # bytes for each byte of the masks that are kept: the rows, X - A, and the limbs of both
_HELPER_AT_LEAST: Final = 75_000_000
_HELPER_PER_MASK: Final = 3.2


@dataclass(frozen=True)
class PlanEstimate:
    """A plan, and the assumptions that it was made with."""

    plan: Plan
    assumed: str


def estimate_plan(scenario: Scenario, table: OwnTable | None) -> PlanEstimate | Finding:
    """The plan, as far as this party can know it before it connects to the others."""
    job = job_of(scenario)
    extent = job.data.extent(scenario, table)
    features, known = extent.features, list(extent.rows.values())
    missing = [owner for owner in scenario.owners if owner not in extent.rows]
    if features is None and not all(job.data.pools(scenario, owner) for owner in scenario.owners):
        return warning(
            "what the run needs and how long it takes is not known here", "who holds a share of the model knows"
        )
    if features is None or not known:
        what = " and ".join(
            ([f"`features` in {'each [parties.NAME]' if extent.split else '[task]'}"] if features is None else [])
            + (["each owner's `rows`"] if missing else [])
        )
        return warning("what the run needs and how long it takes is not known here", f"state {what} in the scenario")
    most = max(known)
    rows = {owner: job.data.counts(scenario, extent.rows.get(owner, most)) for owner in scenario.owners}
    guesses = [f"{', '.join(missing)} had {count_text(most)} rows"] if missing else []
    if extent.assumption:
        guesses.append(extent.assumption)
    try:
        return PlanEstimate(plan_for(scenario, rows, features), f", as if {' and '.join(guesses)}" if guesses else "")
    except (DataError, UsageError) as error:
        return finding_of(error)


def check_memory(known: PlanEstimate, owner: bool) -> Finding:
    """Check this machine's memory against this party's part. Call it after the data were read."""
    needed = memory_needed(known.plan, owner)
    free = memory_free()
    text = f"memory: about {short_bytes(needed)} needed{known.assumed}"
    if free is None:
        return ok(text)
    if needed > free:
        hint = "give it more, or take part with fewer rows or columns; a process without memory is killed"
        return problem(f"{text}, but only {short_bytes(free)} can be had", hint)
    return ok(f"{text}; {short_bytes(free)} can be had")


def memory_needed(plan: Plan, owner: bool) -> float:
    """An estimate, rather too high, of a party's largest use of memory in bytes."""
    masks = sum(count * kept_bytes(kind) for kind, count in plan.counted_kinds)
    windows = (WINDOWS_AHEAD + 1) * max([WINDOW_BYTES, *plan.windows])
    if not owner:
        return _HELPER_AT_LEAST + _HELPER_PER_MASK * masks + windows
    reading = peak_memory()  # this process has read the data like a run
    return max(reading, _OWNER_AT_LEAST + _OWNER_PER_MASK * masks) + windows


def memory_free(meminfo: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes of memory that a process here could get, within the limits of its control group (service, container)."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
        free = int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        return None
    try:
        limit = int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
    except (OSError, ValueError):
        return free  # no such group, or "max": no limit
    return max(0, min(free, limit))


def check_disk(folder: Path) -> Finding:
    """Check that the record can be written where `mpc party` writes it by default."""
    where = folder if folder.exists() else Path()
    if not os.access(where, os.W_OK | os.X_OK):
        hint = "start it in a folder of your own, or name one with --out"
        return problem(f"records go to {folder}, where this user may not write", hint)
    free = shutil.disk_usage(where).free
    if free < DISK_NEEDED:
        return problem(f"disk: {short_bytes(free)} are free for records", f"make room for {short_bytes(DISK_NEEDED)}")
    return ok(f"disk: {short_bytes(free)} are free for records; one takes less than {short_bytes(DISK_NEEDED)}")


def check_time(known: PlanEstimate, seen: Iterable[LinkReport]) -> Iterator[Finding]:
    """The plan's time on links like the slowest measured one."""
    plan = known.plan
    cost = f"{count_text(len(plan.rounds))} rounds, {short_bytes(max(plan.bytes_sent.values()))} at most from one party"
    trips = [one.round_trip for one in seen if one.round_trip is not None]
    rates = [rate for one in seen for rate in (one.up, one.down) if rate]
    if not trips or not rates:
        hint = "run the doctors of all parties at the same time"
        yield warning(
            f"the run: {cost}{known.assumed}; how long that takes is not known, for no link was measured", hint
        )
        return
    trip, rate = max(trips), min(rates)
    links = f"{trip * 1000:.3g} ms round trip, {megabits(rate)}"
    seconds = plan.seconds(trip, rate)
    yield ok(f"the run: {cost}{known.assumed}; about {seconds:.2g} s on the wire ({links}), and computing on top")
