"""The server's part: it meets the clients, and runs the author's function once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from logging import Logger
from typing import Any

from mpc.errors import BeaverlodgeError, TooFewError
from mpc.star.members import Server, served
from mpc.star.play import SESSION, Played, too_few
from mpc.star.server import StarLimits, StarServer
from parties.base.memory import peak_memory
from parties.base.reporter import Reporter
from parties.tasks.program.star.data import shapes_of
from parties.tasks.program.star.play import entropy_of, pair_of, server_program
from parties.tasks.program.star.record import server_part
from parties.tasks.program.star.settings import StarProgramScenario
from parties.tasks.star.base import Seat
from parties.trust.rounds import new_session

_FIRST_BYTES = 4


def session_of(scenario: StarProgramScenario, first: int) -> bytes:
    """The session's name: fresh, or under a test seed always the same."""
    if scenario.test_seed is None:
        return new_session(first)
    return entropy_of(scenario)(SESSION)("session") + first.to_bytes(_FIRST_BYTES, "little")


def serve(
    scenario: StarProgramScenario, seat: Seat, reporter: Reporter, log: Logger, meet: Callable[[], object]
) -> dict[str, Any]:
    """Meet the clients, and run the protocol; returns the server's result.

    Args:
        meet: called once, before the clients are waited for; returns when they have been told where to dial.

    Raises:
        BeaverlodgeError: the author's function failed, or too few clients came or stayed.
    """
    pair = pair_of(scenario)
    started = time.perf_counter()
    limits = StarLimits(scenario.session.connect_timeout, scenario.session.deadline, seat.patience)
    names = scenario.star_names

    def say(text: str) -> None:
        log.warning(text)
        reporter.log("warning", text)

    server = StarServer(
        seat.network, names, scenario.meeting, limits, reporter.stage, say, seat.gone, seat.about, seat.tracer
    )
    code: str | None = BeaverlodgeError.code
    try:
        meet()
        log.info("%d of %d joined", len(server.join()), len(names))
        met, computed = time.perf_counter(), seat.computed()
        seat.use(seat.first)
        session = session_of(scenario, seat.first)
        s = Server(scenario.count, session, entropy_of(scenario)(scenario.server), shapes_of(scenario))
        result = server.run(served(s, server_program(pair, s, scenario.server)), session, seat.first, 1)
        code = None
        finished, counts = time.perf_counter(), server.counts
        party = {
            "role": "server",
            "pid": os.getpid(),
            "clients": len(s.stages[-1].answered),
            "bytes_sent": sum(counts.sent.values()),
            "bytes_received": sum(counts.received.values()),
            "computation": seat.computed() - computed,
            "peak_memory": peak_memory(),
            "seconds": {"connect": met - started, "online": finished - met, "total": finished - started},
        }
    except TooFewError as error:
        code = error.code
        raise too_few(error, next(iter(server.counts.refused.values()), "")) from None
    except BeaverlodgeError as error:
        code = error.code
        raise
    finally:
        server.part(code)
    # The plan is made once more in there: the clients do not wait for it.
    return server_part(scenario, pair, Played(tuple(s.stages), tuple(s.learnt), result=result), session, party)
