"""What a party sees in a run, searched for secrets.

`record` runs owners' programs and keeps every message and, owner by owner, every value that was opened; `leaks` looks
for numbers in messages. Whether what is seen is distributed alike for any secret is `check_view`'s question
(tests/testing); it asks that of made-up inputs, while here are real patients' numbers, and the frames of real links.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import coroutine
from typing import Any

import numpy as np
from scipy import stats

from mpc.ring.specs import Spec
from mpc.runtime.lockstep import Message, run_lockstep
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, ProgramFactory, make_plan
from mpc.runtime.round import Round
from tests.helpers import entropy

THRESHOLD = 1e-6
"""A p-value below it is a leak. A test makes some hundreds of comparisons, so chance has about 1e-4 for a false
alarm."""


@dataclass(frozen=True)
class Opened:
    """One value that came out of a round at one owner: what it held, what came, and the sum."""

    label: str
    spec: Spec
    received: tuple[tuple[str, np.ndarray], ...]
    value: np.ndarray


@dataclass(frozen=True)
class Recording:
    """All messages of a run, and what each owner saw."""

    plan: Plan
    messages: tuple[Message, ...]
    opened: Mapping[str, tuple[Opened, ...]]
    results: Mapping[str, Any]


def record(
    factories: Mapping[str, ProgramFactory], seed: int, plan: Plan | None = None, helper: str = "helper"
) -> Recording:
    """Run the owners' programs in one thread under a test seed."""
    owners = tuple(factories)
    plan = plan or make_plan(factories[owners[0]], owners, helper)
    messages: list[Message] = []
    seen: dict[str, list[Opened]] = {name: [] for name in owners}

    def tap(message: Message) -> bytes:
        messages.append(message)
        return message.body

    def watched(factory: ProgramFactory) -> ProgramFactory:
        return lambda p: _watch(p, factory, seen[p.name])

    made = {name: watched(factory) for name, factory in factories.items()}
    outcome = run_lockstep(made, plan, entropy=entropy(owners, seed), tap=tap)
    return Recording(plan, tuple(messages), {name: tuple(part) for name, part in seen.items()}, outcome.results)


@coroutine
def _watch(p: Party, factory: ProgramFactory, seen: list[Opened]) -> Generator[Round, Any, Any]:
    program = factory(p)
    answer: Any = None
    while True:
        try:
            one = program.send(answer)
        except StopIteration as end:
            return end.value
        answer = yield one
        seen += _opened(one, answer)


def _opened(one: Round, answer: Mapping[str, Any]) -> Iterator[Opened]:
    peer = next(iter(one.recv))
    specs, own = one.recv[peer], one.send[peer]
    assert isinstance(specs, tuple) and isinstance(own, tuple)
    for k, spec in enumerate(specs):
        total = spec.ring.from_bytes(np.ascontiguousarray(own[k]).tobytes(), spec.shape)
        for sender in answer:
            total = spec.ring.add(total, answer[sender][k])
        yield Opened(one.label, spec, tuple((sender, arrays[k]) for sender, arrays in answer.items()), total)


def leaks(messages: Sequence[Message], numbers: np.ndarray) -> list[tuple[str, str, str]]:
    """(sender, receiver, label) of each message with the bytes of one of these 64-bit words, at any place in it.

    Not even one such word turns up by chance: 10^7 places and 10^5 words make 10^12 of 2^64 possibilities.
    """
    wanted = np.unique(numbers.reshape(-1).view(np.uint64))
    found = []
    for message in messages:
        for start in range(min(8, len(message.body) - 7)):
            count = (len(message.body) - start) // 8
            words = np.frombuffer(message.body, dtype="<u8", count=count, offset=start)
            place = np.minimum(np.searchsorted(wanted, words), len(wanted) - 1)
            if (wanted[place] == words).any():
                found.append((message.sender, message.receiver, message.label))
                break
    return found


def byte_p_value(data: bytes) -> float:
    """How likely uniform bytes are spread as unevenly as these (chi-square over as many bins as there is data for)."""
    values = np.frombuffer(data, dtype=np.uint8)
    bits = 8 if values.size >= 2560 else 4
    counts = np.bincount(values >> (8 - bits), minlength=1 << bits)
    low = np.bincount(values & ((1 << bits) - 1), minlength=1 << bits)
    return float(min(stats.chisquare(counts).pvalue, stats.chisquare(low).pvalue))
