"""The owners' program for a training: one of four, and only that one is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def program_of(*, vertical: bool, inference: bool) -> Callable[..., Any]:
    """The owners' program."""
    match vertical, inference:
        case True, True:
            from protocols.inference.columns_job import vertical_inference_job

            return vertical_inference_job
        case True, False:
            from protocols.training.columns_job import vertical_job

            return vertical_job
        case False, True:
            from protocols.inference.rows_job import inference_job

            return inference_job
        case _:
            from protocols.training.rows_job import training_job

            return training_job
