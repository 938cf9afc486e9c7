"""How good a private logistic regression is, by epsilon: ours, with noise that nobody knows, and diffprivlib's.

    python -m benchmarks.private_models [--repeats 20] [--diffprivlib PYTHON]

Two owners, of rows or of columns, train by noisy gradients with the settings' defaults, by the whole protocol in one
process. diffprivlib trains on all rows in one place, with a trusted party's noise; of nine settings for each epsilon
that which did best in the mean is taken, though to choose it so costs privacy. Each trial holds out another fifth of
the rows, the same for all. PYTHON has diffprivlib.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.private import DELTA, EPSILONS, arguments, diffprivlib, held_out, run
from benchmarks.results import ROOT
from parties.scenario.privacy import PrivacySpec
from parties.tasks.logistic.private.agreed import ROW_NORM
from parties.tasks.logistic.private.columns.run import step_of
from parties.tasks.logistic.private.gradients.run import noisy_settings
from parties.tasks.logistic.private.settings import columns_iterations
from parties.tasks.registry import load_scenario
from protocols.plain.logistic import ReferenceModel, reference_metrics
from protocols.rows.own_rows import DIGEST_BITS, OwnColumns
from protocols.rows.results import Trained
from protocols.training.private.clipped_gradients import Ranges, WholeRows
from protocols.training.private.noisy_descent import NoisySettings, NoisyTrained, noisy_training_job
from protocols.training.private.shared_gradients import SharedGradients, shared_gradients_job, shared_variance

SCENARIO: Final = ROOT / "scenarios" / "two_hospitals_private.toml"
INSURANCE: Final[Mapping[str, tuple[float, float]]] = {
    "lncoins": (0, 5),
    "idp": (0, 1),
    "lpi": (0, 8),
    "fmde": (0, 9),
    "physlm": (0, 1),
    "disea": (0, 60),
    "hlthg": (0, 1),
    "hlthf": (0, 1),
    "hlthp": (0, 1),
}
"""The agreed ranges of the RAND health insurance experiment's columns."""

Floats = NDArray[np.float64]
Found = dict[float, dict[str, list[float]]]
"""By epsilon: accuracy and AUC of each trial."""


@dataclass(frozen=True)
class Study:
    """Rows to train on: features (m, d), labels (m,), and the agreed range of each feature."""

    name: str
    features: tuple[str, ...]
    ranges: Ranges
    x: Floats
    y: Floats


def cancer() -> Study:
    """The demo's 569 patients, with its ranges."""
    from parties.data.table import load_owner_table

    scenario = load_scenario(SCENARIO)
    tables = [load_owner_table(scenario, owner) for owner in scenario.owners]
    assert scenario.privacy is not None
    ranges = Ranges(tuple(scenario.privacy.clip[name] for name in tables[0].columns))
    x, y = (np.concatenate(parts) for parts in ([t.values for t in tables], [t.target for t in tables]))
    return Study("breast cancer, 569 patients, 30 features", tables[0].columns, ranges, x, y)


def insurance() -> Study:
    """20,190 person-years of the RAND health insurance experiment: was there a visit to a physician?"""
    from statsmodels.datasets import randhie

    table = randhie.load_pandas().data
    x, y = table[list(INSURANCE)].to_numpy(dtype=float), (table["mdvis"] > 0).to_numpy(dtype=float)
    ranges = Ranges(tuple(INSURANCE.values()))
    return Study("RAND health insurance, 20,190 rows, 9 features", tuple(INSURANCE), ranges, x, y)


def settings_of(study: Study, epsilon: float) -> NoisySettings:
    """Those that a scenario of these features gets which names epsilon alone."""
    scenario = load_scenario(SCENARIO)
    clip = {name: one for name, one in zip(study.features, study.ranges.each, strict=True) if one is not None}
    task = scenario.model_task.model_copy(update={"features": study.features})
    made = scenario.model_copy(update={"task": task, "privacy": PrivacySpec(epsilon=epsilon, clip=clip)})
    return replace(noisy_settings(made), held_out=0.0)


def trained(study: Study, rows: NDArray[np.intp], how: NoisySettings) -> ReferenceModel:
    """The model of these rows, dealt out to two owners."""
    whole, y = how.ranges.whole_rows(study.x), study.y.astype(np.int64)
    owners = {name: WholeRows(whole[rows[k::2]], y[rows[k::2]]) for k, name in enumerate(how.owners)}
    return _model(run(owners, lambda p, own, stream: noisy_training_job(p, own, stream, how)))


