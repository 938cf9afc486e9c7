"""The type of all arrays: which entries they have, a `Ring` or a `Spec` says."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
