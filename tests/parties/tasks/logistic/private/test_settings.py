"""[privacy] of a logistic regression: what does not go with it is refused by name, each with what to do instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from mpc.errors import UsageError
from tests.studies import study_of_two

CLIP = "[privacy.clip]\nage = [18, 100]\n"

REFUSED = {
    "standardise": ("standardise = false\n", "standardise does not go with [privacy]", "leave it out"),
    "secret scales": ('standardise = "private"\n', "standardise does not go with [privacy]", "leave it out"),
    "ranges": ("compare_ranges = true\n", "compare_ranges does not go with [privacy]", "remove it"),
    "stop tests": ('solver = "nesterov"\ntolerance = 0.01\n', "tolerance does not go with", "set `iterations`"),
    "cells": ("min_cell = 3\n", "min_cell does not go with [privacy]", "leave it out"),
    "few rows": ("min_rows_per_feature = 1\n", "min_rows_per_feature does not go with", "leave it out"),
    "long steps": ("learning_rate = 1.0\nl2 = 2.0\n", "learning_rate times l2 is above 1", "leave it out"),
    "means": ('missing = "mean"\n', 'missing = "mean" does not go with', 'missing = "drop"'),
    "balanced": ('class_weights = "balanced"\n', 'class_weights = "balanced" does not go', "two weights as numbers"),
    "inference": ('reveal = ["inference"]\n', '["inference"] does not go with', 'take "inference" out'),
    "calibration": ('reveal = ["model", "metrics", "calibration"]\n', '["calibration"] does not go with', "take"),
    "missing": ('missing = "drop"\nreveal = ["model", "missing"]\n', '["missing"] does not go with', "take"),
    "no model": ('reveal = ["metrics"]\n', 'reveal without "model" does not go with', 'add "model"'),
    "no held-out rows": ("test_fraction = 0.0\n", "test_fraction = 0 does not go with", "set test_fraction = 0.2"),
    "mini-batches": ("epochs = 3\nbatch_size = 5\n", "'epochs' and 'batch_size' have no part in", "[privacy] rate"),
    "a product": ('features = ["age", "age:bmi"]\n', "lists 'age:bmi', a product", "a column of its own"),
    "no range": ('features = ["age", "bmi"]\n', "[privacy.clip] does not list 'bmi'", "bmi = [0, 120]"),
    "another range": ('features = ["bmi"]\n', "lists 'age', which are not in the model", "remove it there"),
}


def load(folder: Path, task: str, privacy: str = "[privacy]\nepsilon = 1\n" + CLIP) -> None:
    study_of_two(folder, "logistic_regression", "target = 'y'\n" + task + privacy)


@pytest.mark.parametrize("name", REFUSED)
def test_what_does_not_go_with_privacy_is_refused(name: str, tmp_path: Path) -> None:
    task, message, hint = REFUSED[name]
    with pytest.raises(UsageError) as caught:
        load(tmp_path, task)
    assert message in str(caught.value)
    assert hint in f"{caught.value} {caught.value.hint}"


def test_mechanisms_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r'\[privacy\] rate is for kind = "logistic_regression"'):
        study_of_two(tmp_path, "statistics", "columns = ['age']\n[privacy]\nepsilon = 1\nrate = 0.5\n" + CLIP)
