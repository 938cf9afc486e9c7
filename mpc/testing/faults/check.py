"""check_faults: after any fault of a message or a party, a run recovers to the same bits or ends in a clear error.

The parties run the code of production (channel, session, handshake, play) over a network in virtual time. One run goes
well; then every frame of it, by its number, has each kind of fault, one run each, and some runs have several. All is
below the session's tags: an altered frame keeps the tag of the one that was sent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from mpc.errors import BeaverlodgeError, InternalError
from mpc.faults.fault import AWAY, Fault, Kind
from mpc.faults.planted import LABELS, Planted, strike
from mpc.faults.wires import Sent
from mpc.links.channel import Limits
from mpc.links.session import Frame
from mpc.links.wire import ABORT, RESUME, SIGN, label_code
from mpc.randomness.streams import Entropy, derive
from mpc.runtime.inputs import Input, Sizes
from mpc.runtime.round import HEADER_BYTES
from mpc.runtime.speed import LinkSpeed
from mpc.testing.cases.failure import CheckFailed
from mpc.testing.cases.inputs import complete
from mpc.testing.cases.programs import Case, Protocol, same_results, taken_case
from mpc.testing.faults.member import Played, take_part
from mpc.testing.faults.virtual import End, Smooth, Trouble, VirtualNetwork, VirtualWires, every_link

LIMITS = Limits(connect=5.0, deadline=5.0, patience=2.0)
_FOR_GOOD = 1e6  # seconds
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
    "sender stops",
    "sender dies",
)
"""A frame's faults in `check_faults`. Dropped: the connection breaks and comes back, as TCP's would; unnoticed: its
sender learns of that only when it is back. Cut for good: the connection never comes back. Reordered: the next frame
overtakes it. Sender stops: its process stands still for half a deadline."""

HARMLESS = ("dropped", "dropped unnoticed", "delayed", "repeated", "sender stops")
"""The faults that a session must survive, to its very last frame."""


def fault_at(kind: str, frame: int, place: int = 0, limits: Limits = LIMITS) -> Fault:
    """The fault of one of `KINDS` at the frame of one number; `place` picks the bit or the length."""
    kinds: dict[str, tuple[Kind, float]] = {
        "dropped": ("drop", AWAY),
        "dropped unnoticed": ("drop unnoticed", AWAY),
        "cut for good": ("drop", _FOR_GOOD),
        "delayed": ("delay", limits.deadline / 2),
        "delayed too long": ("delay", limits.deadline * _LONG),
        "repeated": ("repeat", 0.0),
        "reordered": ("overtake", AWAY),
        "truncated": ("truncate", 0.0),
        "header altered": ("alter header", 0.0),
        "payload altered": ("alter payload", 0.0),
        "sender stops": ("stop", limits.deadline / 2),
        "sender dies": ("kill", 0.0),
    }
    what, seconds = kinds[kind]
    return Fault(what, frame=frame, seconds=seconds, place=place)


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


class Meddler(Planted):
    """Planted faults, those too that only a network in virtual time can have."""

    def disturb(self, sent: Sent, net: VirtualWires) -> bool:  # type: ignore[override]  # of virtual time only
        """Called with every frame that is handed over; True if it was handled, else it is carried as usual."""
        fault = self.due(sent)
        if fault is None:
            return False
        match fault.kind:
            case "drop unnoticed":
                net.cut(sent.sender, sent.receiver, fault.seconds, unnoticed_by=sent.sender)
            case "repeat":
                net.carry(sent)
                net.carry(sent)
            case "overtake":
                net.overtake(sent, fault.seconds)
            case "truncate" | "alter header" | "alter payload":
                net.carry(Sent(sent.number, sent.sender, sent.receiver, altered(sent.frame, fault)))
            case _:
                return strike(fault, sent, net)
        return True


def altered(frame: Frame, fault: Fault) -> Frame:
    """The frame cut short, or with one bit turned in its header or payload (where it has none, in its header)."""
    whole = bytearray(frame.head + frame.body)
    if fault.kind == "truncate":
        del whole[fault.place % len(whole) :]
    else:
        start, end = (HEADER_BYTES, len(whole)) if fault.kind == "alter payload" and frame.body else (0, HEADER_BYTES)
        bit = fault.place % (8 * (end - start))
        whole[start + bit // 8] ^= 1 << (bit % 8)
    return Frame(bytes(whole[:HEADER_BYTES]), bytes(whole[HEADER_BYTES:]))


def play(
    case: Case,
    trouble: Trouble,
    entropy: Mapping[str, Entropy],
    limits: Limits = LIMITS,
    horizon: float = 60.0,
    speed: Callable[[str, str], LinkSpeed] = every_link,
) -> tuple[dict[str, End], VirtualNetwork]:
    """One run of a case in virtual time, over links of this speed. `Planted` faults hear of the parties' stages."""
    names = (*case.owners, "helper")
    net = VirtualNetwork(names, trouble, horizon, speed)

    def live(name: str) -> Played:
        def enters(stage: str, done: int, total: int) -> None:
            if isinstance(trouble, Planted):
                trouble.enters(name, stage, done, net)

        return take_part(case, name, net.end_of(name), limits, entropy, enters)

    return net.run({name: partial(live, name) for name in names}), net


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
    for kind, named in _faults(len(net.sent), kinds, every, places, several, seed, limits):
        names = {fault: name for name, fault in named}
        faults = list(names)
        trouble = Meddler(faults)
        horizon = net.time + sum(_allowance(fault, limits) for fault in faults)
        after, broken = play(case, trouble, entropy, limits, horizon)
        where = "; ".join(f"{names[fault]}, {_place(hit, labels)}" for fault, hit in trouble.hit)
        refused = _judge(where or kind, smooth, after, broken, tally)
        if refused and kind in HARMLESS:
            raise CheckFailed(f"{where}: a session lives through that, but the run ended with: {refused}")
        (tally.refused if refused else tally.recovered)[kind] += 1
        tally.longest = max(tally.longest, broken.time)
    return Faults(len(net.sent), tally.recovered, tally.refused, tally.errors, tally.longest)


def _allowance(fault: Fault, limits: Limits) -> float:
    """The longest that one fault may keep a party: its own length, one deadline, and the patience after that."""
    lasts = AWAY if fault.seconds >= _FOR_GOOD else max(fault.seconds, AWAY)
    return lasts + max(limits.connect, limits.deadline) + limits.patience + _FAREWELL


def _faults(
    frames: int, kinds: Sequence[str], every: int, places: int, several: int, seed: int, limits: Limits
) -> Iterator[tuple[str, list[tuple[str, Fault]]]]:
    """Of each run: what it is counted as, and its faults with their kinds."""
    for kind in kinds:
        choices = places if kind in ("truncated", "header altered", "payload altered") else 1
        for number in range((frames - 1) % every // 2, frames, every):
            for k in range(choices):
                yield kind, [(kind, fault_at(kind, number, _drawn(seed, kind, number, k), limits))]
    for run in range(several if frames else 0):
        count = 2 + _drawn(seed, "count", run) % 3
        picked = {_drawn(seed, "frame", run, k) % frames for k in range(count)}
        picks = [kind for kind in kinds if kind in HARMLESS] or kinds if run % 2 else kinds  # every second may recover
        chosen = [
            (picks[_drawn(seed, "kind", run, k) % len(picks)], number, _drawn(seed, "place", run, k))
            for k, number in enumerate(sorted(picked))
        ]
        yield "several", [(kind, fault_at(kind, number, place, limits)) for kind, number, place in chosen]


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
