"""The type of all arrays; a `Ring` or a `Spec` says which entries they have."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
