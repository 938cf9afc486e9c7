"""The server's part of a secure sum: rounds and attempts over one set of connections, and their results."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from logging import Logger
from typing import Any

from mpc.errors import BeaverlodgeError, ProtocolError, TooFewError, UsageError
from mpc.randomness.streams import os_entropy
from mpc.star.server import StarServer
from parties.base.private_files import replace_file
from parties.base.reporter import Reporter
from parties.tasks.secure_sum.ends.result import RoundDone, round_sums, server_result
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.star.base import Seat
from parties.tasks.star.server import links_of, meet_and_play
from parties.trust.rounds import new_session
from protocols.aggregation.messages import CONSISTENCY, DISCLOSED, HIDDEN, UNMASK
from protocols.aggregation.server import aggregation_server
from protocols.aggregation.settings import Occasion


def serve(
    scenario: SumScenario, seat: Seat, reporter: Reporter, log: Logger, meet: Callable[[], object]
) -> dict[str, Any]:
    """Meet the clients, and add up, round by round; returns the server's result.

    Args:
        meet: called once, before the clients are waited for; returns when they have been told where to dial.

    Raises:
        TooFewError: too few clients came, or stayed.
        ProtocolError: too many gave wrong shares.
    """
    say, session = partial(reporter.warn, log), new_session(seat.first)
    server = links_of(scenario, seat, reporter.stage, say)
    return meet_and_play(
        scenario,
        server,
        seat,
        log,
        meet,
        lambda: [_round(scenario, server, seat, session, place, say) for place in range(scenario.task.rounds)],
        lambda rounds, costs: server_result(scenario, rounds, session.hex(), costs),
    )


def _round(
    scenario: SumScenario, server: StarServer, seat: Seat, session: bytes, place: int, say: Callable[[str], None]
) -> RoundDone:
    """One round: attempts at it, until one gives the sum. Each has fresh mask keys, seeds and neighbours.

    Once a client was asked to release anything for a set of survivors, there is no other attempt: it would refuse
    another set, and rightly so, for two sums of one round show their difference.
    """
    number = seat.first + place
    seat.use(number)
    wasted, failed = 0, list[str]()
    for attempt in range(1, scenario.task.attempts + 1):
        occasion = Occasion(session, number, attempt)
        program = aggregation_server(scenario.settings, occasion, os_entropy)
        try:
            done = server.run(program, session, number, attempt)
        except (TooFewError, ProtocolError) as error:
            if attempt == scenario.task.attempts or server.reached in (CONSISTENCY, UNMASK, HIDDEN, DISCLOSED):
                raise _with_earlier_rounds(error, place, scenario.task.rounds) from None
            say(f"attempt {attempt} at round {number} failed: {error.message}; nothing was opened, and it is repeated")
            failed.append(error.message)
            wasted += server.counts.total
            server.join()  # missing clients may connect (again)
            continue
        found = RoundDone(number, attempt, done, server.counts, tuple(failed), wasted)
        if scenario.task.rounds > 1:  # a failure of a later round does not lose this one's sum
            content = json.dumps(round_sums(scenario, found), indent=2, allow_nan=False) + "\n"
            try:
                replace_file(seat.out / f"round_{place + 1}.json", content.encode())
            except UsageError as error:  # the sum was opened; the record may still be written later
                say(f"the sums of round {place + 1} are not kept before the end: {error.message}")
        return found
    raise AssertionError


def _with_earlier_rounds(error: BeaverlodgeError, place: int, rounds: int) -> BeaverlodgeError:
    """The error, with how many rounds gave their sums before."""
    if rounds == 1:
        return error
    kept = f"the sums of rounds 1 to {place} are in round_1.json and so on" if place else "no round was done"
    return type(error)(f"round {place + 1} of {rounds}: {error.message}", f"{error.hint}; {kept}")
