"""Three hosts for each file of tests, or the reason why there are none here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hosts.machines import NotPermitted, World, check_permitted
from tests.hosts.study import PARTIES, Study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    try:
        check_permitted()
    except NotPermitted as reason:
        pytest.skip(f"no network namespaces: {reason}")
    with World(tmp_path_factory.mktemp("hosts"), *PARTIES) as world:
        yield Study.at(world)


@pytest.fixture(autouse=True)
def nothing_left(study: Study) -> Iterator[None]:
    """A test that fails leaves no party running and no cable cut."""
    yield
    study.world.stop()
