"""Where the paths of a scenario may lead: into the study's folder, which is the scenario's.

Others wrote the scenario, or had a hand in it. A path of theirs to a place of this user's own (`~/.config/autostart`)
would have a run read or write there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from mpc.errors import UsageError

RECORDS: Final = Path("runs")
"""Where records go by default, seen from the folder that a command is started in."""


def resolve_inside(folder: Path, name: str, what: str, hint: str, *, records: bool = False) -> Path:
    """A path of a scenario, if it stays in the study's folder, links followed, and out of hidden files and folders.

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
