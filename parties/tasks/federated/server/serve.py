"""The server's part of federated learning: it meets the clients, and plays the study over one set of connections."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from functools import partial
from logging import Logger
from typing import Any, Final

from mpc.errors import BeaverlodgeError
from mpc.randomness.streams import os_entropy
from mpc.star.stage import Gather
from parties.base.reporter import Reporter
from parties.show.blocks import duration_text
from parties.tasks.federated.clients.hosted import round_name
from parties.tasks.federated.server.result import server_result
from parties.tasks.federated.server.rounds import ServerState, first_state, play
from parties.tasks.federated.server.state import keeper, kept_state
from parties.tasks.federated.settings import FederatedScenario, Round
from parties.tasks.star.base import Seat
from parties.tasks.star.record import losses
from parties.tasks.star.server import Costs, links_of, meet_and_play
from parties.trust.rounds import new_session
from protocols.aggregation.server import Aggregated, BeforeRelease
from protocols.aggregation.settings import Occasion
from protocols.federated.programs import among, federated_server, plain_server, replay_traffic

FAREWELL: Final = 5.0
"""Seconds in which a server that is started again after the last round tells clients that still wait: it is done."""


def serve(
    scenario: FederatedScenario, seat: Seat, reporter: Reporter, log: Logger, meet: Callable[[], object]
) -> dict[str, Any]:
    """Meet the clients, and play the study, round by round; returns the server's result.

    Args:
        meet: called once, before the clients are waited for; returns when they have been told where to dial.

    Raises:
        TooFewError: too few clients came, or stayed.
        ProtocolError: a client's sums cannot be used.
        DataError: there is no model to be found.
    """
    say = partial(reporter.warn, log)
    state, keep = kept_state(scenario, seat.state) or first_state(scenario), keeper(seat.state)
    if state.history:
        log.info("started again after round %d", state.t - 1)
    links = _Links(scenario, seat, reporter, say, FAREWELL if state.phase == "done" else None)

    def play_all() -> ServerState:
        now = state
        while now.phase != "done":
            links.begins(now)
            now = play(scenario, now, links, keep, say)
        return now

    def result(last: ServerState, costs: Costs) -> dict[str, Any]:
        return server_result(scenario, last, links.session.hex(), costs)

    return meet_and_play(scenario, links.server, seat, log, meet, play_all, result)


class _Links:
    """The star's server for one run of the study: round numbers, attempts, and what went over the links.

    Args:
        join: seconds to wait for the clients; those of the scenario where left out.

    Attributes:
        session: the run's own name.
    """

    def __init__(
        self,
        scenario: FederatedScenario,
        seat: Seat,
        reporter: Reporter,
        say: Callable[[str], None],
        join: float | None = None,
    ) -> None:
        self._scenario = scenario
        self._seat = seat
        self._reporter = reporter
        self._number = seat.first - 1
        self._wasted = 0
        self._began = time.perf_counter()
        self._started: float | None = None  # of the first round that it plays
        self._asked = 0  # clients, in the rounds that it played
        self._shown: str | None = None
        self.session = new_session(seat.first)
        self.server = links_of(scenario, seat, self._stage, say, join)

    def begins(self, state: ServerState) -> None:
        """Begin a round, under a number of its own."""
        self._number += 1
        self._seat.use(self._number)
        self._wasted, self._began = 0, time.perf_counter()
        one, rounds, last = self._scenario, self._scenario.star_rounds, state.phase == "evaluate"
        self._shown = f"round {state.t}{', the last' if last else f' of {rounds}'} ({state.phase})"
        if self._started is None:
            self._started = self._began
        else:
            due = one.count if last else one.count + (rounds - state.t) * one.cohort
            left = (self._began - self._started) / self._asked * due
            most = "at most " if not last and (one.newton or one.task.early_stop is not None) else ""
            self._shown += f", {most}{duration_text(left)} left"
        assert state.phase != "done"
        self._asked += len(one.members(state.phase, state.t))

    def attempt(
        self,
        state: ServerState,
        agreed: Round,
        message: bytes,
        attempt: int,
        only: frozenset[int] | None,
        before_release: BeforeRelease,
    ) -> Aggregated:
        """One attempt at a round. See `Link`."""
        members = agreed.members
        numbers = {i: k for k, i in enumerate(members)}
        these = None if only is None else frozenset(numbers[i] for i in only)

        def noted(survivors: frozenset[int]) -> None:
            before_release(frozenset(members[k] for k in survivors))

        name = round_name(self.session, agreed.phase, agreed.t)
        program: Coroutine[Gather, frozenset[int], Aggregated]
        if self._scenario.plain:
            program = plain_server(agreed.settings, message, these, noted)
        else:
            occasion = Occasion(name, self._number, attempt)
            program = federated_server(agreed.settings, occasion, os_entropy, message, these, noted)
        try:
            done: Aggregated = self.server.run(among(program, members), name, self._number, attempt, members)
        except BeaverlodgeError:
            self._wasted += self.server.counts.total
            raise
        return done

    def account(self, agreed: Round, message: bytes, done: Aggregated) -> dict[str, Any]:
        """The bytes, seconds and clients of a round. See `Link`."""
        everyone = self._scenario.client_names
        names = [everyone[i] for i in agreed.members]
        planned = replay_traffic(agreed.settings, done, len(message)).values()
        counts = self.server.counts
        return {
            "number": self._number,
            **losses(names, done),
            "bytes": {
                "sent": sum(counts.sent.values()),
                "received": sum(counts.received.values()),
                "planned_sent": sum(one.down for one in planned),
                "planned_received": sum(one.up for one in planned),
                "client_sends": max((one.up for one in planned), default=0),
                "client_receives": max((one.down for one in planned), default=0),
                "failed_attempts": self._wasted,
            },
            "seconds": time.perf_counter() - self._began,
        }

    def again(self) -> None:
        """Let clients that are missing connect. See `Link`."""
        self.server.join()

    def _stage(self, stage: str, done: int, total: int) -> None:
        """Report a stage's progress, under its round's number and the time left, as the rounds so far went."""
        self._reporter.stage(stage, done, total, self._shown)
