"""The limit of open files: each connection takes some."""

from __future__ import annotations

import resource

from mpc.errors import UsageError

_BESIDES = 64  # open in any process


def allow_connections(count: int, each: int, *, instead: str = "") -> None:
    """Raise this process's own limit of open files, so that `count` connections of `each` descriptors fit.

    Args:
        instead: what else the user can do where the system's limit is too low.

    Raises:
        UsageError: the system's hard limit is lower; the hint says which one to raise.
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
