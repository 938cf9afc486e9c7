"""When the faults of a run strike, and what they do then. The same over sockets and in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from mpc.faults.fault import Fault
from mpc.faults.wires import Sent, Strikes, Wires
from mpc.links.channel import LEAVE
from mpc.links.wire import DATA, label_code, peek_sequence, peek_type
from mpc.randomness.streams import derive

LABELS: Final = ("hello", "shapes", "columns", "agree", "seeds", "deal", "credit", "way", "done", LEAVE)
"""The labels that are not a protocol's: of the handshake, of the dealing and of the parting."""

STAGES: Final = ("start", "data", "connecting", "handshake", "running", "dealing", "done")
"""The stages that are not a program's."""

_DRAWS = 2**53


def _nobody(place: int, peer: str | None) -> None:
    """Hears of no fault."""


class Planted:
    """The faults of a run, as one party's process or a whole network in virtual time sees them.

    A message that is sent again after a break is the same message: it strikes nothing a second time.

    Args:
        faults: all of them; those of other parties than the sender's strike nothing here.
        seed: of those that strike with a probability: by it, by the link and by the message's number in the session
            alone, so that equal runs have equal faults.
        struck: called when a fault strikes, before anything else happens, with its place among them, and whom the
            message is for.
        done: the places of those that have struck already, in a process before this one.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        seed: int = 0,
        struck: Callable[[int, str | None], None] = _nobody,
        done: Iterable[int] = (),
    ) -> None:
        self._faults = tuple(faults)
        self._seed = seed
        self._struck = struck
        self._newest: dict[tuple[str, str], int] = {}  # by link: the number of its newest message
        self._counts: dict[tuple[int, str, str], int] = {}  # by fault and link: the messages that it was about
        self._done = set(done)
        self.hit: list[tuple[Fault, Sent]] = []

    def due(self, sent: Sent) -> Fault | None:
        """The fault that strikes at a frame, if one does; called once with each that is handed over."""
        new = self._is_new(sent)
        found = [place for place, fault in enumerate(self._faults) if self._strikes(place, fault, sent, new=new)]
        if not found:
            return None
        fault = self._faults[found[0]]
        self._done |= {place for place in found if self._faults[place].probability is None}
        self.hit.append((fault, sent))
        self._struck(found[0], sent.receiver)
        return fault

    def disturb(self, sent: Sent, net: Wires) -> bool:
        """Called with every frame that is handed over; True if it was handled, else it is carried as usual."""
        fault = self.due(sent)
        return fault is not None and strike(fault, sent, net)

    def enters(self, name: str, stage: str, step: int, net: Strikes) -> None:
        """Called when a party comes to a step of a stage."""
        for place, fault in enumerate(self._faults):
            whose = fault.party if fault.of is None else fault.of
            if whose == name and fault.stage == stage and step >= fault.step and place not in self._done:
                self._done.add(place)
                self._struck(place, None)
                if fault.party == name:  # else the launcher, which has heard of it, strikes the other
                    strike_process(fault, name, net)

    def _is_new(self, sent: Sent) -> bool:
        """Whether a frame is a message that was not sent before, rather than a repeat, a sign or a greeting."""
        head, link = memoryview(sent.frame.head), (sent.sender, sent.receiver)
        if peek_type(head) != DATA or peek_sequence(head) <= self._newest.get(link, -1):
            return False
        self._newest[link] = peek_sequence(head)
        return True

    def _strikes(self, place: int, fault: Fault, sent: Sent, *, new: bool) -> bool:
        if place in self._done or not fault.of_messages:
            return False
        if fault.frame is not None:
            return fault.frame == sent.number
        if not new or fault.party not in (None, sent.sender) or fault.peer not in (None, sent.receiver):
            return False
        head = memoryview(sent.frame.head)
        if fault.label is not None and int.from_bytes(head[4:8], "little") != label_code(fault.label):
            return False
        if fault.probability is not None:
            what = f"fault {place}/{sent.sender}/{sent.receiver}/{peek_sequence(head)}"
            drawn = derive(self._seed.to_bytes(8, "little", signed=True), what)[:8]
            return int.from_bytes(drawn, "little") % _DRAWS < fault.probability * _DRAWS
        key = place, sent.sender, sent.receiver
        self._counts[key] = self._counts.get(key, 0) + 1
        return self._counts[key] == fault.number


def strike(fault: Fault, sent: Sent, net: Wires) -> bool:
    """Carry out a fault on a frame, its connection or its sender; returns whether the frame was handled with it."""
    match fault.kind:
        case "delay":
            net.carry(sent, later=fault.seconds)
        case "drop":
            net.cut(sent.sender, sent.receiver, fault.seconds)
        case _:
            strike_process(fault, sent.sender, net)
            return False
    return True


def strike_process(fault: Fault, name: str, net: Strikes) -> None:
    """Carry out a fault on a party's process."""
    if fault.kind == "stop":
        net.stop(name, fault.seconds)
    elif fault.kind in ("kill", "restart"):
        net.die(name)
