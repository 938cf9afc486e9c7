"""Imports point down only, between packages and between rooms, and what has effects stays where it belongs.

The walk reads the source (`ast`), so it sees imports inside functions and under TYPE_CHECKING too.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("mpc", "protocols", "parties")
KIND_ROOMS = tuple(sorted(f"tasks.{page.parent.name}" for page in (ROOT / "parties" / "tasks").glob("*/kind.py")))

# What a package may not import, whole modules with all inside them.
FORBIDDEN = {
    "mpc": {"protocols", "parties", "click", "rich", "duckdb", "random", "numpy.random"},
    "protocols": {
        *("parties", "zmq", "click", "rich", "duckdb", "pydantic"),
        *("time", "datetime", "os", "io", "pathlib", "shutil", "tempfile", "sys"),
        *("socket", "select", "ssl", "asyncio", "threading", "multiprocessing", "subprocess", "concurrent"),
        *("random", "secrets", "uuid", "numpy.random"),
    },
    "parties": set(),
}
# The rooms of a package from the ground up. A room imports itself and what stands before it; those in one pair of
# parentheses are siblings, of which none imports another. A room is a folder, or a file at the package's top.
ROOMS: dict[str, tuple[tuple[str, ...], ...]] = {
    "mpc": (
        ("errors",),
        ("ring",),
        ("sharing",),
        ("randomness",),
        ("runtime",),
        ("links",),
        ("links.meeting", "links.zmq", "faults"),
        ("star",),
        ("testing.cases",),
        ("testing.faults", "testing.views"),
        ("testing",),
    ),
    "protocols": (
        ("rows", "privacy", "aggregation.parts"),
        ("aggregation.cells",),
        ("aggregation",),
        ("core",),
        ("linalg", "functions"),
        ("scaling", "disclosure", "survival"),
        ("evaluation",),
        ("training", "inference", "linear", "prediction", "statistics"),
        ("training.private",),
        ("federated.draws",),
        ("federated",),
        ("federated.newton",),
        ("plain",),
    ),
    "parties": (
        ("base",),
        ("show",),
        ("scenario",),
        ("data",),
        ("trust",),
        ("tasks.rows", "tasks.star"),
        ("tasks.audited", "tasks.privacy"),
        ("tasks",),
        ("tasks.linear.settings", "tasks.logistic.settings"),
        ("tasks.linear.private", "tasks.logistic.private"),
        tuple(f"tasks.logistic.private.{method}" for method in ("columns", "gradients", "output")),
        KIND_ROOMS,
        ("tasks.federated.clients", "tasks.secure_sum.ends", "tasks.secure_sum.show"),
        ("tasks.federated.server", "tasks.federated.show"),
        ("tasks.federated.audit", "tasks.secure_sum.audit"),
        ("tasks.federated.star", "tasks.secure_sum.star"),
        ("tasks.federated.kind", "tasks.secure_sum.kind"),
        ("tasks.registry",),
        ("session",),
        ("processes.party",),
        ("processes.network",),
        ("processes",),
        ("report", "trace"),
        ("doctor", "new", "sweep", "audit.attack"),
        ("audit.counts",),
        ("audit",),
        ("cli",),
    ),
}
# A kind of task, and the rooms in it, are known to the registry alone.
KINDS = {f"parties.{room}" for room in KIND_ROOMS}
REGISTRY = "parties.tasks.registry"
NOWHERE = {"pickle", "_pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
MAY_IMPORT_ZMQ = {
    *(
        "mpc/links/zmq/curve.py",
        "mpc/links/zmq/listener.py",
        "mpc/links/zmq/dialler.py",
        "mpc/star/sockets.py",
        "mpc/links/zmq/messages.py",
        "mpc/links/zmq/news.py",
    ),
    "parties/trust/keys.py",
}
DYNAMIC_CALLS = {"getattr", "eval", "exec", "__import__"}
# What its user named on the command line, to be run.
MAY_EXECUTE = "parties/tasks/own_code.py"
DYNAMIC_METHODS = {"import_module", "__getattribute__"}


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every module that is imported, and every name taken from one, by its dotted name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def within(name: str, modules: set[str]) -> bool:
    return any(name == module or name.startswith(module + ".") for module in modules)


def room_of(module: str) -> str | None:
    """The room of a module, or of a name taken from one, as `package.room`; None if it is in no room that is listed."""
    package = module.split(".", 1)[0]
    rooms = [f"{package}.{room}" for tier in ROOMS.get(package, ()) for room in tier]
    return max((room for room in rooms if within(module, {room})), key=len, default=None)


def rooms_below(room: str) -> set[str]:
    """The rooms that this one may import, itself among them."""
    package, name = room.split(".", 1)
    below = {room}
    for tier in ROOMS[package]:
        if name in tier:
            return below
        below.update(f"{package}.{one}" for one in tier)
    raise ValueError(f"{room} is not listed")


def room_violations(path: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Imports of a sibling room or of an upper one, in a package whose rooms are listed."""
    module = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    package = module.split(".", 1)[0]
    if package not in ROOMS:
        return
    room = room_of(module)
    if room is None and module != package:
        yield 1, "is in no room"
    allowed = rooms_below(room) if room else set()
    if room != REGISTRY:
        others = {kind for kind in KINDS if not within(module, {kind})}
        allowed = {one for one in allowed if not within(one, others)}
    for line, name in imported(tree):
        if not within(name, {package}) or name == package or (target := room_of(name)) in allowed:
            continue
        yield line, f"imports {name} of the room {target}"


