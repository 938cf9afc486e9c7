"""The ring's bits in the plan: the precision and the limit of each number of a training, in the chosen form."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from protocols.rows.settings import TrainingSettings

_FORMS = {
    "primal": "one number a column: three rounds a step",
    "dual": "one number a row, by the matrix of the rows' products (dual): two rounds a step, which costs less here",
}


def bits_facts(settings: TrainingSettings) -> dict[str, Any]:
    """The form, its fractional bits and limits, and the sigmoid's approximation, as `mpc plan --json` has them."""
    from protocols.rows.limits import X_LIMIT
    from protocols.training.bit_budget import WEIGHT_LIMIT
    from protocols.training.form import bits_for, choose_fit, choose_form

    fit = choose_fit(settings)
    return {
        "ring": 64,
        "form": choose_form(settings),
        **asdict(bits_for(settings)),
        "largest_feature": X_LIMIT,
        "largest_weight": WEIGHT_LIMIT,
        "sigmoid": {"range": fit.reach, "period": fit.period, "terms": len(fit.coefficients), "error": fit.error},
    }


def form_text(facts: dict[str, Any]) -> str:
    """The chosen form and its meaning."""
    return f"Trained by {_FORMS[facts['form']]}."


def bits_rows(facts: dict[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Each quantity with its fractional bits and its limit."""
    features = ("features", str(facts["x"]), f"|x| up to {facts['largest_feature']:g}")
    coefficients = ("the sigmoid's coefficients", str(facts["coefficients"]), "rate / batch folded in")
    if "rows" in facts:
        return (
            features,
            ("weights and momentum", str(facts["w"]), f"|w| up to {facts['limit']:g}"),
            ("rows as the gradient has them", str(facts["rows"]), "times the Hessian's inverse, if there is one"),
            (
                "errors of the sigmoid's answer",
                str(facts["e"]),
                f"and {facts['e_shift']} bits more, which are cut",
            ),
            coefficients,
        )
    if facts["form"] == "dual":
        return (
            features,
            ("products of rows", str(facts["g"]), "standardised, so at most rows x features"),
            ("the rows' numbers", str(facts["u"]), "bounded by the rate and the number of steps"),
            ("the helper's sines", str(facts["waves"]), ""),
            coefficients,
        )
    return (
        features,
        ("weights", str(facts["w"]), f"|w| up to {facts['largest_weight']:g}"),
        ("errors of the sigmoid's answer", str(facts["e"]), f"computed with {facts['e_shift']} bits more, then cut"),
        coefficients,
    )
