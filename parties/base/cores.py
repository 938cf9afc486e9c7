"""Each owner's core, where all parties share a machine that has a core for each owner, but no more."""

from __future__ import annotations

import os


def keep_to_a_core(place: int, owners: int) -> None:
    """Keep this thread, and those that it starts, to one core, if there are too few for each owner to have two.

    In a round an owner's own thread and ZeroMQ's take turns. Left to the kernel, two owners often meet on one core
    while the other is idle, and a turn often wakes a core that sleeps.

    Args:
        place: this owner's place among the owners.
    """
    if not hasattr(os, "sched_setaffinity"):
        return
    cores = sorted(os.sched_getaffinity(0))
    if owners <= len(cores) < 2 * owners:
        os.sched_setaffinity(0, {cores[place]})
