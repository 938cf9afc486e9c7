"""Scenarios of secure sums: what is read, what is refused, and what follows from them; journals and numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpc.errors import DataError, ProtocolError, UsageError
from mpc.links.zmq.curve import HELD_BYTES
from parties.base.descriptors import allow_connections
from parties.report.star_consent import star_consent_blocks
from parties.tasks.registry import load_any
from parties.tasks.secure_sum.ends.data import numbers_of
from parties.tasks.secure_sum.settings import SumScenario
from parties.tasks.secure_sum.show.plan import plan_blocks, sum_plan
from parties.tasks.secure_sum.small_cells import small_cells_blocks
from parties.tasks.secure_sum.star import STAR
from parties.tasks.star.rows import ClientRows
from parties.trust.round_journal import RoundJournal
from parties.trust.rounds import RoundNumbers
from protocols.aggregation.cells.values import PRIMES
from protocols.aggregation.parts.quantise import decode
from tests.run.command import ROOT
from tests.run.sums import TEXT, write_sums


def loaded(folder: Path, *changes: tuple[str, str], task: str = "") -> SumScenario:
    path = write_sums(folder, task=task)
    text = path.read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text)
    scenario = load_any(path)
    assert isinstance(scenario, SumScenario)
    return scenario


def test_what_follows_from_a_scenario(tmp_path: Path) -> None:
    scenario = loaded(tmp_path)
    assert scenario.client_names == ("c1", "c2", "c3", *(f"client_{k}" for k in range(1, 10)))
    assert scenario.entries == (("age", "count"), ("age", "sum"), ("stay", "count"), ("stay", "sum"))
    assert (scenario.coding.low, scenario.coding.high) == (-1000 * 50, 12_000 * 50)
    assert scenario.settings.bits == (12 * 650_000).bit_length()
    assert (scenario.min_cohort, scenario.settings.neighbours) == (7, 11)
    (tmp_path / "other").mkdir()
    assert scenario.digest != loaded(tmp_path / "other", ("decimals = 2", "decimals = 1")).digest


def test_clients_that_vanish_as_earlier_versions_said_it(tmp_path: Path) -> None:
    older = loaded(tmp_path, ("[clients]", "[clients]\ndropping = 0.2"))
    (tmp_path / "now").mkdir()
    now = loaded(tmp_path / "now", ("[clients]", "[faults.clients]\nvanish = 0.2\n[clients]"))
    assert STAR.client_faults(older) == STAR.client_faults(now) != {}


CLIENTS, HELPER = "[clients]", '[parties.judge]\nrole = "helper"\n'
SMALL = ("dropout = 0.2", "dropout = 0.2\nmin_cell = 5")


def test_a_training_is_read_as_before() -> None:
    assert not isinstance(load_any(ROOT / "scenarios" / "two_hospitals.toml"), SumScenario)
    assert "secure_sum" in TEXT


def test_numbers_of_a_client(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, task='missing = "skip"\nout_of_range = "clip"')
    numbers = numbers_of(scenario, "c1", np.array([[1.004, np.nan], [-3.0, 500.0]]))
    assert decode(numbers.vector, scenario.coding, 1).tolist() == [2, 100 - 300, 1, 12_000]
    assert (numbers.clipped, numbers.withheld) == (1, ())
    assert scenario.settings.length == numbers.vector.size


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, np.nan]], "c1: column 'stay' has empty cells"),
        ([[1.0, 2.0], [121.0, 1.0]], "c1: 1 cells are outside the agreed range, of column 'age' first"),
        ([[1.0, 1.0]] * 51, "c1: 51 rows, and 50 are the most"),
    ],
)
def test_numbers_that_are_refused(tmp_path: Path, values: list[list[float]], message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        numbers_of(loaded(tmp_path), "c1", np.array(values))
    assert "121" not in str(caught.value)


def weighted(folder: Path, more: str = "") -> SumScenario:
    return loaded(folder, task='weight = "w"\nlargest_weight = 9\n' + more)


def test_weights_travel_beside_the_sums_that_they_are_in(tmp_path: Path) -> None:
    scenario = weighted(tmp_path)
    assert scenario.kinds == ("count", "weight", "sum")
    assert scenario.coding.high == 12_000 * 50 * 9
    numbers = numbers_of(scenario, "c1", np.array([[1.0, 2.0, 3.0], [4.0, -5.0, 0.0], [0.5, 1.0, 9.0]]))
    totals = dict(zip(scenario.entries, decode(numbers.vector, scenario.coding, 1).tolist(), strict=True))
    assert [totals["age", kind] for kind in scenario.kinds] == [3, 12, 300 + 450]
    assert [totals["stay", kind] for kind in scenario.kinds] == [3, 12, 600 + 900]
    assert numbers.clipped == 0
    assert ("weight",) in scenario.revealed


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1.0, 1.0, 10.0]], "c1: 1 weights are not from 0 to 9, of column 'w'"),
        ([[1.0, 1.0, -1.0]], "c1: 1 weights are not from 0 to 9, of column 'w'"),
        ([[1.0, 1.0, 0.5]], "c1: column 'w' has weights that are no whole numbers"),
        ([[1.0, 1.0, np.nan]], "c1: column 'w' has empty cells"),
    ],
)
def test_weights_that_are_refused(tmp_path: Path, values: list[list[float]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        numbers_of(weighted(tmp_path), "c1", np.array(values))


def test_weights_are_clipped_or_skipped_where_that_is_agreed(tmp_path: Path) -> None:
    scenario = weighted(tmp_path, 'missing = "skip"\nout_of_range = "clip"')
    numbers = numbers_of(scenario, "c1", np.array([[1.0, np.nan, 10.0], [5.0, 5.0, np.nan]]))
    totals = dict(zip(scenario.entries, decode(numbers.vector, scenario.coding, 1).tolist(), strict=True))
    assert [totals["age", kind] for kind in scenario.kinds] == [1, 9, 900]
    assert [totals["stay", kind] for kind in scenario.kinds] == [0, 0, 0]
    assert numbers.clipped == 1


def small(folder: Path, more: str = "") -> SumScenario:
    return loaded(folder, task="min_cell = 3\nflags = ['stay']\n" + more)


FLAGS = [
    ([1, 1], [0, 0]),  # two rows: nothing of them is added
    ([1, 1, 0, 0, 0, 0], [6, 0]),  # two with a 1: as if they had 0
    ([1, 1, 1, 1, 0, 0], [6, 6]),  # two with a 0: as if they had 1
    ([1, 1, 1, 0, 0, 0], [6, 3]),
    ([0, 0, 0], [3, 0]),
    ([1, 1, 1], [3, 3]),
    ([1, 1, 0, 0], [4, 0]),  # two of each: what is left is one cell
]


@pytest.mark.parametrize(
    ("weights", "total", "weight"),
    [
        ([1, 1, 1, 1, 2, 2], 24, 6),  # the rows with a 2 would be the weight less the count
        ([0, 0, 0, 1, 1, 1], 12, 3),
        ([1, 2, 3, 4, 5, 6], 84, 21),
    ],
)
def test_few_rows_with_another_weight_count_as_the_commonest(
    tmp_path: Path, weights: list[int], total: int, weight: int
) -> None:
    scenario = small(tmp_path, 'weight = "w"\nlargest_weight = 9')
    numbers = numbers_of(scenario, "c1", np.array([[4.0, 1.0, one] for one in weights]))
    totals = dict(zip(scenario.entries, decode(numbers.vector, scenario.coding, 1).tolist(), strict=True))
    assert [totals["age", "sum"] / scenario.coding.scale, totals["age", "weight"]] == [total, weight]


@pytest.mark.parametrize(("stays", "expected"), FLAGS)
def test_a_client_adds_nothing_where_it_has_few_rows(tmp_path: Path, stays: list[int], expected: list[int]) -> None:
    scenario = small(tmp_path)
    numbers = numbers_of(scenario, "c1", np.array([[20.0, stay] for stay in stays]))
    totals = dict(zip(scenario.entries, decode(numbers.vector, scenario.coding, 1).tolist(), strict=True))
    assert [totals["stay", "count"], totals["stay", "sum"] / scenario.coding.scale] == expected
    ages = 0 if len(stays) < 3 else len(stays)
    assert [totals["age", "count"], totals["age", "sum"] / scenario.coding.scale] == [ages, 20 * ages]
    assert ("stay" in numbers.withheld) == (expected != [len(stays), sum(stays)])


def test_flags_are_zeros_and_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="c1: column 'stay' has other values than 0 and 1"):
        numbers_of(small(tmp_path, 'out_of_range = "clip"'), "c1", np.array([[1.0, 1.0], [1.0, 2.0]]))


def test_what_small_cells_do_to_the_sums_is_said(tmp_path: Path) -> None:
    scenario = small(tmp_path)
    facts = sum_plan(scenario)["small_cells"]
    assert facts["bias"]["age"] == {"count": [-24, 0], "sum": [-3 * 24 * 130, 3 * 24 * 130]}
    assert facts["bias"]["stay"] == {"count": [-24, 0], "sum": [-24, 24]}
    text = " ".join(str(getattr(block, "text", "")) for block in plan_blocks(scenario))
    for words in (
        "each client adds 0 where it has fewer than 3 rows",
        "of age, at the very most: a count by -24 to 0, a sum by -9,360 to +9,360",
        "of stay, at the very most: a count by -24 to 0, a sum by -24 to +24",
        "fewer rows that differ from its commonest value, or that have one of at most 4 values, count as if",
        "A 0 means that no client has 3 such rows or more",
    ):
        assert words in text
    consent = star_consent_blocks(scenario, "c1", {})
    assert all(block in consent for block in small_cells_blocks(scenario))
    assert small_cells_blocks(loaded(tmp_path)) == []


def test_with_a_helper_clients_add_all_and_who_learns_it_is_said(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, (CLIENTS, f"{HELPER}{CLIENTS}"), task="min_cell = 3\nflags = ['stay']")
    assert (scenario.helper, scenario.star_names[-1], scenario.count) == ("judge", "judge", 12)
    numbers = numbers_of(scenario, "c1", np.array([[20.0, 1.0], [30.0, 0.0]]))
    *totals, rows = np.split(decode(numbers.vector, scenario.coding, 1), [4])
    assert totals[0].tolist() == [2, 5000, 2, 100]
    assert rows.tolist() == [int(k in (2000 % p, 3000 % p)) for p in PRIMES for k in range(p)]  # of two ages
    assert numbers.withheld == ()
    assert scenario.test is not None
    assert [(cell.parts, cell.unit, cell.withholds, cell.most) for cell in scenario.test.cells] == [
        ((((0, 1),),), 1, (0, 1), 1),
        ((((2, 1),),), 1, (2, 3), 1),
        ((((3, 1),),), 100, (3,), 1),
        ((((2, 100), (3, -1)),), 100, (3,), 1),
        (tuple(((4 + place, 1),) for place in range(sum(PRIMES))), 1, (1,), 4 * len(PRIMES)),
    ]
    assert scenario.test.never == tuple(range(4, 4 + sum(PRIMES)))
    plan = sum_plan(scenario)
    differ = "; of 'age', about how many values have so few"
    assert plan["stages"] == ["keys", "shares", "masked", "unmask", "hidden", "told"]
    assert plan["small_cells"] == {"min_cell": 3, "suppressed_by": "judge"}
    assert {"what": f"of each cell, whether it has 1 to 2 rows{differ}", "to": ["judge"]} in plan["reveals"]
    assert plan["bytes"]["server_receives"] == 12 * plan["bytes"]["client_sends"] + plan["bytes"]["helper_sends"]
    text = " ".join(str(getattr(block, "text", "")) for block in plan_blocks(scenario))
    for words in (
        "judge compares. Of each column, the rows with a value are a cell; of 'stay' those with a 1",
        "Where one has 1 to 2 rows over all clients, the server never sees it",
        "judge learns of each cell only whether it has 1 to 2 rows; of 'age', about how many values have so few",
        "do not work together",
        "The sums of 'age' are withheld, too, if 1 to 2 rows differ from the commonest value, or if there are at most",
    ):
        assert words in text
    shown = " ".join(str(getattr(block, "text", "")) for block in star_consent_blocks(scenario, "judge", {}))
    assert "judge has no data: it takes the masks off" in shown
    assert "bias" not in text + shown


def test_rows_of_each_weight_and_of_each_product_are_tested(tmp_path: Path) -> None:
    """Few weights withhold their total and the sum, few products the sum alone; a client with many values says so."""
    task = 'min_cell = 3\nweight = "w"\nlargest_weight = 9'
    scenario = loaded(tmp_path, (CLIENTS, f"{HELPER}{CLIENTS}"), task=task)
    assert [(rows.column, rows.of, len(rows.moduli)) for rows in scenario.value_rows] == [
        *((column, "value", 5) for column in ("age", "stay")),
        *((column, "weight", 1) for column in ("age", "stay")),
        *((column, "product", 5) for column in ("age", "stay")),
    ]
    assert scenario.test is not None
    assert [cell.withholds for cell in scenario.test.cells[-6:]] == [(2,), (5,), (1, 2), (4, 5), (2,), (5,)]
    values = np.array([[1.0, stay, 1 + 6 * (stay == 4)] for stay in (0, 1, 2, 3, 4)])
    added = decode(numbers_of(scenario, "c1", values).vector, scenario.coding, 1)[6:]
    starts = np.cumsum([one.places for one in scenario.value_rows])[:-1]
    keys = [f"{one.of} of {one.column}" for one in scenario.value_rows]
    tables = dict(zip(keys, np.split(added, starts), strict=True))
    for of, heaviest in (("value", 100), ("product", 700)):
        rows = [4 * (k == 100 % p) + (k == heaviest % p) for p in PRIMES for k in range(p)]
        assert tables[f"{of} of age"].tolist() == rows
    assert set(tables["value of stay"]) == {3} == set(tables["product of stay"])  # five values are too many to ask
    assert tables["weight of stay"].tolist() == [0, 4, 0, 0, 0, 0, 0, 1, 0, 0]


@pytest.mark.parametrize("server", ["semi-honest", "malicious"])
def test_the_plan_says_what_is_kept_of_a_party_without_rules(tmp_path: Path, server: str) -> None:
    once = sum_plan(loaded(tmp_path, task=f'server = "{server}"'))
    assert once["memory"]["client"] >= HELD_BYTES + once["bytes"]["client_receives"]
    (tmp_path / "more").mkdir()
    more = sum_plan(loaded(tmp_path / "more", task=f'server = "{server}"\nattempts = 3'))
    assert more["memory"]["client"] == once["memory"]["client"]
    least = HELD_BYTES + once["bytes"]["client_sends"] + 2 * once["bytes"]["client_receives"]
    assert once["memory"]["server_for_a_client"] >= least
    grown = more["memory"]["server_for_a_client"] - once["memory"]["server_for_a_client"]
    assert grown >= 4 * once["bytes"]["client_receives"]
    text = " ".join(str(getattr(block, "text", "")) for block in plan_blocks(loaded(tmp_path)))
    assert "Whatever a client sends, or does not fetch, the server keeps at most 29" in text


def test_of_hosted_clients_one_without_rows_says_so(tmp_path: Path) -> None:
    scenario = loaded(tmp_path, ("count = 9", "count = 10"))
    rows = (tmp_path / "all.csv").read_text()
    (tmp_path / "all.csv").write_text(rows.replace("client_", "client_0"))
    rows_of = ClientRows(scenario, scenario.read_columns)
    with pytest.raises(DataError, match=r"client_10: no row of all.csv is its own"):
        rows_of.of("client_10", 1)
    numbers = numbers_of(scenario, "client_03", rows_of.of("client_03", 1))
    assert decode(numbers.vector, scenario.coding, 1).tolist() == [3, 900, 3, 375]


def test_whose_fault_it_is_is_spread_over_the_stages(tmp_path: Path) -> None:
    trial = "[faults]\nseed = {seed}\n[faults.clients]\nvanish = 0.2\nstraggle = 0.1\nseconds = 3.0\n"
    found = []
    for seed in (1, 1, 2):
        changes = ("count = 9", "count = 40"), ("[session]", trial.format(seed=seed) + "[session]")
        scenario = loaded(tmp_path, *changes)
        faults = STAR.client_faults(scenario)
        kinds = [(fault.kind, fault.stage) for fault in faults.values()]
        assert sorted(kinds[:8]) == sorted(("vanish", stage) for stage in ("keys", "shares", "masked", "unmask") * 2)
        assert sorted(kinds[8:]) == sorted(("delay", stage) for stage in ("keys", "shares", "masked", "unmask"))
        assert {fault.seconds for fault in faults.values()} == {3.0}
        assert [*scenario.hosted_faults.values()] == [
            "8 of 40 hosted clients vanish, some in each stage",
            "4 of 40 hosted clients answer 3 s late, some in each stage",
        ]
        found.append(faults)
    assert found[0] == found[1] != found[2]


def test_a_journal_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "c1.rounds"
    RoundJournal(path)(3, b"one")
    again = RoundJournal(path)
    again(3, b"one")
    again(4, b"two")
    with pytest.raises(ProtocolError, match="other survivors of round 3"):
        again(3, b"two")
    assert len(path.read_text().splitlines()) == 2


def test_a_journal_is_its_clients_own(tmp_path: Path) -> None:
    path = tmp_path / "c1.rounds"
    RoundJournal(path)(1, b"one")
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    with pytest.raises(UsageError, match="others than its owner can read"):
        RoundJournal(path)


def test_of_a_line_that_a_crash_cut_off_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "c1.rounds"
    RoundJournal(path)(3, b"one")
    with path.open("ab") as file:
        file.write(b'{"round": 4, "surv')
    again = RoundJournal(path)
    again(4, b"two")
    assert RoundJournal(path)._kept == {3: b"one", 4: b"two"}
    numbers = RoundNumbers(tmp_path / "server.rounds", "a")
    numbers.use(1)
    with (tmp_path / "server.rounds").open("ab") as file:
        file.write(b'{"scenario": "a", "round": 2')
    numbers = RoundNumbers(tmp_path / "server.rounds", "a")
    assert numbers.next == 2
    numbers.use(2)
    assert RoundNumbers(tmp_path / "server.rounds", "a").next == 3


@pytest.mark.parametrize(
    "content", ['{"round": 1}\n', "[]\n", "[" * 100_000 + "\n", '{"round": 1, "survivors": "x"}\n']
)
def test_a_journal_that_cannot_be_used_releases_nothing(tmp_path: Path, content: str) -> None:
    path = tmp_path / "c1.rounds"
    path.write_text(content + "\n")
    path.chmod(0o600)
    with pytest.raises(UsageError, match="cannot be read"):
        RoundJournal(path)
    with pytest.raises(ProtocolError, match=r"cannot be written.*; nothing was released"):
        RoundJournal(tmp_path / "nowhere" / "c1.rounds")(1, b"one")


def test_a_journal_that_holds_two_sets_of_a_round_is_none(tmp_path: Path) -> None:
    path = tmp_path / "c1.rounds"
    RoundJournal(path)(1, b"one")
    with path.open("ab") as file:
        file.write(b'{"round": 1, "survivors": "00"}\n')
    with pytest.raises(UsageError, match="two sets of survivors of round 1"):
        RoundJournal(path)


def test_a_limit_of_open_files_that_is_too_low_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    set_to: list[tuple[int, int]] = []
    monkeypatch.setattr("resource.getrlimit", lambda _: (256, 4096))
    monkeypatch.setattr("resource.setrlimit", lambda _, limits: set_to.append(limits))
    allow_connections(60, 3)
    allow_connections(1000, 3)
    assert set_to == [(3064, 4096)]
    with pytest.raises(UsageError, match="2000 connections in one process need 6064 open files, and 4096 is the limit"):
        allow_connections(2000, 3)
