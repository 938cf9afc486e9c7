"""Whether a record with noise tells an exact number."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np


def check_not_told(record: Mapping[str, Any], exact: Iterable[float], within: float, least: int) -> None:
    """No number of the record is one of `exact`, nor off by less than this part of it, however it is rounded.

    Args:
        least: numbers that the record has, at the least.
    """
    text = re.sub(r'"pid": \d+', "", json.dumps(record))
    told = np.array([float(one) for one in re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])", text)])
    assert told.size > least
    for number in exact:
        assert np.abs(told - number).min() > within * abs(number), number
