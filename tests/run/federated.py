"""A small study of federated learning among machines of their own: its scenario, keys, roster, approvals and data."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.ports import free_ports
from tests.run.sums import approve, write_roster

TEXT = """
schema = 1
name = "federated"
seed = 3

[parties.server]
role = "server"
address = "127.0.0.1:{port}"

{own}
[roster]
file = "roster.toml"
signed_by = "{admin}"

[task]
kind = "federated"
features = ["x", "z"]
target = "y"
rounds = {rounds}
batch_size = 4
min_cell = 3
corrupt = 0.0
dropout = 0.0
min_cohort = {least}
attempts = 3
standardise = true
range = [-5, 5]
{task}

[session]
connect_timeout = 30.0
deadline = 20.0
patience = 1.0
"""


def write_rows(path: Path, rows: int, seed: int) -> None:
    """A table of features x and z, and of a label y that follows x."""
    draw = np.random.default_rng(seed)
    x, z = draw.normal(size=(2, rows))
    y = draw.random(rows) < 1 / (1 + np.exp(-2 * x))
    path.write_text("x,z,y\n" + "".join(f"{a:.3f},{b:.3f},{int(c)}\n" for a, b, c in zip(x, z, y, strict=True)))


def write_federated(folder: Path, *, clients: int = 4, rounds: int = 5, least: int = 3, task: str = "") -> Path:
    """The study in a folder, ready for `tests.run.sums.party`."""
    names = [f"c{k}" for k in range(1, clients + 1)]
    admin = write_roster(folder, "server", *names)
    for k, name in enumerate(names):
        write_rows(folder / f"{name}.csv", 20 + k, k)
    own = "".join(f'[parties.{name}]\nrole = "client"\ndata = "{name}.csv"\n\n' for name in names)
    path = folder / "federated.toml"
    path.write_text(TEXT.format(port=free_ports(1)[0], own=own, admin=admin, rounds=rounds, least=least, task=task))
    approve(path, "server", *names)
    return path
