"""check_faults: after any fault of a message or a party, a run recovers to the same bits or ends in a clear error.

The parties run the code of production (channel, session, handshake, play) over a network in virtual time. One run goes
well; then every frame of it, by its number, has each kind of fault, one run each, and some runs have several. All is
below the session's tags: an altered frame keeps the tag of the one that was sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mpc.errors import BeaverlodgeError, InternalError
from mpc.links.channel import Limits
from mpc.links.session import Frame
from mpc.links.wire import ABORT, RESUME, SIGN, label_code
from mpc.randomness.streams import Entropy, derive
from mpc.runtime.round import HEADER_BYTES
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.cases.inputs import Input, Sizes, complete
from mpc.testing.cases.programs import Case, Protocol, same_results, taken_case
from mpc.testing.faults.member import LABELS, Played, take_part
from mpc.testing.faults.virtual import End, Sent, Smooth, Trouble, VirtualNetwork, Wires

LIMITS = Limits(connect=5.0, deadline=5.0, patience=2.0)
_AWAY = 0.5  # seconds that a broken connection takes to come back
_LONG = 3.0  # deadlines that a frame is late which comes too late
_FAREWELL = 2.0  # seconds: more than a party takes to tell the others that it gives up

_NAMES = {RESUME: "resume", ABORT: "abort", SIGN: "sign"}

KINDS = (
    "dropped",
    "dropped unnoticed",
    "cut for good",
    "delayed",
    "delayed too long",
    "repeated",
    "reordered",
    "truncated",
    "header altered",
    "payload altered",
    "sender dies",
)
"""A frame's faults in `check_faults`. Dropped: the connection breaks and comes back, as TCP's would; unnoticed: its
sender learns of that only when it is back. Cut for good: the connection never comes back. Reordered: the next frame
overtakes it."""

HARMLESS = ("dropped", "dropped unnoticed", "delayed", "repeated")
"""The faults that a session must survive, to its very last frame."""


@dataclass(frozen=True)
class Fault:
    """The fault of the frame of one number; `place` picks the bit or the length where there is a choice."""

    kind: str
    number: int
    place: int = 0


@dataclass(frozen=True)
class Faults:
    """The findings of `check_faults`: for each kind of fault, the numbers of recovered and of refused runs."""

    frames: int
    recovered: Mapping[str, int]
    refused: Mapping[str, int]
    errors: Mapping[str, int]  # by their code
    longest: float  # virtual seconds

    @property
    def tried(self) -> int:
        return sum(self.recovered.values()) + sum(self.refused.values())

    def __str__(self) -> str:
        lines = [
            f"{self.tried} runs with faults in {self.frames} frames, the longest {self.longest:.1f} virtual seconds"
        ]
        for kind in dict.fromkeys((*self.recovered, *self.refused)):
            lines.append(f"  {kind:18} {self.recovered.get(kind, 0):6} recovered {self.refused.get(kind, 0):6} refused")
        return "\n".join(lines)


class Planted:
    """A `Trouble` made of faults."""

    def __init__(self, faults: Sequence[Fault], limits: Limits = LIMITS) -> None:
        self._at = {fault.number: fault for fault in faults}
        self._limits = limits
        self.hit: list[Sent] = []

    def disturb(self, sent: Sent, net: Wires) -> bool:
        fault = self._at.get(sent.number)
        if fault is None:
            return False
        self.hit.append(sent)
        match fault.kind:
            case "dropped":
                net.cut(sent.sender, sent.receiver, _AWAY)
            case "dropped unnoticed":
                net.cut(sent.sender, sent.receiver, _AWAY, unnoticed_by=sent.sender)
            case "cut for good":
                net.cut(sent.sender, sent.receiver, 1e6)
            case "delayed":
                net.carry(sent, later=self._limits.deadline / 2)
            case "delayed too long":
                net.carry(sent, later=self._limits.deadline * _LONG)
            case "repeated":
                net.carry(sent)
                net.carry(sent)
            case "reordered":
                net.overtake(sent, _AWAY)
            case "sender dies":
                net.die(sent)
            case _:
                net.carry(Sent(sent.number, sent.sender, sent.receiver, altered(sent.frame, fault)))
        return True


def altered(frame: Frame, fault: Fault) -> Frame:
    """The frame cut short, or with one bit turned in its header or payload (where it has none, in its header)."""
    whole = bytearray(frame.head + frame.body)
    if fault.kind == "truncated":
        del whole[fault.place % len(whole) :]
    else:
        start, end = (HEADER_BYTES, len(whole)) if fault.kind == "payload altered" and frame.body else (0, HEADER_BYTES)
        bit = fault.place % (8 * (end - start))
        whole[start + bit // 8] ^= 1 << (bit % 8)
    return Frame(bytes(whole[:HEADER_BYTES]), bytes(whole[HEADER_BYTES:]))


def play(
    case: Case, trouble: Trouble, entropy: Mapping[str, Entropy], limits: Limits = LIMITS, horizon: float = 60.0
) -> tuple[dict[str, End], VirtualNetwork]:
    """One run of a case in virtual time."""
    names = (*case.owners, "helper")
    net = VirtualNetwork(names, trouble, horizon)
    ends = net.run({name: lambda name=name: take_part(case, name, net.end_of(name), limits, entropy) for name in names})  # type: ignore[misc]
    return ends, net


def play_smoothly(case: Case, entropy: Mapping[str, Entropy]) -> dict[str, Played]:
    """One run of a case in virtual time, without trouble; what each party did."""
    return _smooth(*play(case, Smooth(), entropy))


@dataclass
class _Tally:
    recovered: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0


def check_faults(
    protocol: Protocol,
    inputs: Sequence[Input],
    *,
    owners: int = 2,
    sizes: Sizes | None = None,
    kinds: Sequence[str] = KINDS,
    every: int = 1,
    places: int = 1,
    several: int = 20,
    seed: int = 0,
    limits: Limits = LIMITS,
) -> Faults:
    """Run a protocol with each fault at each frame; every party must end with the same bits or with a clear error.

    Args:
        kinds: which of `KINDS`.
        every: every how-manieth frame has its faults; 1 is all of them.
        places: how many bits (or lengths) are tried where a frame is altered (or truncated).
        several: how many runs have two to four faults at random frames.
        seed: of the places, and of the runs with several faults.

    Raises:
        CheckFailed: a party hangs past its deadlines, ends with another result than without faults, or with an error
            that is a bug or names no party; or a fault that a session lives through ended the run.
    """
    known = complete(inputs, sizes, 2)
    case = taken_case(protocol, inputs, owners, known, f"faults/{seed}")
    entropy = case.entropy(seed)
    ends, net = play(case, Smooth(), entropy, limits)
    smooth = _smooth(ends, net)
    labels = {label_code(label): label for label in (*LABELS, *(one.label for one in case.plan.rounds))}
    tally = _Tally()
    for kind, faults in _faults(len(net.sent), kinds, every, places, several, seed):
        trouble = Planted(faults, limits)
        horizon = net.time + sum(_allowance(fault, limits) for fault in faults)
        after, broken = play(case, trouble, entropy, limits, horizon)
        where = "; ".join(
            f"{fault.kind}, {_place(hit, labels)}" for fault, hit in zip(_in_order(faults), trouble.hit, strict=False)
        )
        refused = _judge(where or kind, smooth, after, broken, tally)
        if refused and kind in HARMLESS:
            raise CheckFailed(f"{where}: a session lives through that, but the run ended with: {refused}")
        (tally.refused if refused else tally.recovered)[kind] += 1
        tally.longest = max(tally.longest, broken.time)
    return Faults(len(net.sent), tally.recovered, tally.refused, tally.errors, tally.longest)


def _allowance(fault: Fault, limits: Limits) -> float:
    """The longest that one fault may keep a party: its own length, one deadline, and the patience after that."""
    lengths = {"delayed": limits.deadline / 2, "delayed too long": limits.deadline * _LONG}
    return lengths.get(fault.kind, _AWAY) + max(limits.connect, limits.deadline) + limits.patience + _FAREWELL


def _in_order(faults: Sequence[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: fault.number)


def _faults(
    frames: int, kinds: Sequence[str], every: int, places: int, several: int, seed: int
) -> Iterator[tuple[str, list[Fault]]]:
    for kind in kinds:
        choices = places if kind in ("truncated", "header altered", "payload altered") else 1
        for number in range(0, frames, every):
            for k in range(choices):
                yield kind, [Fault(kind, number, _drawn(seed, kind, number, k))]
    for run in range(several if frames else 0):
        count = 2 + _drawn(seed, "count", run) % 3
        picked = {_drawn(seed, "frame", run, k) % frames for k in range(count)}
        picks = [kind for kind in kinds if kind in HARMLESS] or kinds if run % 2 else kinds  # every second may recover
        yield (
            "several",
            [
                Fault(picks[_drawn(seed, "kind", run, k) % len(picks)], number, _drawn(seed, "place", run, k))
                for k, number in enumerate(sorted(picked))
            ],
        )


def _drawn(seed: int, *what: object) -> int:
    return int.from_bytes(derive(seed.to_bytes(8, "little", signed=True), f"faults/{what}")[:8], "little")


def _smooth(ends: Mapping[str, End], net: VirtualNetwork) -> dict[str, Played]:
    if net.hanging:
        raise CheckFailed(f"without any fault {', '.join(net.hanging)} did not end in virtual time")
    for name, end in ends.items():
        if end.error is not None:
            raise CheckFailed(f"without any fault {name} failed: {end.error}") from end.error
    return {name: end.value for name, end in ends.items()}


def _judge(
    where: str, smooth: Mapping[str, Played], ends: Mapping[str, End], net: VirtualNetwork, tally: _Tally
) -> BaseException | None:
    """The first party's error, None if all recovered; a failed check where it is neither."""
    if net.hanging:
        raise CheckFailed(f"{where}: {', '.join(net.hanging)} still hung after {net.time:.0f} virtual seconds")
    for name, end in ends.items():  # first of all what is no answer to a fault, before what others made of it
        if end.error is not None and not isinstance(end.error, BeaverlodgeError):
            raise CheckFailed(f"{where}: {name} ended with a {type(end.error).__name__}: {end.error}") from end.error
    refused: BaseException | None = None
    for name, end in ends.items():
        if end.died:
            continue
        if end.error is None:
            if not same_results(end.value.result, smooth[name].result):
                raise CheckFailed(f"{where}: {name} ended with another result than without it")
            continue
        assert isinstance(end.error, BeaverlodgeError)
        refused = refused or end.error
        if isinstance(end.error, InternalError):
            raise CheckFailed(f"{where}: {name} took it for a bug: {end.error}") from end.error
        if end.error.party not in ends:
            raise CheckFailed(f"{where}: the error of {name} names no party: {end.error}") from end.error
        tally.errors[end.error.code] += 1
    return refused


def _label(sent: Sent, labels: Mapping[int, str]) -> str:
    type_ = sent.frame.head[3]
    if type_ in _NAMES:
        return _NAMES[type_]
    return labels.get(int.from_bytes(sent.frame.head[4:8], "little"), "?")


def _place(sent: Sent, labels: Mapping[int, str]) -> str:
    return f"frame {sent.number} from {sent.sender} to {sent.receiver} in '{_label(sent, labels)}'"
