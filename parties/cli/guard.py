"""Every error of a command ends in one sentence and the design's exit code."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click

from mpc.errors import BeaverlodgeError, InterruptedRun, UsageError
from parties.base.bugs import as_error
from parties.cli.output import Output

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def guarded(command: Callable[[], Any], output: Output | None = None) -> int:
    """Run a command; return its exit code. `output` prints an error; without one it is text."""
    output = output or Output()
    try:
        code = command()
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        return UsageError.exit_code
    except click.ClickException as problem:
        return _report(output, _usage_error(problem))
    except click.Abort:
        return _report(output, InterruptedRun("interrupted"))
    except BrokenPipeError:
        _discard_output()
        return 0
    except OSError as problem:
        if problem.errno not in _NO_ROOM:
            return _report(output, as_error(problem))
        _discard_output()
        what = f"no room for what is written: {os.strerror(problem.errno or 0)}"
        return _report(output, UsageError(what.lower(), "make room, on the disk or wherever the output goes"))
    except (Exception, KeyboardInterrupt) as problem:
        return _report(output, as_error(problem))
    return code if isinstance(code, int) else 0


def _discard_output() -> None:
    """Discard the output that Python would write at exit: nobody reads it, or the disk is full."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(output: Output, error: BeaverlodgeError) -> int:
    output.error(error)
    return error.exit_code


def _usage_error(problem: click.ClickException) -> UsageError:
    """Click's error for a command line as an error of ours: one sentence, and where to look."""
    said = problem.format_message().strip().rstrip(".").replace(". Did you mean", "; did you mean")
    context = problem.ctx if isinstance(problem, click.UsageError) else None
    command = context.command_path if context is not None else "mpc"
    return UsageError(said[:1].lower() + said[1:], f"`{command} --help` says what it takes")
