"""Which core an owner keeps to, and when it does not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.run.command import ROOT, environment

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs Linux: a process's cores")

ASK = """
import os
from parties.base.cores import keep_to_a_core
os.sched_getaffinity = lambda _: {cores}
chosen = []
os.sched_setaffinity = lambda who, cores: chosen.append((who, cores))
keep_to_a_core({place}, {owners})
print(chosen)
"""


def chosen(cores: set[int], place: int, owners: int) -> str:
    """What a process of its own asks the kernel for."""
    code = ASK.format(cores=cores, place=place, owners=owners)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("place", "core"), [(0, 4), (1, 7)])
def test_with_one_core_for_each_owner_each_keeps_to_its_own(place: int, core: int) -> None:
    assert chosen({4, 7}, place, 2) == f"[(0, {{{core}}})]"
    assert chosen({4, 7, 9}, place, 2) == f"[(0, {{{core}}})]"


@pytest.mark.parametrize(("cores", "owners"), [({0}, 2), ({0, 1, 2, 3}, 2), ({0, 1}, 3), (set(range(64)), 5)])
def test_where_cores_abound_or_do_not_suffice_the_kernel_chooses(cores: set[int], owners: int) -> None:
    assert chosen(cores, 0, owners) == "[]"
