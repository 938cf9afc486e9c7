"""One fault of a run: what happens, to whom, and when. Data only: it travels to the process where it strikes."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

Kind = Literal[
    "delay",
    "drop",
    "stop",
    "kill",
    "restart",
    "vanish",
    "leave",
    "drop unnoticed",
    "repeat",
    "overtake",
    "truncate",
    "alter header",
    "alter payload",
]
"""What happens.

Delay: a message is late, and all that follow it. Drop: the connection breaks under a message, which is lost with it,
and comes back. Stop: the party's process stands still. Kill: it ends at once; restart: and is started again. Vanish:
one of many clients in a process says nothing any more; leave: it takes no further part in this attempt at a round.

The others are for networks in virtual time: a sender that learns of the break only when the connection is back; a
message that comes twice, is overtaken by the next, is cut short, or has a bit turned.
"""

AWAY: Final = 0.5
"""Seconds that a broken connection takes to come back, where nothing else is said."""


@dataclass(frozen=True)
class Fault:
    """A fault.

    It strikes at one message or at each with a probability, when a party comes to a stage, or at a time.

    Args:
        kind: what happens.
        party: whose message it strikes, or whose process; None: anybody's.
        peer: whom the message is for; None: anybody.
        label: of the message's round; None: any message of a run, of the handshake too.
        number: which of these messages of one link, from 1.
        probability: with which it strikes each of these messages instead.
        stage, step: the stage at whose beginning it strikes, or when it has come so far.
        of: whose stage that is, where the processes have a launcher; None: the party's own.
        at: seconds after the parties have met.
        frame: which frame of a whole run in virtual time, of whomever, from 0; signs and resends count.
        seconds: how long it lasts.
        place: picks the bit or the length where there is a choice.
    """

    kind: Kind
    party: str | None = None
    peer: str | None = None
    label: str | None = None
    number: int = 1
    probability: float | None = None
    stage: str | None = None
    step: int = 0
    of: str | None = None
    at: float | None = None
    frame: int | None = None
    seconds: float = AWAY
    place: int = 0

    @property
    def of_messages(self) -> bool:
        """Whether it waits for a message, rather than for a stage or a time."""
        return self.stage is None and self.at is None

    def __str__(self) -> str:
        return f"{self._what()} {self._when()}".strip()

    def _what(self) -> str:
        who = self.party or "anybody"
        if self.kind in ("stop", "kill", "restart"):
            done = {
                "stop": f"stops for {self.seconds:g} s",
                "kill": "is killed",
                "restart": "is killed and started again",
            }
            return f"{who} {done[self.kind]}"
        link = f"of {who}" + (f" to {self.peer}" if self.peer is not None else "")
        if self.at is not None:
            return f"the connection of {who} and {self.peer} is lost for {self.seconds:g} s"
        done = {
            "delay": f"comes {self.seconds:g} s late",
            "drop": f"is lost with its connection, for {self.seconds:g} s",
        }
        return f"a message {link} {done.get(self.kind, f'has the fault: {self.kind}')}"

    def _when(self) -> str:
        if self.at is not None:
            return f"after {self.at:g} s"
        if self.stage is not None:
            whose = f" of {self.of}" if self.of is not None else ""
            return f"in '{self.stage}'" + (f", step {self.step}" if self.step else "") + whose
        if self.frame is not None:
            return f"at frame {self.frame}"
        where = "" if self.label is None else f" in '{self.label}'"
        if self.probability is not None:
            return f"at each message{where} with probability {self.probability:g}"
        return f"at message {self.number}{where}"


def vanishing(stage: str | None) -> Fault | None:
    """The fault of a client that vanishes in a stage; none where it is None."""
    return None if stage is None else Fault("vanish", stage=stage)


def write_fault(fault: Fault) -> dict[str, Any]:
    """A fault as plain JSON values."""
    return asdict(fault)


def read_fault(fields: dict[str, Any]) -> Fault:
    """A fault that `write_fault` wrote."""
    return Fault(**fields)
