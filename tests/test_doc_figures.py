"""Figures in the docs that `mpc plan` prints: as they are now."""

from __future__ import annotations

from pathlib import Path

import pytest

from parties.tasks.registry import load_scenario, planned

ROOT = Path(__file__).resolve().parent.parent
RADIUS = '"mean_radius", "mean_texture", "mean_perimeter", "mean_area", "mean_smoothness"'
TABLE = (
    ("epochs = 10", ""),
    ('solver = "sgd"', ""),
    ("batch_size = 128", ""),
    ("learning_rate = 0.5", ""),
    ('# features = ["mean_radius"]', f"features = [{RADIUS}]"),
    ("test_fraction = 0.2", "test_fraction = 0.0"),
    ('reveal = ["model", "metrics"]', 'reveal = ["metrics", "inference"]'),
)
OPEN_FISHER = ('id = "patient"', 'id = "patient"\ninference = "open-fisher"')
OPEN_GRAM = ('missing = "drop"', 'missing = "drop"\ninference = "open-gram"')
MONTHS = ('missing = "drop"', 'missing = "drop"\nweights = "months"')
NO_CELLS = ('kind = "statistics"', 'kind = "statistics"\nmin_cell = 0')
PRIVATE = ("standardise = true", 'standardise = "private"')
MODEL = ('reveal = ["model", "metrics"]', 'reveal = ["model"]')

FIGURES = [
    ("inference.md", "two_hospitals", TABLE, "| `shared` | {rounds} | {owner:,} | {helper:,} |"),
    ("inference.md", "two_hospitals", (*TABLE, OPEN_FISHER), "| `open-fisher` | {rounds} | {owner:,} | {helper:,} |"),
    ("linear_regression.md", "hips_linear", (), "| `shared` | {rounds} | {owner:,} | {helper:,} |"),
    ("linear_regression.md", "hips_linear", (OPEN_GRAM,), "| `open-gram` | {rounds} | {owner:,} | {helper:,} |"),
    ("linear_regression.md", "hips_linear", (MONTHS,), 'with `weights = "months"` {rounds} rounds and {owner:,} bytes'),
    ("scenario.md", "two_hospitals", (), "with `true` {rounds} and {owner:,}"),
    ("scenario.md", "two_hospitals", (PRIVATE,), "prints {rounds} rounds and {owner:,} bytes an owner"),
    ("results.md", "vertical", (), "{rounds} rounds and {owner:,} bytes an owner"),
    ("results.md", "vertical", (MODEL,), "{rounds} and {owner:,}"),
    ("shared_model.md", "shared_model", (), "{rounds} rounds and {megabytes} MB an owner"),
    ("shared_model.md", "two_hospitals", (), "takes {rounds} and {megabytes} MB"),
    ("statistics.md", "registry_statistics", (), "The registry's example takes {rounds} rounds"),
    ("statistics.md", "registry_statistics", (NO_CELLS,), "with the rule and {thousands} kB without"),
]


@pytest.mark.parametrize(("page", "name", "changes", "words"), FIGURES, ids=[" ".join(one[::3]) for one in FIGURES])
def test_a_figure_of_the_docs(
    tmp_path: Path, page: str, name: str, changes: tuple[tuple[str, str], ...], words: str
) -> None:
    text = (ROOT / "scenarios" / f"{name}.toml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "small.toml"
    path.write_text(text.replace('"data/', f'"{ROOT}/scenarios/data/'))
    _, plan = planned(load_scenario(path))
    owner, helper = plan.bytes_sent[plan.owners[0]], plan.bytes_sent[plan.helper]
    sizes = {"thousands": round(owner / 1000), "megabytes": f"{owner / 1e6:.2f}"}
    said = words.format(rounds=len(plan.rounds), owner=owner, helper=helper, **sizes)
    assert said in " ".join((ROOT / "docs" / page).read_text(encoding="utf-8").split())


README_ROWS = ("beaverlodge, encrypted", "SPU", "CrypTen", "MPyC (3 equal parties)")


@pytest.mark.parametrize("who", README_ROWS)
def test_the_readme_has_the_figures_of_the_benchmarks(who: str) -> None:
    """After `make bench`: put its figures into the README's table."""
    local, wan = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8").split("\n### ")[1:3]
    row = next(line for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines() if f"| {who} |" in line)
    all_in, step, off = (_cells(local, who)[k].split(" (")[0] for k in (2, 3, 5))
    assert row == f"| {who} | {all_in} s | {step} ms | {_cells(wan, who)[2].split(' (')[0]} s | {off} |"


def _cells(text: str, who: str) -> list[str]:
    """A table's line."""
    line = next(line for line in text.splitlines() if line.startswith(f"| {who} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]
