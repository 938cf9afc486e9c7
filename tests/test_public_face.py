"""`beaverlodge.protocol`: what its page says is there, works, and comes at no cost to the command."""

from __future__ import annotations

import contextlib
import io
import re
import subprocess
import sys

import beaverlodge.protocol
from tests.helpers import ROOT

PAGE = (ROOT / "docs" / "protocols.md").read_text(encoding="utf-8")


def test_the_page_names_all_that_it_exports() -> None:
    named = set(re.findall(r"[A-Za-z_][A-Za-z_0-9]*", " ".join(re.findall(r"`[^`]+`|```\w*\n.*?```", PAGE, re.DOTALL))))
    assert set(beaverlodge.protocol.__all__) <= named
    for line in re.findall(r"^from beaverlodge\.protocol import (.*)$", PAGE, re.MULTILINE):
        assert set(line.split(", ")) <= set(beaverlodge.protocol.__all__)


def test_the_pages_example_prints_what_it_says() -> None:
    """Run as it stands; the figures in its comments are those that it prints."""
    code = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(code) == 1
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code[0], "docs/protocols.md", "exec"), {"__name__": "example"})
    assert said.getvalue().splitlines() == re.findall(r"^print\(.*\)  # (.*)$", code[0], re.MULTILINE)


def test_nothing_is_loaded_with_the_package() -> None:
    code = "import sys; import beaverlodge, mpc; print(sorted({'numpy', 'zmq', 'protocols'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_the_face_loads_no_socket_and_no_command() -> None:
    """So that a protocol is tried off Linux, too."""
    code = (
        "import sys; import beaverlodge.protocol; "
        "print(sorted(name for name in ('zmq', 'duckdb', 'click', 'parties', 'pydantic') if name in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
