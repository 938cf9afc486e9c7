"""Honest parties that a listed peer attacks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.links.hostile.listed import Honest, processes


@pytest.fixture(scope="module")
def honest() -> Iterator[Honest]:
    """A process of honest parties, one for a file's tests."""
    with processes(1) as (made,):
        yield made
