"""Mistakes that others reported, planted in small protocols, and the check of the kit that catches each.

Each is an `async` function of a Party and its inputs. Beside it stands what is done here instead, which must pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from beaverlodge.protocol import B8, Mask, Party, Public, Share, Spec, Uniform, truncate
from mpc.errors import DataError
from mpc.ring.array import Array
from mpc.runtime.round import Round
from mpc.testing import CheckFailed, Input, check_correct, check_cost, check_view, own, reals, words

SHIFT: Final = 14
PAIR: Final = [reals(("m",), scale=SHIFT, largest=100.0)] * 2
ONE: Final = PAIR[:1]
PRODUCTS: Final = [reals(("m",), scale=2 * SHIFT, largest=2.0**9)]
LARGE: Final = [reals(("m",), scale=2 * SHIFT, largest=2.0**24)]
"""Products of up to 2^52 in ring units: local truncation fails in one of 2^11."""
BITS: Final = [words((8,), ring=B8)]


@dataclass(frozen=True)
class Planted:
    """A mistake and what catches it.

    Args:
        what: in the protocol is wrong.
        caught: runs the check that must fail.
        instead: runs the same check on what is done here, which must pass.
        beside: what that is.
    """

    what: str
    caught: Callable[[], Any]
    instead: Callable[[], Any]
    beside: str

    @property
    def check(self) -> str:
        """The check's name."""
        return str(self.caught.func.__name__)  # type: ignore[attr-defined]

    def finding(self) -> str:
        """What the check says of it, the first line.

        Raises:
            AssertionError: it passes.
        """
        try:
            self.caught()
        except CheckFailed as found:
            return str(found).splitlines()[0]
        raise AssertionError(f"{self.check} does not catch it: {self.what}")


def _again(mask: Share) -> Mask:
    """A mask's share as a new mask, which gets around the runtime's own check."""
    return Mask(mask.value, mask.scale, mask.ring)


def _spec(x: Share) -> Spec:
    return Spec(x.shape, x.scale, x.ring)


# -- masks


async def _mask_reused(p: Party, x: Share, y: Share) -> Any:
    """One mask for two values, as one presignature for two messages."""
    (a,) = p.correlation(Uniform((_spec(x),)))
    await p.open(x - a, label="first")
    return await p.open(y - _again(a), label="second")


async def _mask_each(p: Party, x: Share, y: Share) -> Any:
    a, b = p.correlation(Uniform((_spec(x), _spec(y))))
    await p.open(x - a, label="first")
    return await p.open(y - b, label="second")


class _Kept:
    """Masks that outlive the session, as a restored snapshot would bring them back."""

    def __init__(self) -> None:
        self.masks: dict[tuple[str, tuple[int, ...]], Array] = {}

    async def protocol(self, p: Party, x: Share) -> Any:
        (fresh,) = p.correlation(Uniform((_spec(x),)))
        old = fresh.value if p.dry else self.masks.setdefault((p.name, x.shape), fresh.value)
        return await p.open(x - Mask(old, x.scale), label="open")


async def _mask_fresh(p: Party, x: Share) -> Any:
    (a,) = p.correlation(Uniform((_spec(x),)))
    return await p.open(x - a, label="open")


async def _mask_of_32_bits(p: Party, x: Share) -> Any:
    """Each owner's part of the mask is the Mersenne Twister's, from a 64-bit seed that is folded to 32 bits."""
    (seed,) = p.correlation(Uniform((Spec((1,)),)))

    def mask() -> Array:
        word = int(seed.value[0])
        twister = np.random.RandomState((word >> 32) ^ (word & 0xFFFF_FFFF))
        return twister.randint(0, 2**64, size=x.shape, dtype=np.uint64)

    return await p.open(x - Mask(p.compute(mask, shape=x.shape), x.scale), label="open")


async def _mask_of_one_bit_in_eight(p: Party, bits: Share) -> Any:
    """Eight bits in a byte, of which the mask covers the lowest."""
    (a,) = p.correlation(Uniform((_spec(bits),)))
    return await p.open(bits - _again(Public(np.full((1,), 1, dtype=np.uint8), 0, B8) * a[:]), label="open")


# -- messages


async def _two_stories(p: Party, x: Share) -> Any:
    """The first owner tells the last another value than it tells the others."""
    other = p.compute(lambda: x.value + np.uint64(1 << SHIFT), shape=x.shape)
    send = {peer: ((other if p.index == 0 and peer == p.owners[-1] else x.value),) for peer in p.peers}
    got = await Round(send, dict.fromkeys(p.peers, (_spec(x),)), "result", everyone=True)
    return Public(p.compute(lambda: x.value + sum(got[peer][0] for peer in p.peers), shape=x.shape), x.scale)


async def _one_story(p: Party, x: Share) -> Any:
    (result,) = await p.reveal(x, what="result", why="agreed", label="result")
    return result


async def _as_long_as_its_data(p: Party, mine: Array) -> Any:
    """An owner sends the words that are not zero, and no others."""
    (a,) = p.correlation(Uniform((Spec(mine.shape, SHIFT),)))
    words = mine + a.value
    sent = words if p.dry else words[mine != 0]
    await Round(dict.fromkeys(p.peers, (sent,)), dict.fromkeys(p.peers, (_spec(a[:]),)), "open", everyone=True)
    return a[:]


async def _as_long_as_planned(p: Party, mine: Array) -> Any:
    (a,) = p.correlation(Uniform((Spec(mine.shape, SHIFT),)))
    return await p.open(Share(mine, SHIFT) - a, label="open")


