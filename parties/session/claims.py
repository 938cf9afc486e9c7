"""Checks of the owners' claims about their data: they match the scenario, and fit into this machine's memory.

They come before the plan, and a peer may have made the numbers up: nothing here takes memory in proportion to them.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mpc.errors import DisagreementError
from parties.scenario.file import Scenario
from parties.scenario.models import LARGEST_COUNT
from parties.show.blocks import count_text, short_bytes
from parties.tasks.registry import job_of
from parties.tasks.rows.extent import Rows

_WORD: Final = 8  # bytes
_AT_AN_OWNER, _AT_THE_HELPER = 4, 2  # copies of all owners' numbers together, while they are masked and opened
_CGROUPS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def check_claims(scenario: Scenario, me: str, rows: Rows, columns: int) -> None:
    """Refuse claims that cannot be true, or that this machine cannot hold.

    Args:
        rows: each owner's claim of its numbers of rows.
        columns: how many columns the owners share, or have together.

    Raises:
        DisagreementError: an owner has other rows than the scenario states or splits them otherwise, or so many that
            this machine has not the memory to compute with them.
    """
    for owner in scenario.owners:
        _check_owner(scenario, owner, rows[owner])
    _check_memory(scenario, me, rows, columns)


def _check_owner(scenario: Scenario, owner: str, rows: tuple[int, int]) -> None:
    count, stated = sum(rows), scenario.parties[owner].rows
    if stated is not None and count != stated:
        raise DisagreementError(
            f"{owner} has {count_text(count)} rows, but the scenario states rows = {stated}",
            f"ask {owner} which data it uses; if they are the right ones, correct `rows` in every party's copy",
            party=owner,
        )
    if count > LARGEST_COUNT:
        raise DisagreementError(
            f"{owner} says that it has {count_text(count)} rows, and at most {count_text(LARGEST_COUNT)} can be",
            f"ask {owner} which data it uses",
            party=owner,
        )
    if rows != job_of(scenario).data.counts(scenario, count):
        raise DisagreementError(
            f"{owner} splits its {count_text(count)} rows otherwise than the scenario says",
            "install the same version everywhere",
            party=owner,
        )


def _check_memory(scenario: Scenario, me: str, rows: Rows, columns: int) -> None:
    copies = _AT_THE_HELPER if me == scenario.helper else _AT_AN_OWNER
    needed = job_of(scenario).run.pooled(scenario, rows, columns) * _WORD * copies
    here = memory_limit()
    if needed <= here:
        return
    counts = {owner: sum(pair) for owner, pair in rows.items()}
    most = max(counts, key=lambda owner: counts[owner])
    alone = counts[most] > sum(counts.values()) - counts[most]
    said = ", ".join(f"{owner} {count_text(count)}" for owner, count in counts.items())
    whose = f"{most} says that it has {count_text(counts[most])} rows" if alone else f"the owners have rows: {said}"
    raise DisagreementError(
        f"{whose}; with {count_text(columns)} columns they take about {short_bytes(needed)} of memory, and {me} can "
        f"have {short_bytes(here)}",
        f"ask {most} which data it uses, and state every owner's `rows`; or run {me} where there is more memory",
        party=most if alone else None,
    )


def memory_limit() -> int:
    """The memory in bytes that this process can have at most."""
    return min(_limits())


def _limits() -> Iterator[int]:
    yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            yield limit
    for name in _CGROUPS:
        try:
            yield int(Path(name).read_text())
        except (OSError, ValueError):  # there is none, or it says "max"
            continue
