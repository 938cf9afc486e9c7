"""A small secure sum to run: three clients of their own, nine hosted ones, and what their columns add up to."""

from __future__ import annotations

from pathlib import Path

from parties.tasks.registry import load_any
from parties.trust.consent import remember
from parties.trust.keys import generate
from parties.trust.roster import sign_roster
from tests.ports import free_ports
from tests.run.command import Running

OWN, HOSTED = 3, 9

TEXT = """
schema = 1
name = "sums"

[parties.server]
role = "server"

{own}
[clients]
count = {hosted}
processes = 1
data = "all.csv"
by = "who"

[task]
kind = "secure_sum"
columns = ["age", "stay"]
range = [-10, 120]
decimals = 2
most_rows = 50
dropout = 0.2
{task}

[session]
connect_timeout = {join}
deadline = {deadline}
"""


def write_sums(folder: Path, *, task: str = "", join: float = 50.0, deadline: float = 50.0, cell: str = "1.25") -> Path:
    """The scenario and its data in `folder`; client k has k rows, of ages 1, 3, 5, ... (k^2 in all) and a stay of
    `cell` or 1.25."""
    own = ""
    for k in range(1, OWN + 1):
        rows = "".join(f"{2 * row + 1},{cell if k == 2 else 1.25}\n" for row in range(k))
        (folder / f"c{k}.csv").write_text("age,stay\n" + rows)
        own += f'[parties.c{k}]\nrole = "client"\ndata = "c{k}.csv"\n\n'
    lines = [f"client_{k},{2 * row + 1},1.25\n" for k in range(1, HOSTED + 1) for row in range(k)]
    (folder / "all.csv").write_text("who,age,stay\n" + "".join(reversed(lines)))
    path = folder / "sums.toml"
    path.write_text(TEXT.format(own=own, hosted=HOSTED, task=task, join=join, deadline=deadline))
    return path


def expected(*without: int) -> dict[str, dict[str, float]]:
    """Count, sum and mean of all clients but some of those with a process of their own."""
    sizes = [k for k in range(1, OWN + 1) if k not in without] + list(range(1, HOSTED + 1))
    count, ages = sum(sizes), sum(k * k for k in sizes)
    stays = 1.25 * count
    return {
        "age": {"count": count, "sum": float(ages), "mean": ages / count},
        "stay": {"count": count, "sum": stays, "mean": 1.25},
    }


def write_rounds(folder: Path) -> Path:
    """Two rounds, each of rows of its own: every stay is 1 in the first, and 2 in the second."""
    path = write_sums(folder, task="rounds = 2\nattempts = 2")
    text = path.read_text()
    for name in ("c1", "c2", "c3", "all"):
        text = text.replace(f"{name}.csv", f"{name}_{{round}}.csv")
        for place in (1, 2):
            rows = (folder / f"{name}.csv").read_text().replace("1.25", f"{place}")
            (folder / f"{name}_{place}.csv").write_text(rows)
    path.write_text(text)
    return path


SEPARATE = """
schema = 1
name = "apart"

[parties.server]
role = "server"
address = "127.0.0.1:{port}"

{own}
[roster]
file = "roster.toml"
signed_by = "{admin}"

[task]
kind = "secure_sum"
columns = ["age", "stay"]
range = [-10, 120]
decimals = 2
most_rows = 50
corrupt = 0.0
min_cohort = 3
{task}

[session]
connect_timeout = 40.0
deadline = 20.0
patience = 1.0
"""


def write_separate(folder: Path, clients: int = 4, *, task: str = "", helper: bool = False) -> Path:
    """A scenario for machines of their own, here on ports of this one: keys, a roster that `admin` signed, and
    approvals of all; client k has k rows, of age k and a stay of 1.25."""
    names = [f"c{k}" for k in range(1, clients + 1)]
    parties = ("server", *names, *(["judge"] if helper else []))
    admin = write_roster(folder, *parties)
    for k, name in enumerate(names, start=1):
        (folder / f"{name}.csv").write_text("age,stay\n" + f"{k},1.25\n" * k)
    own = "".join(f'[parties.{name}]\nrole = "client"\ndata = "{name}.csv"\n\n' for name in names)
    path = folder / "apart.toml"
    path.write_text(SEPARATE.format(port=free_ports(1)[0], own=own, admin=admin, task=task))
    if helper:
        with_helper(path, before="[roster]")
    approve(path, *parties)
    return path


def write_roster(folder: Path, *names: str) -> str:
    """Keys of these parties, and a roster of them that `admin` signed, whose public key is returned."""
    _, admin = generate("admin", folder / "office")
    entries = "".join(f'[parties.{name}]\npublic_key = "{generate(name, folder / "keys")[1]}"\n' for name in names)
    (folder / "roster.toml").write_text("schema = 1\n" + entries)
    sign_roster(folder / "roster.toml", "admin", folder / "office")
    return admin


def approve(path: Path, *names: str) -> None:
    """The scenario, as it is now, is approved by these parties."""
    scenario = load_any(path)
    for name in names:
        remember(scenario, name, path.parent / "keys")


def party(path: Path, name: str, out: str = "out") -> Running:
    """`mpc party` of one of them."""
    folder = path.parent
    return Running("party", path, "--as", name, "--keys", folder / "keys", "--out", folder / out / name)


def with_helper(path: Path, *, before: str = "[clients]") -> Path:
    """The same with a helper, `judge`, which the scenario names before that line."""
    path.write_text(path.read_text().replace(before, f'[parties.judge]\nrole = "helper"\n\n{before}', 1))
    return path
