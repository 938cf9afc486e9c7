"""Statistical masks: longer than what they cover, and shorter than the ring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from mpc.randomness.correlation import Book
from mpc.ring.array import Array
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.sharing.share import Mask, Share
from mpc.testing import CheckFailed, check_view, integers
from tests.testing.test_planted import again

SMALL = [integers(("m",), 0, 2**12 - 1)]


@dataclass(frozen=True)
class LongMask:
    """r of so many bits over Z_2^64, in shares that fill the ring."""

    shape: tuple[int, ...]
    bits: int
    kept: bool = False

    @property
    def drawn(self) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    @property
    def dealt(self) -> tuple[Spec, ...]:
        return (Spec(self.shape),)

    def deal(self, drawn: tuple[Array, ...], book: Book) -> tuple[Array, ...]:
        return (drawn[0] & np.uint64((1 << self.bits) - 1),)


def masked_by(bits: int, *, twice: bool = False, even: bool = False) -> Any:
    async def protocol(p: Party, x: Share) -> Any:
        """x - r over the integers, |x| < 2^12."""
        _, r = p.correlation(LongMask(x.shape, bits))
        if even:
            r = r.shifted(1)
        opened = await p.open(x - again(r), label="open")
        if twice:
            await p.open(x + x - again(r), label="again")
        return opened

    return protocol


@pytest.mark.parametrize("owners", [2, pytest.param(3, marks=pytest.mark.soak)])
@pytest.mark.parametrize("structure", [True, "by round", False])
def test_sound_masks_pass_where_they_are_declared(structure: Any, owners: int) -> None:
    saw = check_view(masked_by(56), SMALL, owners=owners, statistical={"open": 40}, structure=structure)
    assert saw.words >= 900
    with pytest.raises(
        CheckFailed, match=r"round 0 'open'.*(has no mask|has no fresh mask|is not uniform in bits 56 to 63)"
    ):
        check_view(masked_by(56), SMALL, owners=owners, structure=structure)


def test_masks_that_are_too_short() -> None:
    with pytest.raises(CheckFailed, match=r"'open', value 0: its masks are 3\d\.\d bits longer than .*, not 40"):
        check_view(masked_by(48), SMALL, statistical={"open": 40})
    with pytest.raises(CheckFailed, match="round 0 'open', value 0 as opened, differs between two secrets"):
        check_view(masked_by(12), SMALL, statistical={"open": 40})


def test_masks_with_an_end_that_is_always_zero() -> None:
    with pytest.raises(
        CheckFailed, match=r"round 0 'open', value 0 as opened, (differs between|is not uniform in bits 0 to 3)"
    ):
        check_view(masked_by(56, even=True), SMALL, statistical={"open": 40})


def test_a_long_mask_that_is_used_twice() -> None:
    with pytest.raises(
        CheckFailed, match="'open', value 0 as opened, less round 1 'again', value 0 as opened, differs"
    ):
        check_view(masked_by(56, twice=True), SMALL, statistical={"open": 40, "again": 40})


def test_a_mask_as_long_as_the_ring_needs_no_declaration() -> None:
    async def plain(p: Party, x: Share) -> Any:
        mask, _ = p.correlation(LongMask(x.shape, 64))
        assert isinstance(mask, Mask)
        return await p.open(x - mask, label="open")

    assert check_view(plain, SMALL).structure is not None
