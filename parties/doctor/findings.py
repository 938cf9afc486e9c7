"""The findings of `mpc doctor`: what is well, what may go wrong, and what does not work, each with what to do."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from mpc.errors import BeaverlodgeError, UsageError, plain_text

Level = Literal["ok", "warning", "problem"]
Tell = Callable[["Finding"], None]

_INDENT = " " * 9


@dataclass(frozen=True)
class Finding:
    """One finding. `code` is a problem's exit code, `party` the peer that it is about."""

    level: Level
    text: str
    hint: str = ""
    code: int = 0
    party: str = ""

    @property
    def lines(self) -> list[str]:
        """The finding as printed, and below it what to do."""
        first = f"{self.level:<{len(_INDENT)}}{plain_text(self.text)}"
        return [first, *([f"{_INDENT}-> {plain_text(self.hint)}"] if self.hint else [])]


def ok(text: str) -> Finding:
    """A finding of what is as it should be."""
    return Finding("ok", text)


def warning(text: str, hint: str) -> Finding:
    """A finding of what works, but should be known or changed."""
    return Finding("warning", text, hint)


def problem(text: str, hint: str, code: int = UsageError.exit_code, party: str = "") -> Finding:
    """A finding of what will end a run, with the exit code that the run would have."""
    return Finding("problem", text, hint, code, party)


def finding_of(error: BeaverlodgeError) -> Finding:
    """An error as a problem."""
    return problem(error.message, error.hint, error.exit_code)


def first_code(findings: Iterable[Finding]) -> int:
    """The exit code: of the first problem, or 0."""
    return next((finding.code for finding in findings if finding.level == "problem"), 0)
