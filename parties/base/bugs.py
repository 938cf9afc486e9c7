"""Exceptions that are no `BeaverlodgeError`: Ctrl-C and bugs, which end in one sentence and the right exit code; and
what the system refuses.
"""

from __future__ import annotations

import traceback

from mpc.errors import BeaverlodgeError, InternalError, InterruptedRun


def as_error(problem: BaseException) -> BeaverlodgeError:
    """The error to end with. A bug's error names its kind and place, not its message, which could hold data."""
    if isinstance(problem, BeaverlodgeError):
        return problem
    if isinstance(problem, KeyboardInterrupt):
        return InterruptedRun("interrupted", "start it again from the beginning")
    *_, last = traceback.extract_tb(problem.__traceback__)
    place = f"{last.filename.rpartition('/')[2]}:{last.lineno}"
    return InternalError(f"a bug: {type(problem).__name__} at {place}", "please report this line; it holds no data")


def reason_of(problem: OSError | ValueError) -> str:
    """Why something cannot be read or written, as the system says it, in small letters."""
    said = problem.strerror if isinstance(problem, OSError) else None
    return (said or str(problem) or "unknown reason").lower()
