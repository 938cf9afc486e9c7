"""[task] of kind = "program": what it may say, and that it names no file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mpc.errors import UsageError
from parties.scenario.program import ProgramFile
from parties.tasks.program.settings import ProgramTask, input_of
from parties.tasks.registry import load_scenario

HEAD = (
    'schema = 1\nname = "own"\n[parties.a]\nrole = "owner"\n[parties.b]\nrole = "owner"\n[parties.h]\nrole = "helper"\n'
)


def written(folder: Path, task: str, head: str = HEAD) -> Path:
    """A scenario file with such a [task]."""
    path = folder / "own.toml"
    path.write_text(f'{head}[task]\nkind = "program"\n{task}\n')
    return path


@pytest.mark.parametrize(
    "text, expected",
    [
        ("reals:5", ((5,), 20, -100 * 2**20, 100 * 2**20)),
        ("reals:5x3,scale=16,largest=1000", ((5, 3), 16, -1000 * 2**16, 1000 * 2**16)),
        ("reals:2,largest=0.5", ((2,), 20, -(2**19), 2**19)),
        ("integers:10", ((10,), 0, 0, 100)),
        ("integers:10,low=-3,high=3", ((10,), 0, -3, 3)),
        ("bits:8", ((8,), 0, 0, 1)),
    ],
)
def test_an_input_is_read(text: str, expected: tuple[Any, ...]) -> None:
    one = input_of(text)
    assert (one.shape, one.scale, one.low, one.high) == expected
    assert one.each


def test_bits_are_shared_under_exclusive_or() -> None:
    assert input_of("bits:8").ring.xor
    assert not input_of("integers:8").ring.xor


def test_a_table_has_the_shape_of_its_data() -> None:
    assert input_of("table,scale=10", 7, 3).shape == (7, 3)
    assert input_of("table,scale=10", 7, 3).scale == 10


@pytest.mark.parametrize(
    "text, message, hint",
    [
        ("real:5", "there is no input 'real'", "did you mean 'reals'?"),
        ("reals", "'reals' has no shape", "reals:5x3"),
        ("reals:0", "'reals:0' has no shape", "reals:5"),
        ("reals:5,6", "reals has no setting '6'", "scale and largest"),
        ("reals:5,scale=1.5", "'scale=1.5' gives no number", "scale=20"),
        ("reals:5,scale=62", "a scale is from 0 to 61 bits", "scale=20"),
        ("reals:5,scale=50,largest=10000", "does not fit with scale=50", "below 2^62"),
        ("reals:5,scale=3,scale=4", "'scale' is given twice", "keep one"),
        ("integers:5,low=3,high=2", "low=3 is above high=2", "least"),
        ("integers:5,high=99999999999999999999", "gives no number", "high=100"),
        ("bits:8,low=1", "bits has no setting 'low'", "no settings"),
        ("reals:9999999x9999999", "entries", "at most"),
        ("table:5", "a table has the shape of its data", "'table'"),
    ],
)
def test_a_wrong_input_is_refused_with_a_hint(tmp_path: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_scenario(written(tmp_path, f'inputs = ["{text}"]'))
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("key", ["program", "file", "code", "function"])
def test_a_scenario_names_no_code(tmp_path: Path, key: str) -> None:
    """Not in its task, and not at its top, where the command line's own is kept."""
    said = f'{key} = "median.py:median"\n'
    for task, head in (
        (said, HEAD),
        ("", f"{said}{HEAD}"),
        ("", HEAD.replace("[parties.b]\n", f"[parties.b]\n{said}")),
        ("", f'{HEAD}[program]\npath = "m.py"\nfunction = "f"\ntext = ""\n'),
    ):
        with pytest.raises(UsageError, match="has no setting"):
            load_scenario(written(tmp_path, f'inputs = ["reals:5"]\n{task}', head))


def test_without_a_table_there_are_no_data_and_no_rows(tmp_path: Path) -> None:
    data = HEAD.replace('role = "owner"\n', 'role = "owner"\ndata = "a.csv"\n', 1)
    for task, head, message in (
        ('inputs = ["reals:5"]', data, "has data, but no input is a table"),
        ('inputs = ["reals:5"]\nmin_rows = 5', HEAD, "has min_rows, but no input is a table"),
        ('inputs = ["table", "table"]', data, "names the owners' table twice"),
    ):
        with pytest.raises(UsageError, match=message):
            load_scenario(written(tmp_path, task, head))


def test_a_table_is_of_twenty_rows_unless_it_is_said_otherwise(tmp_path: Path) -> None:
    for said, expected in (("", 20), ("min_rows = 3", 3)):
        scenario = load_scenario(written(tmp_path, f'inputs = ["table"]\n{said}'))
        assert scenario.task_as(ProgramTask).min_rows == expected


def test_the_digest_covers_the_program_and_only_if_there_is_one(tmp_path: Path) -> None:
    scenario = load_scenario(written(tmp_path, 'inputs = ["reals:5"]'))
    files = [
        ProgramFile(path=Path("a.py"), function="f", text="one"),
        ProgramFile(path=Path("other/b.py"), function="f", text="one"),
        ProgramFile(path=Path("a.py"), function="g", text="one"),
        ProgramFile(path=Path("a.py"), function="f", text="two"),
    ]
    digests = [scenario.model_copy(update={"program": one}).digest for one in files]
    assert digests[0] == digests[1]  # where it lies is everybody's own affair
    assert len({scenario.digest, *digests}) == 4
    assert "program" not in scenario.agreement()
