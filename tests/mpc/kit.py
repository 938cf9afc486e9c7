"""What several tests of the runtime need: owners, seeds, ring elements, and programs that are run at once."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mpc.randomness.correlation import Kind
from mpc.randomness.dealing import deal_windows, windows
from mpc.randomness.layout import Layout, Parts
from mpc.randomness.streams import Entropy, Stream, derive, insecure_entropy
from mpc.ring.rings import B8, B16, B32, B64, Z32, Z64, Ring, wide
from mpc.runtime.lockstep import Message, Outcome, Tap, run_lockstep
from mpc.runtime.party import Party

RINGS = (Z64, Z32, B64, B32, B16, B8, wide(128), wide(256))
EDGES = (0, 1, 2, 2**22 - 1, 2**22, 2**32 - 1, 2**44, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1)

Protocol = Callable[[Party], Coroutine[Any, Any, Any]]


def owners(n: int) -> tuple[str, ...]:
    return tuple(f"hospital_{letter}" for letter in "abcdefgh"[:n])


def entropy(n: int, seed: int = 1) -> dict[str, Entropy]:
    return {name: insecure_entropy(seed, name) for name in (*owners(n), "helper")}


def run(protocol: Protocol, n: int = 2, *, seed: int = 1, tap: Tap | None = None, **rest: Any) -> Outcome:
    """The same protocol at n owners and a helper."""
    return run_lockstep(dict.fromkeys(owners(n), protocol), entropy=entropy(n, seed), tap=tap, **rest)


class Log:
    """A tap that keeps every message."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def __call__(self, message: Message) -> bytes:
        self.messages.append(message)
        return message.body


def elements(ring: Ring, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Uniform elements of a ring, with the ring's edges among them."""
    stream = Stream(derive(seed.to_bytes(8, "little"), "test elements"))
    out = stream.uniform(shape, ring).copy()
    flat = out.reshape(-1)
    edges = [edge % (1 << ring.bits) for edge in (0, 1, 1 << (ring.bits - 1), (1 << ring.bits) - 1)]
    for place, edge in zip(range(0, flat.size, 5), edges, strict=False):
        flat[place] = edge
    return out


def word_arrays(shape: tuple[int, ...], ring: Ring = Z64) -> st.SearchStrategy[np.ndarray]:
    """Arrays whose every entry Hypothesis chooses, the edges often."""
    top = (1 << ring.bits) - 1
    entry = st.sampled_from([e for e in EDGES if e <= top]) | st.integers(0, top)
    size = int(np.prod(shape))
    return st.lists(entry, min_size=size, max_size=size).map(lambda xs: np.array(xs, dtype=ring.dtype).reshape(shape))


def ints(a: np.ndarray) -> np.ndarray:
    """The same numbers as Python integers."""
    out = np.empty(a.shape, dtype=object)
    out.reshape(-1)[:] = [int(x) for x in a.reshape(-1)]
    return out


def combine(ring: Ring, shares: Sequence[np.ndarray]) -> np.ndarray:
    """The secret that shares add up to, in Python integers (so independent of the ring's own arithmetic)."""
    total = ints(shares[0])
    for share in shares[1:]:
        total = total ^ ints(share) if ring.xor else total + ints(share)
    return np.asarray(total & ((1 << ring.bits) - 1), dtype=object)


def deal(kinds: Sequence[Kind], streams: Sequence[Stream]) -> Iterator[bytes]:
    """The corrections of a list of correlations, a window at a time."""
    return deal_windows((kinds[one.start : one.stop] for one in windows(kinds)), streams)


def deal_to_all(kinds: Sequence[Kind], n: int, seed: int = 3) -> list[list[Parts]]:
    """What each owner holds of each correlation, as the helper's and the owners' code make it: [owner][kind]."""

    def streams() -> list[Stream]:
        return [Stream(derive(seed.to_bytes(8, "little"), f"deal/{owner}")) for owner in range(n)]

    held: list[list[Parts]] = [
        [Layout(kind, corrected=False).draw(stream) for kind in kinds] for stream in streams()[:-1]
    ]
    last = streams()[-1]
    dealt = deal(kinds, streams())
    mine: list[Parts] = []
    for cut in windows(kinds):
        window = memoryview(next(dealt))
        for kind in kinds[cut.start : cut.stop]:
            drawn, _none = Layout(kind, corrected=True).draw(last)
            shares, start = [], 0
            for spec in kind.dealt:
                shares.append(spec.ring.at(window, start, spec.shape))
                start += spec.nbytes
            window = window[start:]
            mine.append((drawn, tuple(shares)))
        assert not len(window)
    mine.extend((Layout(kind, corrected=True).draw(last)[0], ()) for kind in kinds[len(mine) :])
    assert next(dealt, None) is None
    return [*held, mine]


def answers(program: Coroutine[Any, Any, Any], replies: Sequence[Mapping[str, Any]]) -> tuple[list[Any], Any]:
    """Drive one program by hand: the rounds it asked for, and its result (None if it wants more replies)."""
    asked = [program.send(None)]
    for reply in replies:
        try:
            asked.append(program.send(reply))
        except StopIteration as end:
            return asked, end.value
    program.close()
    return asked, None
