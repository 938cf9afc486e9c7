"""The parts of a plan that only a training has: its steps, its solver, its bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from parties.scenario.file import Scenario
from parties.show.blocks import Block, Grid, Line, count_text, plural
from parties.tasks.base import PlanText
from parties.tasks.logistic.plan_bits import bits_facts, bits_rows, form_text
from parties.tasks.logistic.plan_solver import solver_text, steps_text, training_facts
from parties.tasks.logistic.settings.task import LogisticTask
from protocols.rows.settings import TrainingSettings

USES: Final[Mapping[str, str]] = {
    "OwnMasks": "hiding each owner's own rows, once for the whole run",
    "Uniform": "hiding rows by class weights, less secret means, or of split columns; products of rows (dual form)",
    "HeldGram": "the Hessian (newton)",
    "BitsOfWideMask": "comparing the features' spreads with powers of two (private standardisation)",
    "HeldSquare": "products of rows with each other (dual form, private standardisation)",
    "CrossBlocks": "products of one owner's rows with another's (dual form)",
    "Truncation": "cutting products to fewer bits",
    "HeldProduct": "the rows times the weights (or their products times the rows' numbers), at each step",
    "HeldCombination": "the weights at the end (dual form)",
    "SineMask": "the sigmoid, at each step",
    "HeldTransposeProduct": "the gradient, at each step",
    "HeldProducts": "all scores once more, for the range check; the Hessian's inverse times the rows (newton)",
    "BitsOfMask": "comparing, in the range check, of the owners' ranges, and of the model's cells",
    "NoisyLift": "the weights in their columns' own units",
    "WideTruncation": "cutting those weights to fewer bits, and the means",
    "MultiplyTriple": "products of bits, for the same; rows by class weights; weights by scales",
    "AnyBit": "one answer for many bits, for the same; whether ids are the same (split columns)",
    "MatmulTriple": "the AUC: pairs that are ranked right; the Hessian's inverse (newton)",
    "PairTriple": "the AUC: pairs of rows of two owners",
    "BitProduct": "scores beyond what the sigmoid is right for, in the metrics (split columns, or a shared model)",
    "BitNumber": "comparisons' answers as numbers, in the metrics (the same)",
    "LowerBits": "which of the AUC's bins a score is in (the same)",
    "DigitsOfMask": "how many scores are in each bin (the same)",
}
"""The use of each kind of correlated randomness in a training."""

INFERENCE_USES: Final[Mapping[str, str]] = {
    "OwnMasks": "hiding each owner's own rows and the products of their columns, once for the whole run",
    "Uniform": "hiding the rows and the products of their columns, once for the whole run",
    "Lift": "sums over the rows, into numbers of 256 bits",
    "MatmulTriple": "inverting the Fisher matrix, at each step; the AUC: pairs that are ranked right",
    "PairTriple": "the AUC: pairs of rows of two owners",
    "WideTruncation": "the same: cutting products to fewer bits",
    "HeldProducts": "the scores, at each step",
    "BitsOfMask": "which scores are beyond what the sigmoid is right for; how far scores moved in the last step; "
    "the model without features, and the calibration's cuts and small cells",
    "MultiplyTriple": "products of bits, for the same",
    "BitProduct": "bringing those scores to where it is right",
    "SineMask": "the sigmoid and its slope, at each step",
    "Truncation": "cutting them to fewer bits",
    "HeldCombination": "the gradient and the Fisher matrix, at each step",
    "BitsOfWideMask": "whether inverses are right and weights in range, at the beginning and the end",
    "AnyBit": "one answer for many bits, for the same",
    "NoisyLift": "the coefficients in their columns' own units (split columns)",
    "BitNumber": "comparisons' answers as numbers, in the calibration and in the metrics of split columns",
    "LowerBits": "which of the AUC's bins a score is in (split columns)",
    "DigitsOfMask": "how many scores are in each bin (split columns)",
}
"""The same of a maximum-likelihood fit."""


def training_plan_text(settings: TrainingSettings, scenario: Scenario) -> PlanText:
    """A training's part of a plan."""
    training = training_facts(settings, scenario)
    details: tuple[Block, ...] = ()
    facts: dict[str, Any] = {"training": training}
    if settings.inference is None:
        facts["bits"] = bits_facts(settings)
        details = _bits_blocks(facts["bits"], settings, scenario)
    else:
        details = _inference_blocks(settings)
    rows = {owner: {"train": train, "test": test} for owner, (train, test) in settings.rows_by_owner.items()}
    return PlanText(
        scenario={"rows": rows, "features": settings.features, "steps": settings.step_count},
        facts=facts,
        work=_work_text(settings, training),
        how=(Line(solver_text(training)), *_kept(settings)),
        helper_learns=_helper_learns(settings),
        uses=USES if settings.inference is None else INFERENCE_USES,
        details=details,
    )


