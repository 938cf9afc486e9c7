"""What commands print, whole, and which files they write: beside the file of `expected/` that has the case's name.

`make expected` writes the files anew; the change of a text is then read in the commit's diff.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parties.cli.command import carry_out
from tests.run.command import ROOT
from tests.run.mistakes import write_folder
from tests.run.sums import write_separate
from tests.run.test_older_files import OLDER

EXPECTED = Path(__file__).parent / "expected"
RENEW = "RENEW_EXPECTED"

WIDTH = 100
VARIABLE = re.compile(r"\b[0-9a-f]{16,}\b|(?<=\bbl1-)[\w-]+(\n +[\w-]{20,}$)?|\b20\d\d-\d\d-\d\d\b", re.MULTILINE)
"""What differs from run to run, and is shown as #: digests, public keys (in a table, over two lines), days."""


def shipped(folder: Path) -> None:
    """The scenarios that are shipped, at their place."""
    (folder / "scenarios").symlink_to(ROOT / "scenarios")


def older(folder: Path) -> None:
    """Records of an earlier version."""
    shutil.copytree(OLDER / "runs", folder / "runs")


def sums(folder: Path) -> None:
    """A secure sum that nobody approved, by its server at one port."""
    path = write_separate(folder)
    path.write_text(re.sub(r"(127\.0\.0\.1):\d+", r"\1:7100", path.read_text()))
    (folder / "keys" / "approved.json").unlink()


def nothing(folder: Path) -> None:
    """An empty folder."""


HELP = (
    *("approve", "audit", "budget", "doctor", "keygen", "new", "party", "plan", "report", "revoke", "roster", "run"),
    *("simulate", "sweep", "trace"),
)
PLANS = (
    *("devices", "hips_linear", "registry_private", "registry_statistics", "split_model", "two_hospitals", "vertical"),
    *("two_hospitals_private", "wan_auto"),
)
RECORDS = ("logistic", "linear", "statistics", "secure_sum", "hidden-north", "hidden-helper", "predict-north")

COMMANDS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "help": ("--help", nothing),
    **{f"help_{name}": (f"{name} --help", nothing) for name in HELP},
    **{f"plan_{name}": (f"plan scenarios/{name}.toml", shipped) for name in PLANS},
    **{f"report_{name}": (f"report runs/{name}", older) for name in RECORDS},
    "new": ("new study", nothing),
    "keygen": ("keygen hospital_a --keys keys", nothing),
    "approve_hospital_a": ("approve separate.toml --as hospital_a --keys keys", write_folder),
    "approve_helper": ("approve separate.toml --as helper --keys keys", write_folder),
    "party_c1": ("party apart.toml --as c1 --keys keys", sums),
    "party_server": ("party apart.toml --as server --keys keys", sums),
}
"""What is typed, in a folder that a function prepares."""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_text(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    words, prepare = COMMANDS[name]
    prepare(tmp_path)
    before = {*tmp_path.rglob("*")}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setattr(sys, "argv", ["mpc", *words.split()])
    code = carry_out()
    out, err = (
        VARIABLE.sub(lambda found: re.sub(r"\S", "#", found[0]), text).replace(str(tmp_path), "FOLDER")
        for text in capfd.readouterr()
    )
    assert out.isascii() and all(len(line) <= WIDTH for line in out.splitlines() if not line.startswith("public_key"))
    text = f"$ mpc {words}\n{out}--- standard error\n{err}--- exit {code}\n"
    text += "".join(f"wrote {path.relative_to(tmp_path)}\n" for path in sorted({*tmp_path.rglob("*")} - before))
    path = EXPECTED / f"{name}.txt"
    if os.environ.get(RENEW):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), f"is {path.name} as it is meant to be? then `make expected`"


def test_every_file_is_a_commands() -> None:
    assert {path.stem for path in EXPECTED.iterdir()} == {*COMMANDS}
