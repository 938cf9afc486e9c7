"""A study of federated learning, round by round: what the server knows between two rounds, and the step from one to the
next.

    scale      (once, if features are standardised) the sums of values and squares  ->  means and deviations
    train      (fedavg, fedprox, fedadam) w <- the server's step from the cohort's mean update     again and again
    newton     (newton) w <- w + F^-1 g, from the gradients and Fisher matrices of all             until it is reached
    evaluate   (once) the figures of the last model on the clients' own held-out rows, and the personal models' gains

`next_state` is a pure function: a server that starts again from a state that was kept goes on as if it had never ended.
`play` plays one round over the links, in as many attempts as it takes. Before anything is asked to be released, the
survivors are `pinned` in the state and it is kept: whatever happens then, for this round's vectors there is one set of
survivors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np

from mpc.errors import DataError, ProtocolError, TooFewError, UsageError
from mpc.ring.array import Array
from parties.tasks.federated.settings import FederatedScenario, Round
from protocols.aggregation.server import Aggregated, BeforeRelease
from protocols.federated.coding import mean_update
from protocols.federated.messages import Message, Phase, write_message
from protocols.federated.newton.steps import Newton
from protocols.federated.noisy import NoisyLayout
from protocols.federated.optimise import Moments, fed_adam, fed_avg, no_moments

Step = Phase | Literal["done"]
_LEAST_DEVIATION: Final = 1e-6  # of half a feature's range: one that hardly varies is left as it is
History = tuple[Mapping[str, Any], ...]

Sums = Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Best:
    """The model with the lowest loss on held-out rows so far, the round that found it, and this loss."""

    loss: float
    t: int
    weights: Array = field(repr=False)


@dataclass(frozen=True, eq=False)
class ServerState:
    """All that a server knows between two rounds.

    Args:
        t, phase: the next logical round, 1, 2, ...; "done" after the last.
        weights: the model that it sends, as the clients will see it: float64 (size,).
        moments: of the server's optimiser.
        means, deviations: of the features (p,), where they are standardised and known; else none.
        best: by the loss on held-out rows, of the models that were tried.
        spent: with [privacy], what each client has spent (clients,), in rho (protocols/privacy/concentrated.py).
        fit, fit_clients: Newton's fit on its way, and the clients whose sums were its last.
        history: of each round that was played, what the record says of it: plain JSON values.
        pinned: the survivors for whom release was asked in round t, in the star's numbers; None before that.
    """

    t: int
    phase: Step
    weights: Array = field(repr=False)
    moments: Moments = field(repr=False)
    means: Array = field(default_factory=lambda: np.zeros(0), repr=False)
    deviations: Array = field(default_factory=lambda: np.zeros(0), repr=False)
    best: Best | None = None
    fit: Newton | None = field(default=None, repr=False)
    fit_clients: tuple[int, ...] | None = None
    history: History = field(default=(), repr=False)
    pinned: frozenset[int] | None = None
    spent: Array = field(default_factory=lambda: np.zeros(0), repr=False)


class Link(Protocol):
    """The server's links to the clients, as a round uses them."""

    def attempt(
        self,
        state: ServerState,
        agreed: Round,
        message: bytes,
        attempt: int,
        only: frozenset[int] | None,
        before_release: BeforeRelease,
    ) -> Aggregated:
        """One attempt at a round; `only`, and what `before_release` is told, are numbers in the star, and the result's
        clients are those of the round: 0, 1, ...

        Raises:
            TooFewError, ProtocolError: it failed.
        """

    def account(self, agreed: Round, message: bytes, done: Aggregated) -> dict[str, Any]:
        """What the record says of the links of the attempt that succeeded, and of those before it."""

    def again(self) -> None:
        """Let clients that are missing connect before the next attempt."""


def first_state(scenario: FederatedScenario) -> ServerState:
    """The state before the first round: the model that everybody starts from.

    It is what the server's user gave, else drawn from the public seed; an own model's weights are 0.

    Raises:
        UsageError: what was given is no such model.
    """
    from mpc.randomness.streams import Stream, derive

    if scenario.start is not None:
        weights = as_sent(scenario, _read_weights(scenario.start, scenario.size))
    elif scenario.newton or scenario.own:
        weights = np.zeros(scenario.size)
    else:
        weights = as_sent(scenario, scenario.model.start(Stream(derive(scenario.public_seed, "federated start"))))
    moments = no_moments(scenario.size, scenario.task.tau if scenario.task.method == "fedadam" else 0.0)
    state = ServerState(1, scenario.phases[0], weights, moments)
    if scenario.privacy is None:
        return state
    from parties.tasks.federated.private import agreed_moments

    means, deviations = agreed_moments(scenario) if scenario.task.standardise else (np.zeros(0), np.zeros(0))
    return replace(state, means=means, deviations=deviations, spent=np.zeros(scenario.count))