def trained_columns(study: Study, rows: NDArray[np.intp], epsilon: float) -> ReferenceModel:
    """The model of these rows, of which one owner has the first half of the columns, and another the rest."""
    d = len(study.features)
    owners, first = ("first", "second"), d // 2
    names = {"first": study.features[:first], "second": study.features[first:]}
    most = 100 * round(len(study.y) / 100)  # an agreed number
    steps = columns_iterations(PrivacySpec(epsilon=epsilon, most_rows=most))
    how = SharedGradients(
        owners, "helper", study.ranges, (first, d - first), most, ROW_NORM, steps, step_of(ROW_NORM, 0.0), 0.9, 0.0,
        epsilon, DELTA, shared_variance(epsilon, DELTA, 2, ROW_NORM, most, steps),
    )  # fmt: skip
    x, y, ids = study.x[rows], study.y[rows], np.zeros(DIGEST_BITS, dtype=np.uint8)
    parts = ((x[:, :first], y[:0]), (x[:, first:], y))
    dealt = {
        owner: OwnColumns(names, "second", mine, labels, mine[:0], labels[:0], ids)
        for owner, (mine, labels) in zip(owners, parts, strict=True)
    }
    return _model(run(dealt, lambda p, own, stream: shared_gradients_job(p, own, stream, how)))


def _model(found: NoisyTrained | Trained) -> ReferenceModel:
    return ReferenceModel.in_own_units(np.array([*found.weights, found.intercept]))


def exact(study: Study, rows: NDArray[np.intp]) -> ReferenceModel:
    """The maximum-likelihood fit, nearly: a penalty of 1e-4 keeps it finite where the classes are separate."""
    mean, deviation = study.x[rows].mean(axis=0), study.x[rows].std(axis=0)
    ready = np.column_stack([(study.x[rows] - mean) / deviation, np.ones(rows.size)])
    w = np.zeros(ready.shape[1])
    penalty = np.append(np.full(len(mean), 1e-4), 0.0)
    for _ in range(50):
        p = 1 / (1 + np.exp(-(ready @ w)))
        hessian = (ready.T * (p * (1 - p))) @ ready / rows.size + np.diag(penalty)
        w = w - np.linalg.solve(hessian, ready.T @ (p - study.y[rows]) / rows.size + penalty * w)
    return ReferenceModel(w, mean, deviation, 0.0, 0.0)


def judged(study: Study, model: ReferenceModel, held: NDArray[np.bool_]) -> tuple[float, float]:
    """Accuracy and AUC on the rows that were held out."""
    found = reference_metrics(model, study.x[held], study.y[held])
    return float(found["accuracy"]), float(found["auc"])


def add(found: Found, epsilon: float, metrics: tuple[float, float]) -> None:
    """Note a trial."""
    of = found.setdefault(epsilon, {"accuracy": [], "auc": []})
    of["accuracy"].append(metrics[0])
    of["auc"].append(metrics[1])


def ours(study: Study, held: NDArray[np.bool_]) -> tuple[Found, Found, Found]:
    """Our models by epsilon, of split rows and of split columns, and under 0 the one without noise.

    Args:
        held: which rows are held out (trials, m).
    """
    private: Found = {}
    columns: Found = {}
    plain: Found = {}
    for one in held:
        rows = np.flatnonzero(~one)
        add(plain, 0.0, judged(study, exact(study, rows), one))
        for epsilon in EPSILONS:
            add(private, epsilon, judged(study, trained(study, rows, settings_of(study, epsilon)), one))
            add(columns, epsilon, judged(study, trained_columns(study, rows, epsilon), one))
    return private, columns, plain


def theirs(study: Study, held: NDArray[np.bool_], python: Path) -> Found:
    """diffprivlib's models by epsilon, each with the settings that did best in the mean."""
    unit = study.ranges.whole_rows(study.x)[:, :-1] / 2.0**16
    by: dict[tuple[float, tuple[float, ...]], list[tuple[float, float]]] = defaultdict(list)
    for one in diffprivlib(python, "diffprivlib_models.py", x=unit, y=study.y, held=held):
        by[one["epsilon"], tuple(one["settings"])].append((one["accuracy"], one["auc"]))
    found: Found = {}
    for epsilon in EPSILONS:
        best = max((runs for (other, _), runs in by.items() if other == epsilon), key=lambda runs: np.sum(runs))
        for metrics in best:
            add(found, epsilon, metrics)
    return found


def text(values: list[float]) -> str:
    """The mean, and the standard deviation over the trials, in percent."""
    return f"{100 * np.mean(values):.1f} ± {100 * np.std(values):.1f}"


def main() -> None:
    """The command."""
    given = arguments(__doc__)
    for study in (cancer(), insurance()):
        held = held_out(given.repeats, len(study.y))
        private, columns, plain = ours(study, held)
        other = theirs(study, held, given.diffprivlib) if given.diffprivlib else {}
        none = {key: text(values) for key, values in plain[0.0].items()}
        print(f"\n{study.name}: without noise accuracy {none['accuracy']}, AUC {none['auc']}\n")
        heads = " | ".join(f"{of}, % | split columns | diffprivlib" for of in ("accuracy", "AUC"))
        print(f"| epsilon | {heads} |\n{'|---' * 7}|")
        for epsilon in EPSILONS:
            cells = [
                text(of[epsilon][key]) if of else "" for key in ("accuracy", "auc") for of in (private, columns, other)
            ]
            print(f"| {epsilon:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
