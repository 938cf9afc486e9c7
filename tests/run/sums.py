"""A small secure sum to run: three clients of their own, nine hosted ones, and what their columns add up to."""

from __future__ import annotations

from pathlib import Path

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
    """The scenario and its data in `folder`; client k has k rows, of age k and a stay of `cell` or 1.25."""
    own = ""
    for k in range(1, OWN + 1):
        rows = "".join(f"{k},{cell if k == 2 else 1.25}\n" for _ in range(k))
        (folder / f"c{k}.csv").write_text("age,stay\n" + rows)
        own += f'[parties.c{k}]\nrole = "client"\ndata = "c{k}.csv"\n\n'
    lines = [f"client_{k},{k},1.25\n" for k in range(1, HOSTED + 1) for _ in range(k)]
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
