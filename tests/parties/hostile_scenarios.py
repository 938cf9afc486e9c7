"""Scenarios as a malicious partner might write them: a table, one entry for each place where a file's text is used.

Each is a change of a scenario for three machines that is otherwise well. What `mpc party` of hospital_a makes of it:
how it ends and what it says without an approval, what of it consent shows, and how it ends once it was approved. Those
of secure sums are in `hostile_sums.py`, those of federated learning in `hostile_federated.py`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ASKED: Final = "has not approved the scenario"
KEY: Final = "keys/hospital_a.key"


@dataclass(frozen=True)
class Hostile:
    """One scenario.

    Args:
        what: in a few words.
        changes: pairs of old text and new; `{folder}` is the study's folder, `{home}` one outside it, `{me}` who is
            asked.
        ends: the exit code without an approval, and what is said.
        shows: what consent shows.
        approved: the exit code and what is said when it was approved; None if it cannot be, or waits for its peers.
        me: who is asked.
        study: whose study is changed, where it is not that of `me` in the test.
    """

    what: str
    changes: tuple[tuple[str, str], ...]
    ends: tuple[int, str] = (2, ASKED)
    shows: tuple[str, ...] = ()
    approved: tuple[int, str] | None = None
    me: str = "hospital_a"
    study: str = ""

    def text(self, text: str, folder: Path, home: Path) -> str:
        """The scenario with its changes."""
        for old, new in self.changes:
            assert old in text, (self.what, old)
            new = new.replace("{folder}", str(folder)).replace("{home}", str(home)).replace("{me}", self.me)
            text = text.replace(old, new, 1)
        return text


DATA: Final = 'data = "hospital_a.csv"'
TASK: Final = "[task]\n"
ADDRESS: Final = 'address = "127.0.0.1:'
TOP: Final = "schema = 1\n"
LIST: Final = "[parties.helper]\n"
REVEAL: Final = 'target = "outcome"'
RATE: Final = "learning_rate = 0.5"
WHOLE: Final = (
    '[task]\nkind = "logistic_regression"\ntarget = "outcome"\nid = "patient"\nepochs = 3\nbatch_size = 32\n'
    "learning_rate = 0.5\n"
)


def data(what: str, value: str, ends: tuple[int, str], approved: tuple[int, str] | None = None) -> Hostile:
    """A path of data."""
    return Hostile(what, ((DATA, f"data = {value}"),), ends, approved=approved)


def sql(what: str, query: str, shows: tuple[str, ...], says: str, code: int = 3) -> Hostile:
    """A query: shown line by line, and refused when it runs."""
    changed = f"data = {{ database = 'x.duckdb', sql = '''{query}''' }}"
    return Hostile(what, ((DATA, changed),), shows=shows, approved=(code, says))


def number(what: str, table: str, line: str, says: str) -> Hostile:
    """A number out of its bounds: refused as the file is read."""
    new = f"{line}\n{table}" if line.startswith("[") else f"{table}{line}\n"
    return Hostile(what, ((table, new),), (2, says))


def statistics(what: str, lines: str, ends: tuple[int, str] = (2, ASKED), shows: tuple[str, ...] = ()) -> Hostile:
    """Another kind of task."""
    return Hostile(what, ((WHOLE, f'[task]\nkind = "statistics"\n{lines}\n'),), ends, shows)


def model(what: str, path: str, says: str = "leads out of the study's folder") -> Hostile:
    """Where a share is written."""
    changes = ((DATA, f"{DATA}\nmodel = {path}"), (REVEAL, f'reveal = ["metrics"]\n{REVEAL}'))
    return Hostile(what, changes, (2, says))


def roster(what: str, path: str, says: str) -> Hostile:
    """Where the keys are from."""
    return Hostile(what, ((LIST, f'[roster]\nfile = {path}\nsigned_by = "bl1-x"\n{LIST}'),), (2, says))


OUT: Final = (2, "leads out of the study's folder")
BEYOND: Final = "the sql reaches for something outside its database"
ONE: Final = "the sql is not one select statement"

PLACES: Final[dict[str, tuple[str, tuple[int, str], tuple[int, str] | None]]] = {
    "an absolute path": ("{home}/secret.csv", OUT, None),
    "a path to the folder above": ("../secret.csv", OUT, None),
    "a path up and down again": ("a/b/../../../secret.csv", OUT, None),
    "a home folder": ("~/secret.csv", OUT, None),
    "a hidden folder": (".ssh/id_rsa", OUT, None),
    "a link that leads out": ("link.csv", OUT, None),
    "a folder that leads out": ("away/secret.csv", OUT, None),
    "a device": ("/dev/zero", OUT, None),
    "a null character": ("a\\u0000.csv", OUT, None),
    "a pipe, whose reader waits": ("pipe.csv", (2, ASKED), (3, "a pipe or a device")),
    "a party's key": ("keys/{me}.key", (2, ASKED), (3, "a file ending in '.key' cannot be read")),
    "all files that match": ("*.csv", (2, ASKED), (3, "there is no file")),
    "an address": ("http://127.0.0.1:9/x.csv", (2, ASKED), (3, "nothing is fetched from the network")),
    "a bucket": ("s3://bucket/x.parquet", (2, ASKED), (3, "nothing is fetched from the network")),
    "an escape sequence": ("a\\u001b[2K.csv", (2, ASKED), (3, "there is no file")),
}
"""Where data might be read: how it ends without an approval, and with one."""

SCENARIOS: Final = (
    # Paths of data.
    *(data(what, f'"{path}"', ends, approved) for what, (path, ends, approved) in PLACES.items()),
    data(
        "a database of another maker",
        '{ database = "sqlite:x", sql = "select 1" }',
        (2, ASKED),
        (3, "there is no file"),
    ),
    data("a database elsewhere", '{ database = "{home}/x.duckdb", sql = "select 1" }', OUT),
    # Queries.
    sql("a key's letters", f"select * from read_text('{KEY}')", ("read_text",), BEYOND),
    sql(
        "behind a comment",
        "select * from p -- plain\n\n\nunion all select * from read_text('k')",
        ("4 | union all",),
        BEYOND,
    ),
    sql("behind blanks", f"select * from p{' ' * 200}, read_blob('k')", ("read_blob",), BEYOND),
    sql("all files", "select * from glob('/*')", ("glob",), BEYOND),
    sql("a file as a table", "select * from '/etc/passwd'", ("/etc/passwd",), "the sql failed"),
    sql("an address as a table", "select * from 'http://127.0.0.1:9/x.csv'", ("127.0.0.1:9",), BEYOND),
    sql("a query in a query", "select * from query('from read_text(''k'')')", ("read_text",), BEYOND),
    sql("a view of a file", "select * from v", ("select * from v",), BEYOND),
    sql("a copy", "copy p to 'out.csv'", ("copy p",), ONE),
    sql("another database", "attach 'other.duckdb' as o", ("attach",), ONE),
    sql("an extension", "install httpfs", ("install httpfs",), ONE),
    sql("a setting", "set enable_external_access = true", ("set enable",), ONE),
    sql("two statements", "select 1; select 2", ("select 1; select 2",), ONE),
    sql("the environment", "select getenv('HOME')", ("getenv",), "the sql failed"),
    sql("memory", "select repeat('x', 4000000000) as a", ("4000000000",), "the sql needs more than 2 GiB"),
    # Keys.
    roster("a roster elsewhere", '"{home}/roster.toml"', "leads out of the study's folder"),
    roster("a roster above", '"../roster.toml"', "leads out of the study's folder"),
    roster("a roster of a device", '"/dev/zero"', "leads out of the study's folder"),
    roster("a roster that is a pipe", '"pipe.csv"', "it is a pipe or a device"),
    roster("a roster that is none", f'"{KEY}"', "signed_by is no public key|there is no signature|is not"),
    # Where shares go.
    model("a share among what starts by itself", '"{home}/.config/autostart/x.share"'),
    model("a share above", '"../x.share"'),
    model("a share in a home folder", '"~/x.share"'),
    model("a share in a hidden folder", '".config/x.share"'),
    model("a share through a link", '"away/x.share"'),
    # Names.
    Hostile("a scenario's name that is a path", (('name = "small"', 'name = "../../x"'),), (2, "name must be letters")),
    Hostile("a scenario's name that moves the cursor", (('"small"', '"a\\u001b[2J"'),), (2, "name must be letters")),
    Hostile("a party's name that is a path", ((LIST, '[parties."../x"]\n'),), (2, "cannot be a party's name")),
    Hostile("a party's name with a line break", ((LIST, '[parties."a\\nb"]\n'),), (2, "cannot be a party's name")),
    Hostile(
        "a target that moves the cursor",
        (('"outcome"', '"a\\u001b[2Jb"'),),
        shows=(r"a\x1b[2Jb",),
        approved=(3, r"a\x1b[2Jb"),
    ),
    Hostile(
        "a target with another line",
        (('"outcome"', '"a\\nhospital_a: approved"'),),
        shows=(r"a\nhospital_a: approved",),
    ),
    Hostile("an id that reads backwards", (('"patient"', '"\\u202Etneitap"'),), shows=(r"\u202etneitap",)),
    Hostile(
        "features of SQL", ((TASK, f'{TASK}features = ["a\'; drop table x; --"]\n'),), approved=(3, "drop table x")
    ),
    Hostile(
        "products of a hundred columns",
        ((TASK, f'{TASK}features = ["{":".join(f"c{k}" for k in range(100))}"]\n'),),
        approved=(3, "c0"),
    ),
    Hostile(
        "settings of another version", ((TASK, f"{TASK}__class__ = 1\n"),), (2, "[task] has no setting '__class__'")
    ),
    # Numbers.
    number("steps without end", TASK, "epochs_ = 1", "did you mean 'epochs'"),
    number(
        "a number of a hundred thousand digits", TASK, "momentum = " + "9" * 100_000, "a number has too many digits"
    ),
    number("a huge number", TASK, "iterations = 0x" + "f" * 100_000, "not a huge number"),
    number("not a number", TASK, "l2 = nan", "l2 must be a number from 0 to 1000000, not nan"),
    number("infinity", TASK, "test_fraction = inf", "test_fraction must be a number from 0 to 0.9, not inf"),
    Hostile("a rate without end", ((RATE, "learning_rate = 1e300"),), (2, "a number above 0 and up to 1000000")),
    Hostile("a rate beyond the ring", ((RATE, "learning_rate = 1e6"),), shows=("1000000",)),
    Hostile("a rate of nothing", ((RATE, "learning_rate = 5e-324"),), shows=("5e-324",)),
    number("a penalty without end", TASK, "l2 = 1e300", "l2 must be a number from 0 to 1000000, not 1e+300"),
    number("a class that counts for all", TASK, "class_weights = [1e-300, 1.0]", "two numbers from 0.000001"),
    number("a row of every patient there is", LIST.replace("helper", "hospital_b"), f"rows = {2**31}", "rows must be"),
    Hostile("a seed beyond its bits", (("seed = 3", f"seed = {2**63}"),), (2, "seed must be a whole number from 0 to")),
    number("a momentum that grows", TASK, "momentum = 1.5", "momentum must be a number from 0 to 0.99"),
    statistics(
        "a grid of endless points",
        'columns = ["age"]\nquantiles = [0.5]\n[task.grid]\nage = { from = 0, to = 1, step = 1e-300 }',
        (2, "step must be a number from 2^-40 to 2^40"),
    ),
    statistics(
        "a grid of a million million points",
        'columns = ["age"]\nquantiles = [0.5]\n[task.grid]\nage = { from = 0, to = 1000, step = 1e-9 }',
        (2, "1000000 are the most"),
    ),
    statistics(
        "edges out of reach",
        "[task.histograms]\nage = [-1e300, 1e300]",
        (2, "from -2^40 to 2^40"),
    ),
    statistics(
        "a thousand million cells",
        'tables = [["a", "b"]]\n[task.categories]\n'
        + "\n".join(f"{name} = {json.dumps([str(k) for k in range(30_000)])}" for name in "ab"),
        (2, "has 900000000 cells, and 4096 are the most"),
    ),
    statistics(
        "groups of groups",
        f'columns = ["age"]\nby = "a"\n[task.histograms]\nage = {list(range(999))}\n[task.categories]\n'
        + f"a = {json.dumps([str(k) for k in range(999)])}",
        (2, "[task] asks for 999999 cells"),
    ),
    number("a range without end", TASK, "sigmoid_range = 1e300", "sigmoid_range must be"),
    number("rows below zero", LIST.replace("helper", "hospital_b"), "rows = -1", "rows must be a whole number from 1"),
    number(
        "a wait for ever",
        LIST,
        "[session]\ndeadline = 1e300",
        "deadline must be a number of seconds above 0, up to 1000000",
    ),
    number(
        "a link to the moon",
        LIST,
        "[network]\nlatency_ms = 1e300",
        "latency_ms must be a number of milliseconds from 0",
    ),
    Hostile("steps for a year", (("epochs = 3", "epochs = 2147483647"),), shows=("epochs", "2147483647")),
    # Addresses.
    Hostile("an address of a file", ((ADDRESS, 'address = "ipc:///tmp/x:'),), (2, "address must be")),
    Hostile("an address with a command", ((ADDRESS, 'address = "$(reboot):'),), (2, "address must be")),
    Hostile("an address with spaces", ((ADDRESS, 'address = "a b:'),), (2, "address must be")),
    Hostile("a name to look up", ((ADDRESS, 'address = "leak.invalid:'),), shows=("leak.invalid:",)),
    # The file itself.
    Hostile("a file without end", ((TOP, f"{TOP}# {'x' * 2**20}\n"),), (2, "it is longer than 1,048,576 bytes")),
    Hostile(
        "a key of twenty thousand parts",
        ((TASK, f"[{'.'.join('a' * 20_000)}]\n{TASK}"),),
        (2, "a key has more than 32 parts"),
    ),
    Hostile(
        "twenty thousand keys",
        ((TASK, "".join(f"a.b{k} = 1\n" for k in range(20_000)) + TASK),),
        (2, "more than 10,000 settings"),
    ),
    Hostile("lists in lists", ((TASK, f"x = {'[' * 50_000}{']' * 50_000}\n{TASK}"),), (2, "nested too deeply")),
    Hostile(
        "a hundred parties",
        ((LIST, "".join(f'[parties.p{k}]\nrole = "owner"\n' for k in range(100)) + LIST),),
        (2, "at most 64 can take part"),
    ),
    # What makes nothing secret.
    Hostile("a seed that all know", ((LIST, f"[testing]\ninsecure_seed = 1\n{LIST}"),), (2, "insecure_seed")),
)
