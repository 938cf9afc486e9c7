"""Paths of a scenario: they must stay in the study's folder, which is the scenario's.

Others write the scenario, too. With a path of theirs to a private place of this user (`~/.config/autostart`), a run
would read or write there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from mpc.errors import UsageError

RECORDS: Final = Path("runs")
"""The default folder of records, relative to the current folder."""


def resolve_inside(folder: Path, name: str, what: str, hint: str, *, records: bool = False) -> Path:
    """A path of a scenario; refused unless it stays, links followed, in the study's folder and out of hidden files.

    Args:
        folder: the study's.
        what: the setting, for the message.
        hint: what to do where it leads elsewhere.
        records: whether it may lead to where this user's records go, too.

    Raises:
        UsageError: it leads elsewhere.
    """
    path = folder / name
    roots = [folder, *([RECORDS] if records else [])]
    try:
        leads = not any(_leads_to(path, root) for root in roots)
    except (OSError, ValueError, RuntimeError):  # a loop of links, a null character
        leads = True
    if leads or name.startswith("~"):
        where = f"the study's folder {folder}" + (f" and out of {RECORDS}" if records else "")
        raise UsageError(f"{what} = '{name}' leads out of {where}", hint)
    return path


def _leads_to(path: Path, root: Path) -> bool:
    """Whether a path is below the root, as it is written and with its links followed."""
    written = Path(os.path.normpath(path.absolute())), Path(os.path.normpath(root.absolute()))
    return all(_below(one, top) for one, top in (written, (path.resolve(), root.resolve())))


def _below(path: Path, root: Path) -> bool:
    if not path.is_relative_to(root):
        return False
    return not any(part.startswith(".") for part in path.relative_to(root).parts)
