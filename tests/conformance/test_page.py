"""Every mistake of the conformance page is caught, what stands beside it passes, and the page says what was found."""

from __future__ import annotations

from functools import partial

import hypothesis
import pytest

from mpc.testing import CheckFailed
from tests.helpers import ROOT
from tests.mutants import mutants
from tools.conformance.page import PAGE, TABLES, renewed
from tools.conformance.pitfalls import BUGS, PITFALLS
from tools.conformance.planted import PLANTED

every_mistake = pytest.mark.parametrize("name", PLANTED)


@every_mistake
def test_the_mistake_is_caught(name: str) -> None:
    with pytest.raises(CheckFailed):
        PLANTED[name].caught()


@every_mistake
def test_what_is_done_instead_passes(name: str) -> None:
    PLANTED[name].instead()


def test_masks_of_32_bits_are_counted_too() -> None:
    """Where no mask is looked at: the histograms see nothing, but more is sent under masks than was drawn."""
    one = PLANTED["32-bit mask"].caught
    assert isinstance(one, partial)
    with pytest.raises(CheckFailed, match="has sent 8192 bits by then that need a mask, and drawn 64 bits"):
        one.func(*one.args, **one.keywords, structure=False, words=4000, sizes={"m": 128})


def test_what_is_not_caught_is_said() -> None:
    """A row of the page cannot say what a check did not."""
    one = PLANTED["mask reused"]
    with pytest.raises(AssertionError, match="check_view does not catch it"):
        type(one)(one.what, one.instead, one.instead, one.beside).finding()


@pytest.mark.skipif(
    f"hypothesis=={hypothesis.__version__} " not in (ROOT / "requirements-dev.lock").read_text(encoding="utf-8"),
    reason="the page shows the examples of the locked release of hypothesis",
)
def test_the_page_says_what_was_found() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert all(f"<!-- conformance: {name} -->\n|" in text for name in TABLES)
    assert text == renewed(text), "run `python -m tools.conformance`, and read the diff"


def test_pitfalls_have_a_row_each_and_their_bugs_exist() -> None:
    slugs = [one.slug for one in PITFALLS]
    assert len(slugs) == len(set(slugs)) == 42
    assert {name for one in PITFALLS for name in one.mutants} <= {one.name for one in mutants()}
    used = {key for one in PITFALLS for key in one.planted}
    assert used <= set(PLANTED)
    for what in BUGS.values():
        assert any(name in what for name in (*PLANTED, *(one.name for one in mutants()))), what
