"""Secure sums as a malicious partner might write them: a table as in `hostile_scenarios.py`, for server and client."""

from __future__ import annotations

from typing import Final

from tests.parties.hostile_scenarios import ASKED, OUT, PLACES, TOP, Hostile

DATA: Final = 'data = "c1.csv"'
TASK: Final = 'kind = "secure_sum"\n'
RANGE: Final = "range = [-10, 120]"
PARTY: Final = "[parties.c1]"
COLUMNS: Final = 'columns = ["age", "stay"]'
ROSTER: Final = 'file = "roster.toml"'
ADDRESS: Final = 'address = "127.0.0.1:'
SESSION: Final = "[session]\n"
CLIENTS: Final = "[roster]\n"

ALONE: Final = (4, "did not")
"""How one ends that was approved and found nothing to refuse: no server answers."""


def client(what: str, changes: tuple[tuple[str, str], ...], *ends: tuple[int, str], shows: str = "") -> Hostile:
    """A change that concerns a client: how it ends, and how where it was approved."""
    first, *approved = ends or ((2, ASKED),)
    return Hostile(what, changes, first, (shows,) if shows else (), approved[0] if approved else None, "c1")


def task(what: str, line: str, says: str) -> Hostile:
    """A setting of the task that is refused."""
    return client(what, ((TASK, f"{TASK}{line}\n"),), (2, says))


def both(one: Hostile) -> tuple[Hostile, Hostile]:
    """The same for the server, which has no data."""
    server = Hostile(f"{one.what}, to the server", one.changes, one.ends, one.shows, None, "server")
    return one, server


def hosted(lines: str) -> tuple[tuple[str, str], ...]:
    """Clients that are hosted."""
    return ((CLIENTS, f"[clients]\n{lines}\n{CLIENTS}"),)


def shown(path: str, ends: tuple[int, str]) -> str:
    """What consent shows of a path that is not refused."""
    return path.replace("{me}", "c1").replace(r"\u001b", r"\x1b") if ends[1] == ASKED else ""


