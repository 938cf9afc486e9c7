"""What parties see of two secrets, drawn: a leak is seen in its histogram, and a protocol without one has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mpc.errors import UsageError
from mpc.randomness.correlation import MultiplyTriple
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.sharing.share import Mask, Share
from mpc.testing import reals, view_of
from parties.trace.view_page import view_html

INPUT = [reals((4,), scale=14, largest=100, owner=1)]


async def square(p: Party, x: Share) -> Share:
    a, b, c = p.correlation(MultiplyTriple(Spec(x.shape, x.scale), Spec(x.shape, x.scale)))
    d, e = await p.open(x - a, x - b, label="square")
    return c + d * b + e * a + p.public(d * e)


async def bare(p: Party, x: Share) -> Share:
    """Opens x under a mask of zeros."""
    zeros = Mask(np.zeros(4, dtype=np.uint64), x.scale)
    await p.open(x - zeros, label="bare")
    return await square(p, x)


def test_what_is_masked_is_uniform_and_alike() -> None:
    view = view_of(square, INPUT, runs=60)
    assert view.passed
    assert view.coalition == ("owner0",)
    assert {one.label for one in view.items} == {"square"}
    assert all(not one.differing and not one.uneven for one in view.items)
    for one in view.items:
        assert all(counts.shape == (16, 16) and counts[0].sum() == one.words for counts in one.counts)
    page = view_html(view)
    assert "The check found nothing" in page and "uniform, and alike with both secrets" in page
    assert page.count("<svg") == 2 * len(view.items)


def test_a_leak_is_seen_in_its_figure() -> None:
    view = view_of(bare, INPUT, runs=60)
    assert not view.passed and "bare" in view.verdict
    leaking = [one for one in view.items if one.differing]
    assert {one.label for one in leaking} == {"bare"}
    assert all(one.label == "bare" for one in view.items if one.uneven)
    opened = next(one for one in leaking if "as opened" in one.name)
    assert any((counts[opened.nibble] > 0).sum() < 16 for counts in opened.counts)
    page = view_html(view)
    assert "The check FAILED" in page and 'class="finding"' in page
    assert page.index("differs between the secrets") < page.index("uniform, and alike")  # findings come first


def test_secrets_that_hide_nothing_are_refused() -> None:
    same: Any = ([1.0], [1.0])
    with pytest.raises(UsageError, match="nothing is hidden"):
        view_of(square, INPUT, secrets=same, runs=5)
