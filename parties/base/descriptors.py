"""Open files: a connection takes some, and a process may have only so many."""

from __future__ import annotations

import resource

from mpc.errors import UsageError

_BESIDES = 64  # what a process has open anyway


def allow_connections(count: int, each: int, *, instead: str = "") -> None:
    """Raise this process's own limit of open files, so that so many connections of `each` descriptors fit.

    Args:
        instead: what else the user can do where the system's limit is too low.

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
            f"raise it (ulimit -Hn, or nofile in /etc/security/limits.conf){', or ' if instead else ''}{instead}",
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