SUMS: Final = (
    # Paths.
    *(
        client(
            f"of a sum, {what}", ((DATA, f'data = "{path}"'),), *filter(None, (ends, approved)), shows=shown(path, ends)
        )
        for what, (path, ends, approved) in PLACES.items()
        if "bucket" not in path
    ),
    client("a sum over a query", ((DATA, 'data = { database = "x.duckdb", sql = "select 1" }'),), (2, "data must be")),
    client(
        "a round's place in a path that leads out",
        (
            (TASK, f"{TASK}rounds = 2\n"),
            *((f'data = "c{k}.csv"', f'data = "../c{k}_{{round}}.csv"') for k in range(1, 5)),
        ),
        OUT,
    ),
    *both(client("a roster of a sum elsewhere", ((ROSTER, 'file = "{home}/roster.toml"'),), OUT)),
    *both(client("a roster of a sum above", ((ROSTER, 'file = "../roster.toml"'),), OUT)),
    *both(
        client("a roster of a sum that is a pipe", ((ROSTER, 'file = "pipe.csv"'),), (2, "it is a pipe or a device"))
    ),
    # Names.
    *both(client("a client whose name is a path", ((PARTY, '[parties."../x"]'),), (2, "cannot be a party's name"))),
    *both(client("a client of two lines", ((PARTY, '[parties."a\\nb"]'),), (2, "cannot be a party's name"))),
    client("a client's name of wide letters", ((PARTY, '[parties."\uff41"]'),), (2, "cannot be a party's name")),
    client(
        "a client's name of five thousand letters", ((PARTY, f"[parties.{'c' * 5000}]"),), (2, "cannot be a party's")
    ),
    client(
        "a client that is a hosted one",
        ((PARTY, "[parties.client_1]"), *hosted('count = 9\ndata = "{client}.csv"')),
        (2, "a party has the name of a hosted client"),
    ),
    *both(client("a column that moves the cursor", ((COLUMNS, 'columns = ["a\\u001b[2Jb"]'),), shows=r"a\x1b[2Jb")),
    *both(
        client("a column with another line", ((COLUMNS, 'columns = ["a\\nc1: approved"]'),), shows=r"a\nc1: approved")
    ),
    client(
        "a weight that moves the cursor",
        ((TASK, f'{TASK}weight = "\\u001b[1m"\nlargest_weight = 2\n'),),
        shows=r"\x1b[1m",
    ),
    client(
        "a column of SQL",
        ((COLUMNS, 'columns = ["a\'; drop table x; --"]'),),
        (2, ASKED),
        (3, "drop table x"),
        shows="drop table x",
    ),
    # Numbers.
    *both(client("a range of all there is", ((RANGE, "range = [-1e308, 1e308]"),), (2, "from -2^40 to 2^40"))),
    client("a range of no numbers", ((RANGE, "range = [nan, inf]"),), (2, "from -2^40 to 2^40")),
    client(
        "a range of too many bits",
        ((RANGE, f"range = [0, {2**40}]"), ("most_rows = 50", f"most_rows = {2**31 - 1}")),
        (2, "narrow `range`"),
    ),
    task("a weight of too many bits", f'weight = "w"\nlargest_weight = {2**31 - 1}\nrounds = 1001', "rounds must be"),
    task("as many decimals as one likes", "decimals_ = 400", "did you mean 'decimals'"),
    client("a cohort of more than all", (("min_cohort = 3", f"min_cohort = {2**31}"),), (2, "min_cohort must be")),
    client("a cohort of more clients", (("min_cohort = 3", "min_cohort = 5"),), (2, "and there are 4 clients")),
    task("neighbours of more than all", f"neighbours = {2**31 - 1}", "there is no graph of 4 clients"),
    task("a threshold of more than all", f"threshold = {2**31 - 1}", "fits no number of neighbours"),
    task("more dropping out than there are", "dropout = 1e300", "dropout must be a number from 0 to 0.45"),
    task("attempts without end", "attempts = 1000000", "attempts must be a whole number from 1 to 10"),
    task("cells of one", "min_cell = 1", "min_cell must be"),
    client("clients without end", hosted(f'count = {2**62}\ndata = "{{client}}.csv"'), (2, "from 1 to 1000000")),
    client("processes without end", hosted('count = 9\nprocesses = 10000\ndata = "{client}.csv"'), (2, "from 0 to 64")),
    client("a wait of a sum for ever", ((SESSION, f"{SESSION}deadline_ = 1\n"),), (2, "did you mean 'deadline'")),
    client("a deadline of a sum for ever", (("deadline = 20.0", "deadline = 1e300"),), (2, "up to 1000000")),
    # What would have somebody else listen, or act, or know.
    client("a client that listens", ((PARTY, f'{PARTY}\naddress = "0.0.0.0:9"'),), (2, "a client listens nowhere")),
    client("a server with data", (("[parties.server]", '[parties.server]\ndata = "/etc/passwd"'),), (2, "has data")),
    *both(client("an address of a sum with a command", ((ADDRESS, 'address = "$(reboot):'),), (2, "address must be"))),
    *both(client("an address of a sum of a file", ((ADDRESS, 'address = "ipc:///tmp/x:'),), (2, "address must be"))),
    *both(client("a server's name to look up", ((ADDRESS, 'address = "leak.invalid:'),), shows="leak.invalid:")),
    client(
        "two servers",
        (('[parties.c2]\nrole = "client"\ndata = "c2.csv"', '[parties.c2]\nrole = "server"'),),
        (2, "more than one server"),
    ),
    client("a server that lies and its own roster", ((TASK, f'{TASK}server = "any"\n'),), (2, "semi-honest")),
    client(
        "a test's seed for a sum",
        ((SESSION, f"[testing]\ninsecure_seed = 1\n{SESSION}"),),
        (2, "the top of the file has no setting 'testing'"),
    ),
    client("a seed for a sum", ((TOP, f"{TOP}seed = 7\n"),), (2, "has no setting 'seed'")),
    client(
        "a sum in a file without end", ((TOP, f"{TOP}# {'x' * 2**20}\n"),), (2, "it is longer than 1,048,576 bytes")
    ),
    client(
        "a sum of twenty thousand columns",
        ((COLUMNS, "columns = [" + ", ".join(f'"c{k}"' for k in range(20_000)) + "]"),),
        shows="c19999",
    ),
)