def _read_weights(file: Path, size: int) -> Array:
    """The weights in a file of numpy's."""
    try:
        found = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise UsageError(f"{file} cannot be read as weights", "write it with numpy.save") from None
    if not isinstance(found, np.ndarray) or found.shape != (size,) or found.dtype.kind not in "fiu":
        raise UsageError(f"{file} does not hold {size} weights", "give one flat array of as many as the model has")
    if not np.isfinite(found).all():
        raise UsageError(f"{file} holds weights that are no numbers", "give finite ones")
    weights: Array = found.astype(np.float64)
    return weights


def message_of(scenario: FederatedScenario, state: ServerState) -> Message:
    """The round's message."""
    assert state.phase != "done"
    weights = np.zeros(0) if state.phase == "scale" else state.weights
    return Message(state.phase, state.t, weights, state.means, state.deviations, scenario.word)


def as_sent(scenario: FederatedScenario, weights: Array) -> Array:
    """The weights as clients will see them: float32 where they go as float32."""
    with np.errstate(over="ignore"):  # what is too large is refused by `write_message`
        sent: Array = weights.astype(f"<f{scenario.word}").astype(np.float64)
    return sent


def play(
    scenario: FederatedScenario,
    state: ServerState,
    link: Link,
    keep: Callable[[ServerState], None],
    say: Callable[[str], None],
) -> ServerState:
    """Play the state's round; returns the state after it.

    Args:
        keep: called with the state before anything is released in the round, and with the state after it.
        say: takes lines for the user.

    Raises:
        TooFewError: too few clients came, or stayed, in every attempt. A training round for which release was asked is
            given up instead, and the next one, of other batches, is played.
        ProtocolError: a client's sums cannot be used, in a round that cannot be left out.
        DataError: there is no model to be found.
    """
    assert state.phase != "done"
    agreed = scenario.round(state.phase, state.t, state.weights)
    message = write_message(message_of(scenario, state))
    failed: list[str] = []

    def pin(survivors: frozenset[int]) -> None:
        nonlocal state
        state = replace(state, pinned=survivors)
        keep(state)

    for attempt in range(1, scenario.task.attempts + 1):
        try:
            done = link.attempt(state, agreed, message, attempt, state.pinned, pin)
            sums = decode_sums(scenario, agreed, done)
            found = _account(scenario, state, agreed, message, done, link, failed)
            survivors = tuple(agreed.members[k] for k in done.survivors)
            after = next_state(scenario, state, agreed, sums, survivors, found)
        except (TooFewError, ProtocolError) as error:
            failed.append(error.message)
            if attempt < scenario.task.attempts and isinstance(error, TooFewError):
                say(f"attempt {attempt} at {_round_text(state)} failed: {error.message}; it is repeated")
                link.again()
                continue
            if state.phase != "train" or (state.pinned is None and isinstance(error, TooFewError)):
                raise type(error)(f"{_round_text(state)}: {error.message}", error.hint) from None
            say(f"{_round_text(state)} gave nothing: {error.message}; the model stays as it is")
            after = give_up(scenario, state, failed)
        keep(after)
        return after
    raise AssertionError


def decode_sums(scenario: FederatedScenario, agreed: Round, done: Aggregated) -> Sums:
    """The sums of a round's parts.

    Raises:
        ProtocolError: they are none of values in the agreed ranges: a client lied.
    """
    if isinstance(agreed.layout, NoisyLayout):
        return agreed.layout.decode(done.total, scenario.signs(agreed.phase, agreed.t))
    if not scenario.plain:
        return agreed.layout.decode(done.total, len(done.survivors))
    found = {}
    for part, place in agreed.layout.places():
        total, slack = done.total[place], 1e-9 * len(done.survivors) * max(abs(part.low), abs(part.high))
        low, high = len(done.survivors) * part.low - slack, len(done.survivors) * part.high + slack
        if not np.all((low <= total) & (total <= high)):
            raise ProtocolError(
                f"the sum of {part.name} is none of values in their range", "a client sent others; it is not used"
            )
        found[part.name] = total
    return found


def next_state(
    scenario: FederatedScenario,
    state: ServerState,
    agreed: Round,
    sums: Sums,
    survivors: tuple[int, ...],
    found: Mapping[str, Any],
) -> ServerState:
    """The state after a round: a function of what went before and of the sums of its vectors alone.

    Args:
        survivors: whose vectors are in them, by number in the star.
        found: what the record says of the round's clients and links.

    Raises:
        ProtocolError: a mean update is longer than clipping allows.
        DataError: Newton's method found no fit.
    """
    from parties.tasks.federated.figures import round_figures

    state, cost = _charge(scenario, state, agreed.phase, survivors, len(agreed.members))
    figures = round_figures(scenario, agreed, sums, len(survivors))
    history = (*state.history, {**found, **figures, **cost})
    state = replace(state, t=state.t + 1, pinned=None, history=history)
    if agreed.phase == "scale":
        means, deviations = moments_of(scenario, sums)
        return replace(state, phase=scenario.phases[1], means=means, deviations=deviations)
    if agreed.phase == "newton":
        from parties.tasks.federated.server.newton import after_newton

        return after_newton(scenario, state, agreed, sums, survivors)
    if agreed.phase == "evaluate":
        return replace(state, phase="done")
    state = _keep_best(scenario, state, agreed.t, figures.get("loss"))
    weights, moments = server_step(scenario, state, agreed, sums, len(survivors))
    state = replace(state, weights=as_sent(scenario, weights), moments=moments)
    return _next_phase(scenario, state)


