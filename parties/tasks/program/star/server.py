"""The server's part: it meets the clients, and runs the author's function once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from logging import Logger
from typing import Any

from mpc.errors import TooFewError
from mpc.star.members import Server, served
from mpc.star.play import SESSION, Played, too_few
from parties.base.reporter import Reporter
from parties.tasks.program.star.data import shapes_of
from parties.tasks.program.star.play import entropy_of, pair_of, server_program
from parties.tasks.program.star.record import server_part
from parties.tasks.program.star.settings import StarProgramScenario
from parties.tasks.star.base import Seat
from parties.tasks.star.server import Costs, links_of, meet_and_play
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
    pair, name = pair_of(scenario), scenario.server
    server = links_of(scenario, seat, reporter.stage, partial(reporter.warn, log))
    session = session_of(scenario, seat.first)
    s = Server(scenario.count, session, entropy_of(scenario)(name), shapes_of(scenario))

    def play() -> Any:
        seat.use(seat.first)
        try:
            return server.run(served(s, server_program(pair, s, name)), session, seat.first, 1)
        except TooFewError as error:
            raise too_few(error, next(iter(server.counts.refused.values()), "")) from None

    def result(returned: Any, costs: Costs) -> tuple[Any, dict[str, Any]]:
        counts = server.counts
        sent, received = sum(counts.sent.values()), sum(counts.received.values())
        return returned, costs.party(len(s.stages[-1].answered), sent, received)

    returned, party = meet_and_play(scenario, server, seat, log, meet, play, result)
    # The plan is made once more in there: the clients do not wait for it.
    return server_part(scenario, pair, Played(tuple(s.stages), tuple(s.learnt), result=returned), session, party)