def _kept(settings: TrainingSettings) -> tuple[Line, ...]:
    if settings.reveal_model:
        return ()
    text = (
        "Nobody will see the model: each owner keeps a share of it, which says nothing by itself, in a sealed file of "
        "its own, and its quality comes from shared scores. "
        'kind = "predict" scores new rows by it (docs/shared_model.md).'
    )
    return (Line(text, "bold"),)


def _helper_learns(settings: TrainingSettings) -> tuple[str, ...]:
    ends = () if settings.tolerance is None else ("after how many steps the training ends",)
    return (
        "how many training and held-out rows each owner has",
        f"how many features there are ({settings.features}), but none of their values",
        "the scenario's settings, and when the owners ask for more",
        *ends,
    )


def _work_text(settings: TrainingSettings, training: Mapping[str, Any]) -> str:
    train, test = sum(settings.train_rows), sum(settings.test_rows)
    return (
        f"{plural(len(settings.owners), 'owner')} and a helper; {count_text(train)} training and {count_text(test)} "
        f"held-out rows, {plural(settings.features, 'feature')}; {steps_text(training)}."
    )


def _inference_blocks(settings: TrainingSettings) -> tuple[Block, ...]:
    rows = count_text(sum(settings.train_rows))
    text = (
        f"The fit is that of maximum likelihood on the {rows} training rows; with test_fraction = 0 these are all. "
        "Features whose sums separate the classes, or that are sums of each other, have no such fit: then one bit says "
        "so, and nothing of the model is opened."
    )
    lines = [Line(text), *(Line(one) for one in _aside_texts(settings))]
    if settings.inference == "shared":
        return tuple(lines)
    opened = "every owner learns the pooled gradient and Fisher matrix of every step"
    if len(settings.owners) == 2:
        opened += ", and so the other owner's, by taking off its own"
    few = 'With few rows those sums tell much of the rows; inference = "shared" opens none of them.'
    return (*lines, Line(f'inference = "open-fisher": {opened}. {few}', "bold"))


def _aside_texts(settings: TrainingSettings) -> list[str]:
    """What offset, weights and calibration disclose, in sentences."""
    split, texts = settings.partition == "vertical", []
    if settings.weighted:
        opened = "a power of two that no weight is above" if split else "the sum of all weights"
        texts.append(f"Rows are weighted in the fit, and count once in the metrics; {opened} is opened.")
    if settings.offset:
        opened = "the log-likelihood of the fit" if split else "the intercept"
        texts.append(f"Scores have an offset: for the tests of the whole model, {opened} without features is opened.")
    if settings.calibration is not None:
        texts.append(
            "Calibration by tenths of predicted risk, cut where nobody learns: it is opened where counts are below "
            f"{settings.calibration} patients, then the counts, of tenths that are joined there."
        )
    return texts


def _bits_blocks(bits: dict[str, Any], settings: TrainingSettings, scenario: Scenario) -> tuple[Block, ...]:
    rows, fit = bits_rows(bits), bits["sigmoid"]
    if scenario.task_as(LogisticTask).sigmoid_range == "auto" and settings.solver != "sgd":
        why = f'sigmoid_range = "auto": a full-batch solver with l2 {settings.l2:g}'
    elif scenario.task_as(LogisticTask).sigmoid_range == "auto":
        travelled = settings.learning_rate * settings.step_count
        why = f'sigmoid_range = "auto": learning_rate x steps = {travelled:g}'
    else:
        why = f"the scenario asks for sigmoid_range = {scenario.task_as(LogisticTask).sigmoid_range:g}"
    text = (
        f"Scores may reach |z| = {fit['range']:g} ({why}). The sigmoid is a sum of {fit['terms']} sines of period "
        f"{fit['period']}, right to {fit['error']:.1g}. One check of all scores and weights comes before anything of "
        "the model is opened: if one left its range, the run stops and says so."
    )
    title = "How exactly numbers are held: fractional bits, of the 64 that a number has"
    grid = Grid(title, ("of", "bits", "range"), rows, frozenset({0, 2}))
    return grid, Line(form_text(bits)), Line(text)
