"""Rounds of federated learning in lockstep: some clients of a star, each with any vector."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from mpc.randomness.streams import insecure_entropy
from mpc.ring.array import Array
from mpc.star.lockstep import StarOutcome, StarTap, run_star
from protocols.aggregation.settings import Occasion, Settings, Trust
from protocols.federated.messages import Message, write_message
from protocols.federated.programs import (
    Contribution,
    among,
    federated_client,
    federated_server,
    plain_client,
    plain_server,
)
from tests.protocols.aggregation.rounds import FIRST, Memory, trust_for

LONGEST = 4096
MODEL = Message("train", 1, np.array([0.5, -2.0, 3.0]), word=4)


@dataclass
class Star:
    """A star of which some clients are drawn; their vectors, by number in the star."""

    members: tuple[int, ...]
    settings: Settings
    vectors: Mapping[int, Array]
    journals: dict[int, Memory]

    def work(self, message: Message, i: int) -> Contribution:
        return Contribution(self.members, self.settings, self.vectors[i])

    def play(
        self,
        tap: StarTap | None = None,
        *,
        models: Mapping[int, Message] | None = None,
        occasion: Occasion = FIRST,
        plain: bool = False,
        only: frozenset[int] | None = None,
        note: Callable[[frozenset[int]], None] = lambda survivors: None,
        message: Message = MODEL,
        asked: tuple[int, ...] | None = None,
    ) -> StarOutcome:
        """One attempt; `asked` are the clients of whom the server thinks that they were drawn."""
        body, label = write_message(message), f"{occasion.round}/{occasion.attempt}"
        signing = trust_for(Settings(**{**vars(self.settings), "clients": max(self.vectors) + 1}))

        def program(i: int) -> Callable[[], object]:
            trust: Trust | None = signing[i]

            def work(message: Message) -> Contribution:
                return self.work(message, i)

            if plain:
                return lambda: plain_client(i, LONGEST, work)
            entropy = insecure_entropy(7, f"client {i}/{label}")
            return lambda: federated_client(i, LONGEST, occasion, work, entropy, self.journals[i], trust)

        server = (
            plain_server(self.settings, body, only, note)
            if plain
            else federated_server(self.settings, occasion, insecure_entropy(7, f"server/{label}"), body, only, note)
        )
        programs = {i: program(i) for i in self.vectors}
        return run_star(among(server, asked or self.members), programs, tap)  # type: ignore[arg-type]