def numpy_random_uses(tree: ast.AST) -> Iterator[int]:
    """Lines that reach numpy.random through the name under which numpy itself was imported."""
    numpys = {"numpy"} | {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "numpy"
    }
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr == "random"
            and isinstance(node.value, ast.Name)
            and node.value.id in numpys
        ):
            yield node.lineno


def dynamic_uses(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Calls that choose code by name, and numpy files that may carry pickles."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id in DYNAMIC_CALLS:
            yield node.lineno, node.func.id
        if isinstance(node.func, ast.Attribute) and node.func.attr in DYNAMIC_METHODS:
            yield node.lineno, node.func.attr
        for keyword in node.keywords:
            if keyword.arg == "allow_pickle" and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            ):
                yield node.lineno, "allow_pickle"


def violations(path: str, source: str) -> list[str]:
    """What is wrong with one file, as lines `path:line what`; `path` is relative to the repository."""
    package = path.split("/", 1)[0]
    tree = ast.parse(source)
    found = []
    for line, name in imported(tree):
        if within(name, FORBIDDEN[package]) or within(name, NOWHERE):
            found.append((line, f"imports {name}"))
        if within(name, {"zmq"}) and path not in MAY_IMPORT_ZMQ:
            found.append((line, "imports zmq"))
    found += room_violations(path, tree)
    if package != "parties":
        found += [(line, "uses numpy.random") for line in numpy_random_uses(tree)]
    allowed = {"exec"} if path == MAY_EXECUTE else set()
    found += [(line, f"calls {name}") for line, name in dynamic_uses(tree) if name not in allowed]
    return sorted({f"{path}:{line} {what}" for line, what in found})


def sources() -> list[str]:
    return sorted(path.relative_to(ROOT).as_posix() for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("path", sources())
def test_layers(path: str) -> None:
    assert violations(path, (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("room", [f"{package}.{room}" for package in ROOMS for tier in ROOMS[package] for room in tier])
def test_each_room_is_there_and_has_its_page(room: str) -> None:
    folder = ROOT / room.replace(".", "/")
    if folder.with_suffix(".py").is_file():
        return
    page = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))) or ""
    assert "May import" in page
    named = [word for word in re.findall(r"`(\w+\.py)`", page) if not (folder / word).is_file()]
    assert named == []