async def _ends_for_some(p: Party, mine: Array) -> Any:
    """An owner's run ends where its first number is large: whether it ended tells the others."""
    shown = await _as_long_as_planned(p, mine)
    p.insist(lambda: int(mine[0]) < 1 << SHIFT, lambda: DataError("a number is too large"))
    return shown


async def _says_why(p: Party, x: Share) -> Any:
    """The text of an owner's hint follows its data."""
    if not p.dry:
        p.hint(f"word 0 is {'odd' if int(x.value.reshape(-1)[0]) % 2 else 'even'} here")
    return await _mask_fresh(p, x)


# -- truncation


async def _both_floor(p: Party, x: Share) -> Share:
    """Each owner divides its own part, rounded down: no round, and no help."""
    return Share(p.compute(lambda: (x.value.view(np.int64) >> SHIFT).view(np.uint64), shape=x.shape), x.scale - SHIFT)


async def _one_floors(p: Party, x: Share) -> Share:
    """The first owner rounds down and the others up, so that of two the errors cancel."""

    def part() -> Array:
        signed = x.value.view(np.int64)
        cut: Array = signed >> SHIFT if p.index == 0 else -(-signed >> SHIFT)
        return cut.view(np.uint64)

    return Share(p.compute(part, shape=x.shape), x.scale - SHIFT)


async def _truncate(p: Party, x: Share) -> Share:
    return await truncate(p, x, SHIFT)


_ULP = 2.0**-SHIFT


def _correct(protocol: Callable[..., Any], inputs: Sequence[Input], owners: int, **how: Any) -> Callable[[], Any]:
    """Whether a protocol gives what it is given."""
    error = 2 * _ULP if inputs is not ONE else 1e-9
    given = {"examples": 5, "sockets": (), **how}
    return partial(check_correct, protocol, lambda x: x, inputs, error=error, owners=(owners,), **given)


def _view(protocol: Callable[..., Any], inputs: Sequence[Input], **how: Any) -> Callable[[], Any]:
    return partial(check_view, protocol, inputs, owners=2, **how)


def _cost(protocol: Callable[..., Any]) -> Callable[[], Any]:
    return partial(check_cost, protocol, [own(ONE[0])], rounds=1, bytes=16, owners=(2,), sizes={"m": 2})


_FRESH = "a mask of its own for each opening, drawn for the session (AES-CTR under 256-bit seeds)"
PLANTED: Final[dict[str, Planted]] = {
    "mask reused": Planted(
        "one mask covers two values, as one presignature would serve two messages",
        _view(_mask_reused, PAIR),
        _view(_mask_each, PAIR),
        "a mask for each; the runtime itself refuses to open twice under one `Mask`",
    ),
    "mask of another session": Planted(
        "masks outlive their session, as a restored snapshot would bring them back",
        _view(_Kept().protocol, ONE, structure=False, words=4000, sizes={"m": 128}),
        _view(_mask_fresh, ONE, structure=False, words=4000, sizes={"m": 128}),
        _FRESH,
    ),
    "32-bit mask": Planted(
        "masks are the Mersenne Twister's, from a seed that is folded to 32 bits",
        _view(_mask_of_32_bits, ONE),
        _view(_mask_fresh, ONE),
        _FRESH,
    ),
    "one bit in eight": Planted(
        "of each byte of a mask of bits, one bit is random",
        _view(_mask_of_one_bit_in_eight, BITS),
        _view(_mask_fresh, BITS),
        _FRESH,
    ),
    "two stories": Planted(
        "one owner opens another value to the last owner than to the others",
        _correct(_two_stories, ONE, 3),
        _correct(_one_story, ONE, 3),
        "`p.open` and `p.reveal` send all peers the same array",
    ),
    "length follows data": Planted(
        "an owner sends only the words that are not zero",
        _cost(_as_long_as_its_data),
        _cost(_as_long_as_planned),
        "each message's length is in the plan, and any other is refused",
    ),
    "ends for some": Planted(
        "a run ends with an error for some secrets and with a result for others",
        _view(_ends_for_some, [own(ONE[0])]),
        _view(_as_long_as_planned, [own(ONE[0])]),
        "what may end a run is revealed first, as a declared bit (`p.insist` on a public value)",
    ),
    "text follows data": Planted(
        "the text of a message to the user follows a secret's value",
        _view(_says_why, ONE),
        _view(_mask_fresh, ONE),
        "peers hear an error's kind alone; texts hold no data",
    ),
    "both floor": Planted(
        "both owners round their parts down",
        _correct(_both_floor, PRODUCTS, 2, many=30_000, bias=0.01 * _ULP),
        _correct(_truncate, PRODUCTS, 2, many=30_000, bias=0.01 * _ULP),
        "`truncate`: 1 round, the helper's masks, no bias",
    ),
    "one floors, large": Planted(
        "one rounds down and one up: no bias, but a part in 2^11 of numbers of 52 bits is off by 2^50",
        _correct(_one_floors, LARGE, 2, many=120_000),
        _correct(_truncate, LARGE, 2, many=120_000),
        "`truncate`, within one unit of the last place up to 2^62",
    ),
    "three floor": Planted(
        "three owners divide their parts",
        _correct(_one_floors, PRODUCTS, 3),
        _correct(_truncate, PRODUCTS, 3),
        "`truncate`, for any number of owners",
    ),
}
