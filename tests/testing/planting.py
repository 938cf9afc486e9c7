"""Mistakes in the runtime itself, planted for a test: a method of `Party` with one text in it replaced."""

from __future__ import annotations

import inspect
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from mpc.runtime.party import Party


def plant(patch: pytest.MonkeyPatch, method: Callable[..., Any], old: str, new: str) -> None:
    """Replace a text in a method's source, which has it once, until the test ends."""
    source = textwrap.dedent(inspect.getsource(method))
    assert source.count(old) == 1, f"the text to replace is gone from {method.__name__}"
    names: dict[str, Any] = dict(vars(sys.modules[method.__module__]))
    exec(compile("from __future__ import annotations\n" + source.replace(old, new), "<planted>", "exec"), names)
    patch.setattr(Party, method.__name__, names[method.__name__])