@pytest.mark.parametrize("package", sorted(ROOMS))
def test_a_package_itself_imports_nothing(package: str) -> None:
    assert list(imported(ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")))) == []


def test_the_walk_sees_every_package() -> None:
    assert {path.split("/", 1)[0] for path in sources()} == set(PACKAGES)


@pytest.mark.parametrize(
    ("path", "source", "what"),
    [
        ("mpc/ring/rings.py", "import protocols.core.beaver", "imports protocols.core.beaver"),
        ("mpc/ring/rings.py", "from parties import cli", "imports parties"),
        ("mpc/ring/rings.py", "from mpc.sharing.share import Share", "of the room mpc.sharing"),
        ("mpc/ring/new.py", "def f():\n    from mpc import links", "of the room mpc.links"),
        ("mpc/links/zmq/curve.py", "from mpc.links.meeting import play", "of the room mpc.links.meeting"),
        ("mpc/links/channel.py", "from mpc.links import zmq", "of the room mpc.links.zmq"),
        ("mpc/links/meeting/play.py", "from mpc.testing import show_plan", "of the room mpc.testing"),
        ("mpc/attic/old.py", "", "is in no room"),
        ("parties/data/table.py", "from parties.trust import keys", "of the room parties.trust"),
        ("parties/tasks/linear/run.py", "import parties.tasks.logistic.run", "of the room parties.tasks.logistic"),
        ("parties/tasks/linear/private/plan.py", "import parties.tasks.linear.run", "of the room parties.tasks.linear"),
        ("parties/tasks/logistic/run.py", "from parties.tasks.linear import private", "parties.tasks.linear.private"),
        ("parties/tasks/federated/data.py", "import parties.tasks.federated.server", "parties.tasks.federated.server"),
        ("parties/report/page.py", "import parties.tasks.secure_sum.ends.data", "parties.tasks.secure_sum.ends"),
        ("parties/tasks/base.py", "from parties.tasks import registry", "of the room parties.tasks.registry"),
        ("protocols/core/beaver.py", "from protocols.linalg.held import hold", "of the room protocols.linalg"),
        ("protocols/evaluation/metrics.py", "from protocols.plain.linear import fit", "of the room protocols.plain"),
        ("mpc/ring/rings.py", "import mpc.attic.old", "of the room None"),
        ("mpc/sub/deep.py", "def f():\n    from parties.cli.command import main", "imports parties.cli.command"),
        ("mpc/links/session.py", "from zmq.utils import z85", "imports zmq"),
        ("protocols/core/beaver.py", "import parties", "imports parties"),
        ("protocols/core/beaver.py", "from time import perf_counter", "imports time"),
        ("protocols/core/beaver.py", "if TYPE_CHECKING:\n    import socket", "imports socket"),
        ("mpc/randomness/streams.py", "from random import getrandbits", "imports random"),
        ("mpc/randomness/streams.py", "from numpy import random", "imports numpy.random"),
        ("mpc/randomness/streams.py", "from numpy.random import default_rng", "imports numpy.random"),
        ("protocols/noise.py", "import numpy as n\nx = n.random", "uses numpy.random"),
        ("parties/data/table.py", "import pickle", "imports pickle"),
        ("parties/data/table.py", "np.load(f, allow_pickle=True)", "calls allow_pickle"),
        ("parties/cli/command.py", "getattr(task, kind)()", "calls getattr"),
        ("mpc/drive.py", "importlib.import_module(name)", "calls import_module"),
    ],
)
def test_a_planted_violation_is_caught(path: str, source: str, what: str) -> None:
    found = violations(path, source)
    assert any(line.endswith(what) for line in found), found


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("mpc/links/zmq/curve.py", "import zmq\nfrom mpc.links.session import Frame"),
        ("mpc/ring/rings.py", "from mpc.errors import InternalError\nfrom mpc.ring.array import Array"),
        ("mpc/star/server.py", "from mpc.links.zmq.curve import Identity\nfrom mpc.links import meeting"),
        ("parties/trust/keys.py", "import zmq"),
        (
            "protocols/training/descent.py",
            "import numpy as np\nfrom mpc.sharing.share import Share\nfrom protocols.core import beaver",
        ),
        ("parties/base/owner.py", "import os, time, mpc, protocols"),
        ("mpc/randomness/streams.py", "import timeit\nfrom . import ring\nself.random(3)"),
        ("parties/data/table.py", "np.load(f, allow_pickle=False)"),
    ],
)
def test_what_is_allowed_is_let_through(path: str, source: str) -> None:
    assert violations(path, source) == []
