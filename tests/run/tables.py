"""Tables that owners have, a scenario over them, and its parties by commands of their own, as on machines of theirs."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tests.run.apart import start, with_keys
from tests.run.command import ROOT, record

DATA = ROOT / "scenarios" / "data"
HOSPITALS = ("north", "east", "west")


def hips() -> pd.DataFrame:
    """The rows of the three hospitals, one after another's."""
    return pd.concat([pd.read_csv(DATA / f"hips_{name}.csv") for name in HOSPITALS], ignore_index=True)


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame], task: str, *, stated: bool = False) -> Path:
    """A scenario of owners with these tables, and a helper.

    Args:
        task: what stands in [task], and after it.
        stated: whether the scenario says how many rows each has.
    """
    text = 'schema = 1\nname = "small"\n'
    for name, rows in tables.items():
        rows.to_csv(folder / f"{name}.csv", index=False)
        count = f"rows = {len(rows)}\n" if stated else ""
        text += f'[parties.{name}]\nrole = "owner"\ndata = "{name}.csv"\n{count}'
    path = folder / "small.toml"
    path.write_text(f'{text}[parties.helper]\nrole = "helper"\n[task]\n{task}')
    return path


def each_by_a_command(folder: Path, scenario: Path, owners: Sequence[str] = HOSPITALS) -> dict[str, dict[str, Any]]:
    """A shipped scenario with keys and addresses, every party started by itself; each one's record."""
    path, names = folder / scenario.name, (*owners, "helper")
    shutil.copytree(DATA, folder / "data")
    path.write_text(with_keys(scenario.read_text(), folder / "keys", owners))
    runs = {name: start(path, name) for name in names}
    for name, run in runs.items():
        ran = run.end()
        assert ran.code == 0, (name, ran.err)
    return {name: record(folder / name) for name in names}
