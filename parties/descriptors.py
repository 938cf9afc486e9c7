"""Open files: a connection takes some, and a process may have only so many."""

from __future__ import annotations

import resource

from mpc.errors import UsageError

_BESIDES = 64  # what a process has open anyway


def allow_connections(count: int, each: int) -> None:
    """Raise this process's own limit of open files, so that so many connections of `each` descriptors fit.

    Raises:
        UsageError: the system's limit for it is lower; says which one to raise.
    """
    needed = count * each + _BESIDES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise UsageError(
            f"{count} connections in one process need {needed} open files, and {hard} is the limit",
            "raise it (ulimit -Hn, or nofile in /etc/security/limits.conf), or set more `processes` in [clients]",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
