"""The server's part in a kind over many clients: it meets them, plays the rounds, and states what that took."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging import Logger
from typing import Any, TypeVar

from mpc.errors import BeaverlodgeError
from mpc.star.server import StarLimits, StarServer
from parties.base.memory import peak_memory
from parties.scenario.star import StarScenario
from parties.tasks.star.base import Seat

Played = TypeVar("Played")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Costs:
    """What a server's part took.

    Args:
        seconds: to connect, from then on, and in all.
        computation: processor time of the server's own computation, in seconds.
        memory: the peak, in bytes.
    """

    seconds: Mapping[str, float]
    computation: float
    memory: int

    def party(self, clients: int, sent: int, received: int, **more: int) -> dict[str, Any]:
        """The server's entry in a record.

        Args:
            sent, received: bytes; `more` are others of the kind's own.
        """
        return {
            "role": "server",
            "pid": os.getpid(),
            "clients": clients,
            "bytes_sent": sent,
            "bytes_received": received,
            **more,
            "computation": self.computation,
            "peak_memory": self.memory,
            "seconds": dict(self.seconds),
        }


def links_of(
    scenario: StarScenario,
    seat: Seat,
    listener: Callable[[str, int, int], None],
    say: Callable[[str], None],
    join: float | None = None,
) -> StarServer:
    """The links to all clients, and to the helper.

    Args:
        listener, say: as of a StarServer.
        join: seconds to wait for the clients; the scenario's connect_timeout if left out.
    """
    session = scenario.session
    limits = StarLimits(session.connect_timeout if join is None else join, session.deadline, seat.patience)
    names, digest = scenario.star_names, scenario.meeting
    return StarServer(seat.network, names, digest, limits, listener, say, seat.gone, seat.about, seat.tracer)


def meet_and_play(
    scenario: StarScenario,
    server: StarServer,
    seat: Seat,
    log: Logger,
    meet: Callable[[], object],
    play: Callable[[], Played],
    result: Callable[[Played, Costs], Result],
) -> Result:
    """Wait for the clients, play all rounds, and part; the clients hear whether there is a result.

    Args:
        meet: called once, before the clients are waited for; returns when they have been told where to dial.
        play: plays the rounds.
        result: what follows from what they gave and cost.

    Raises:
        BeaverlodgeError: what `play` or `result` raises.
    """
    started = time.perf_counter()
    code: str | None = BeaverlodgeError.code
    try:
        meet()
        log.info("%d of %d joined", len(server.join()), len(scenario.star_names))
        met, computed = time.perf_counter(), seat.computed()
        played = play()
        computed = seat.computed() - computed
        code = None
        finished = time.perf_counter()
        seconds = {"connect": met - started, "online": finished - met, "total": finished - started}
        return result(played, Costs(seconds, computed, peak_memory()))
    except BeaverlodgeError as error:
        code = error.code
        raise
    finally:
        server.part(code)
