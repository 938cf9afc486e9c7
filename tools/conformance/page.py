"""The tables of docs/conformance.md: runs of the planted protocols, plans of the examples, and others' figures."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mpc.testing.cases.inputs import constants
from mpc.testing.cases.programs import Case
from tests.mutants import mutants
from tools.conformance.examples import EXAMPLES, Example
from tools.conformance.pitfalls import BUGS, PITFALLS, SOURCE
from tools.conformance.planted import PLANTED

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "conformance.md"
PEERS: Final = Path(__file__).with_name("peers.json")
"""What others' programs found: `python -m tools.conformance --peers` measures it anew."""

TRUNCATIONS: Final = ("both floor", "one floors, large", "three floor")
_TABLE: Final = re.compile(r"(?<=<!-- conformance: )([\w ]+)( -->\n)((?:\|.*\n)*)")


def renewed(text: str) -> str:
    """The page with each table below a line `<!-- conformance: NAME -->` made anew."""
    return _TABLE.sub(lambda found: f"{found[1]}{found[2]}{TABLES[found[1]]()}", text)


# -- the mistakes


def planted() -> str:
    """Every planted protocol with the words of the check that refuses it."""
    lines = [
        f"| {key} | {one.what} | `{one.check}`: {_cell(one.finding())} | {one.beside} |" for key, one in PLANTED.items()
    ]
    heads = ("name", "the mistake", "what the check says", "instead")
    return _table(heads, lines)


def pitfalls() -> str:
    """What applies, and what finds it."""
    by_name = {one.name: one for one in mutants()}
    lines = []
    for one in PITFALLS:
        found = [f"`{PLANTED[key].check}` on *{key}*" for key in one.planted]
        for name in one.mutants:
            test = by_name[name].tests[0].split("::")[1].partition("[")[0]
            found.append(f"`{test}` on *{name}*")
        if found:
            lines.append(f"| {_link(one.slug)} | {one.here} | {'; '.join(found)} |")
    return _table(("pitfall", "what it is here", "what finds it, on which planted bug"), lines)


def elsewhere() -> str:
    """What does not apply, and why."""
    lines = [f"| {_link(one.slug)} | {one.here} |" for one in PITFALLS if not one.applies]
    return _table(("pitfall", "why nothing is planted"), lines)


def bugs() -> str:
    """Bugs of other projects that have their like here."""
    return _table(("bug", "its like here"), [f"| {_link(slug, 'bugs')} | {what} |" for slug, what in BUGS.items()])


def _link(slug: str, kind: str = "pitfalls") -> str:
    return f"[{slug}]({SOURCE}/{kind}/{slug}.md)"


def truncation() -> str:
    """How large the errors are, and whether they have a sign."""
    lines = []
    for key in TRUNCATIONS:
        one = PLANTED[key]
        beside = str(one.instead()).splitlines()[0].split("; ")[0].removeprefix("5 examples, ")
        lines.append(f"| {one.what} | {_cell(one.finding())} | {beside} |")
    return _table(("owners", "what `check_correct` says", "`truncate` on the same numbers"), lines)


# -- the examples


def examples() -> str:
    """The five protocols beside others'."""
    theirs = _theirs()
    lines = []
    for one in EXAMPLES:
        rounds, sent = cost(one)
        row = [f"[{one.title}](../scenarios/protocols/{one.file})", f"{one.owners}", f"{lines_of(one)}"]
        row += [f"{rounds}", f"{sent:,}"]
        for who in ("MPyC", "CrypTen"):
            row += _found(theirs["found"].get(who, {}).get(one.key))
        lines.append(f"| {' | '.join(row)} |")
    heads = (
        "protocol",
        "owners",
        "lines",
        "rounds",
        "bytes",
        *(f"{who}: {what}" for who in ("MPyC", "CrypTen") for what in ("rounds", "bytes", "off by")),
    )
    return _table(heads, lines)


def versions() -> str:
    """Which releases of the others were measured."""
    return _table(("", "versions"), [f"| {who} | {what} |" for who, what in _theirs()["versions"].items()])


def _theirs() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(PEERS.read_text(encoding="utf-8"))
    return kept


def _found(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return ["not measured", "", ""]
    if "failure" in found:
        return [found["failure"], "", ""]
    return [f"{found['rounds']:g}", f"{found['bytes']:,}", f"{found['error']:.0e}"]


def cost(example: Example) -> tuple[int, int]:
    """Rounds, and bytes that all parties send, by the plan."""
    n, sizes = example.owners, {"m": example.size}
    plan = Case(example.protocol, (example.given,), n, sizes, constants((example.given,), sizes, n, 0)).plan
    return len(plan.rounds), n * (n - 1) * sum(one.payload for one in plan.rounds) + sum(plan.windows)


def lines_of(example: Example) -> int:
    """Lines of code of an example's file, its reference, docstrings, comments and empty lines left out."""
    path = ROOT / "scenarios" / "protocols" / example.file
    lines: set[int] = set()
    nodes = list(ast.parse(path.read_text(encoding="utf-8")).body)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.FunctionDef) and node.name == example.reference.__name__:
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.While | ast.For):
            lines.add(node.lineno)
            nodes += node.body
        elif not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
            lines.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(lines)


def _table(heads: Sequence[str], lines: Sequence[str]) -> str:
    return "\n".join([f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *lines]) + "\n"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


TABLES: Final[Mapping[str, Callable[[], str]]] = {
    "examples": examples,
    "versions": versions,
    "pitfalls": pitfalls,
    "elsewhere": elsewhere,
    "bugs": bugs,
    "truncation": truncation,
    "planted": planted,
}
