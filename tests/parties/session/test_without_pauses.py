"""Python's own housekeeping does not interrupt the rounds."""

from __future__ import annotations

import gc

from parties.session.take_part import _freeze_imports


def test_imports_are_not_searched_for_garbage_in_the_rounds() -> None:
    before = gc.get_freeze_count()
    with _freeze_imports():
        assert gc.get_freeze_count() > before + 10_000
        assert len(gc.get_objects()) < 1_000
    assert gc.get_freeze_count() == 0
