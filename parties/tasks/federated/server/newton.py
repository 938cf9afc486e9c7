"""Newton's rounds at the server: from the pooled sums at one model to the next, until the fit is reached."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from mpc.errors import DataError
from mpc.ring.array import Array
from protocols.federated.newton.fit import coefficients_table, glm_fit
from protocols.federated.newton.steps import Newton, newton_step, pooled, start

if TYPE_CHECKING:
    from parties.tasks.federated.server.rounds import ServerState
    from parties.tasks.federated.settings import FederatedScenario, Round


def after_newton(
    scenario: FederatedScenario,
    state: ServerState,
    agreed: Round,
    sums: Mapping[str, Array],
    survivors: tuple[int, ...],
) -> ServerState:
    """The state after a round of sums; the last round is next once the fit is reached.

    Raises:
        DataError: there is no fit, or it was not reached in the rounds that were agreed.
    """
    fit: Newton = state.fit or start(scenario.family, len(scenario.task.features))
    same = state.fit_clients is None or state.fit_clients == survivors
    layout = scenario.newton_layout(state.weights)
    fit = newton_step(fit, pooled(state.weights, sums, layout, len(survivors)), same=same)
    done = replace(state, weights=fit.at, fit=fit, fit_clients=survivors)
    if fit.reached:
        return replace(done, phase="evaluate")
    if state.t - (len(scenario.phases) - 1) >= scenario.training_rounds:
        raise DataError(
            f"the fit was not reached in {scenario.training_rounds} rounds",
            "raise `rounds`, if fewer than ten; else features may separate the classes, or clients are others in each",
        )
    return done


def fit_record(scenario: FederatedScenario, state: ServerState) -> dict[str, Any]:
    """The fit in the columns' own units, as a record has it.

    Raises:
        DataError: it was not reached.
    """
    assert state.fit is not None
    target = scenario.target_units if scenario.family == "linear" else None
    fit = glm_fit(state.fit, scenario.newton_units(state.means), target)
    rows = coefficients_table(fit, scenario.task.features)
    test = "t" if fit.family == "linear" else "z"
    return {
        "coefficients": [
            {test if key == "statistic" else key: value for key, value in asdict(row).items()} for row in rows
        ],
        "test": test,
        "rows": fit.rows,
        "df": fit.df,
        "steps": fit.steps,
        "dispersion": fit.dispersion,
        "deviance": fit.deviance,
        "null_deviance": fit.null_deviance,
        "rounding_in_standard_errors": fit.error,
        "distance_in_standard_errors": fit.left,
    }