def _charge(
    scenario: FederatedScenario, state: ServerState, phase: Phase, survivors: tuple[int, ...], asked: int
) -> tuple[ServerState, dict[str, Any]]:
    """The state with what a round's clients have spent, and what the record says of it; the same without [privacy]."""
    if scenario.privacy is None:
        return state, {}
    from parties.tasks.federated.private import epsilon_spent, spend

    spent = spend(scenario, phase, state.spent, survivors, asked)
    return replace(state, spent=spent), {"epsilon": epsilon_spent(scenario, spent)}


def give_up(scenario: FederatedScenario, state: ServerState, failed: list[str]) -> ServerState:
    """The state after a training round that gave nothing: the same model, and the next round's draws.

    With [privacy] all that were asked have paid for the noise of the fewest: its sum may have been opened.
    """
    one: dict[str, Any] = {"round": state.t, "phase": state.phase, "clients": 0, "failed_attempts": list(failed)}
    asked = scenario.members("train", state.t)
    state, cost = _charge(scenario, state, "train", asked, 0)
    one |= cost
    return _next_phase(scenario, replace(state, t=state.t + 1, pinned=None, history=(*state.history, one)))


def moments_of(scenario: FederatedScenario, sums: Sums) -> tuple[Array, Array]:
    """Each feature's mean and deviation (p,) over all clients' rows, from sums of values scaled to their range.

    Raises:
        DataError: there are no rows.
    """
    low, high = scenario.ranges()
    rows = float(sums["rows"][0])
    if rows == 0:
        raise DataError("the clients have no rows", "see `missing`, and their data")
    middle, half = (low + high) / 2, (high - low) / 2
    mean = sums["values"] / rows
    variance = np.maximum(sums["squares"] / rows - mean**2, 0.0)
    deviation = np.sqrt(variance)
    return middle + half * mean, half * np.where(deviation > _LEAST_DEVIATION, deviation, 1.0)


def server_step(
    scenario: FederatedScenario, state: ServerState, agreed: Round, sums: Sums, summed: int
) -> tuple[Array, Moments]:
    """The next model and the optimiser's moments, from the sum of weighted updates.

    Raises:
        ProtocolError: the mean update is longer than the clipping norm, or weighs nothing: a client lied.
    """
    task = scenario.task
    if isinstance(agreed.layout, NoisyLayout):
        mean = sums["update"] / summed
    else:
        total = float(sums["weight"][0]) / (task.most_rows if scenario.by_rows else 1)
        mean, _ = mean_update(sums["update"], total, task.clip, agreed.layout.bound("update", summed))
    if task.method == "fedadam":
        return fed_adam(state.weights, mean, state.moments, scenario.server_rate, task.beta1, task.beta2, task.tau)
    return fed_avg(state.weights, mean, state.moments, scenario.server_rate, task.momentum)


def _keep_best(scenario: FederatedScenario, state: ServerState, t: int, loss: float | None) -> ServerState:
    """The state with the received model of round t as the best, if its loss on held-out rows is the lowest."""
    if loss is None or (state.best is not None and state.best.loss <= loss):
        return state
    return replace(state, best=Best(loss, t, state.weights))


def _next_phase(scenario: FederatedScenario, state: ServerState) -> ServerState:
    """The state, turned to the last round once there is no other: that of all rounds, or of an early stop."""
    task, first = scenario.task, len(scenario.phases) - 1
    if task.early_stop is not None and state.best is not None and state.t - 1 - state.best.t >= task.early_stop:
        return replace(state, phase="evaluate", weights=state.best.weights)
    if state.t - first < task.rounds:
        return state
    return replace(state, phase="evaluate")


def _account(
    scenario: FederatedScenario,
    state: ServerState,
    agreed: Round,
    message: bytes,
    done: Aggregated,
    link: Link,
    failed: list[str],
) -> dict[str, Any]:
    """What the record says of a round's clients and links."""
    return {
        "round": state.t,
        "phase": state.phase,
        "clients": len(done.survivors),
        "of": len(agreed.members),
        "failed_attempts": list(failed),
        **link.account(agreed, message, done),
    }


def _round_text(state: ServerState) -> str:
    return f"round {state.t} ({state.phase})"
