"""The repository around the code: nothing of one machine in it, and what it promises is there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|root|home)/")
REGISTRY = re.compile(r"(?:pypi|pythonhosted)\.org", re.IGNORECASE)
PINNED = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)
BOUND = re.compile(r"^([a-z0-9-]+)>=([0-9.]+)$")


def tracked() -> list[Path]:
    """The files under version control, those about to be added included."""
    listed = subprocess.run(["git", "ls-files", "-z", "--cached"], cwd=ROOT, capture_output=True, check=True, text=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def lines_that_match(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in tracked()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1)
        if pattern.search(line)
    ]


def numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def project() -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """The lower bounds of the core's dependencies, of those of its other extras, and of the tests'."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = dict(table["optional-dependencies"])
    test = extras.pop("test")
    bounds = []
    for lines in (table["dependencies"], [line for extra in extras.values() for line in extra], test):
        matches = [BOUND.match(line) for line in lines]
        assert all(matches), lines
        bounds.append({match[1]: match[2] for match in matches if match})
    return bounds[0], bounds[1], bounds[2]


def pins(name: str) -> dict[str, str]:
    return dict(PINNED.findall((ROOT / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("before", ["see ", '"', "file:", "="])
@pytest.mark.parametrize("folder", ["work", "root", "home"])
def test_a_path_of_one_machine_is_recognised(before: str, folder: str) -> None:
    assert MACHINE_PATH.search(f"{before}/{folder}/x")
    assert not MACHINE_PATH.search(f"https://example.org/{folder}/x")


def test_no_tracked_file_names_a_path_of_one_machine() -> None:
    assert lines_that_match(MACHINE_PATH) == []


def test_no_tracked_file_names_a_package_registry() -> None:
    assert lines_that_match(REGISTRY) == []


def test_lowest_requirements_are_the_lower_bounds() -> None:
    core, extras, _ = project()
    assert pins("requirements-lowest.txt") == core | extras


def test_locks_hold_every_dependency_with_hashes_and_agree() -> None:
    core, extras, test = project()
    small, large = pins("requirements.lock"), pins("requirements-dev.lock")
    for bounds, lock in ((core, small), (core | extras | test, large)):
        assert bounds.keys() <= lock.keys()
        assert all(numbers(lock[name]) >= numbers(bound) for name, bound in bounds.items())
    assert small.items() <= large.items(), "run `make lock`"
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.search(r"^\s*-|://", text.replace("    --hash=sha256:", ""), re.MULTILINE)
        entries = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]
        assert all("--hash=sha256:" in entry for entry in entries)


def test_ci_can_be_executed() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("path", sorted((ROOT / "scenarios").glob("*.toml")), ids=lambda path: path.name)
def test_scenarios_are_toml_and_their_files_are_here(path: Path) -> None:
    scenario = tomllib.loads(path.read_text(encoding="utf-8"))
    assert scenario["schema"] == 1
    for party in scenario["parties"].values():
        data = party.get("data")
        if isinstance(data, str):
            assert (path.parent / data).is_file(), data


def readme_commands() -> list[list[str]]:
    """The `make ...` and `mpc ...` lines in the README's code blocks, and such commands in its tables."""
    readme = ROOT / "README.md"
    if not readme.exists():
        return []
    text = readme.read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    cells = [cell for row in re.findall(r"^\|.*", text, re.MULTILINE) for cell in re.findall(r"`([^`]+)`", row)]
    lines = [line.strip().removeprefix("$ ") for block in blocks for line in block.splitlines()] + cells
    commands = [shlex.split(line, comments=True) for line in lines if re.match(r"(\S*/)?(make|mpc) ", line)]
    return [[Path(command[0]).name, *command[1:]] for command in commands]


def test_the_readmes_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for command in readme_commands():
        if command[0] == "make":
            assert {word for word in command[1:] if "=" not in word} <= targets, command


def test_the_readmes_scenarios_and_subcommands_exist() -> None:
    commands = [command for command in readme_commands() if command[0] == "mpc"]
    for command in commands:
        for word in command[1:]:
            assert not word.startswith("scenarios/") or (ROOT / word.partition(":")[0]).exists(), word
    for name in {command[1] for command in commands if not command[1].startswith("-")}:
        shown = subprocess.run(
            [sys.executable, "-c", "from parties.cli.command import main; main()", name, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        assert shown.returncode == 0, (name, shown.stderr)


def python_that_setup_finds(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What tools/setup.sh picks when only the programs in `path` and the system's small tools are there."""
    for tool in ("sh", "dirname", "cat", "cksum"):
        found = next(Path(folder, tool) for folder in ("/bin", "/usr/bin") if Path(folder, tool).exists())
        (path / tool).symlink_to(found)
    return subprocess.run(
        [str(path / "sh"), str(ROOT / "tools" / "setup.sh"), "python"],
        env={"PATH": str(path), **environment},
        capture_output=True,
        text=True,
    )


def fake(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def test_setup_passes_over_pythons_that_do_not_run(tmp_path: Path) -> None:
    fake(tmp_path / "python3.13", "echo 'python3.13: command not found' >&2; exit 127")
    fake(tmp_path / "python3.12", "exit 3")
    fake(tmp_path / "python3.11", f'exec {shlex.quote(sys.executable)} "$@"')
    found = python_that_setup_finds(tmp_path)
    assert (found.returncode, found.stdout, found.stderr) == (0, "python3.11\n", "")


def test_setup_prefers_the_python_that_is_named(tmp_path: Path) -> None:
    fake(tmp_path / "python3.13", f'exec {shlex.quote(sys.executable)} "$@"')
    (tmp_path / "my folder").mkdir()
    named = tmp_path / "my folder" / "python"
    fake(named, f'exec {shlex.quote(sys.executable)} "$@"')
    assert python_that_setup_finds(tmp_path, PYTHON=str(named)).stdout == f"{named}\n"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "python3 and python3-venv"),
        ("exit 3", "no Python 3.11 or newer"),
        (
            'case "$2" in *ensurepip*) exit 4;; *) echo python3.12;; esac',
            "sudo apt-get install python3.12-venv",
        ),
    ],
)
def test_setup_names_the_package_to_install(tmp_path: Path, script: str | None, words: str) -> None:
    if script is not None:
        fake(tmp_path / "python3", script)
    found = python_that_setup_finds(tmp_path, PYTHON="python9")
    assert found.returncode == 2
    first, second = found.stderr.splitlines()
    assert first == "beaverlodge: PYTHON=python9 does not run; trying others"
    assert words in second


def test_make_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split())
    described = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    assert phony == described


def test_the_layout_names_every_room() -> None:
    text = (ROOT / "docs" / "layout.md").read_text(encoding="utf-8")
    folders = {path.relative_to(ROOT).parent for path in tracked() if path.suffix == ".py"}
    rooms = {folder.name for folder in folders if folder.parts and folder.parts[0] in ("mpc", "protocols", "parties")}
    assert len(rooms) > 3
    assert sorted(room for room in rooms if f"`{room}`" not in text and f"`{room}/`" not in text) == []


def test_the_layouts_ways_in_are_there() -> None:
    """Files whose rooms are there: a way in that a later move took away fails here."""
    text = (ROOT / "docs" / "layout.md").read_text(encoding="utf-8")
    named = [ROOT / name for name in re.findall(r"`((?:mpc|protocols|parties|tests)/[\w/]+\.py)`", text)]
    assert [path for path in named if path.parent.exists() and not path.exists()] == []


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_links_between_pages_lead_to_files_and_headings() -> None:
    broken = []
    for page in (path for path in tracked() if path.suffix == ".md"):
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            file, _, anchor = link.partition("#")
            target = page.parent / file if file else page
            if "://" in link:
                continue
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append(f"{page.relative_to(ROOT)}: {link}")
    assert broken == []


def test_a_tests_name_has_at_most_60_characters() -> None:
    names = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in tracked()
        if path.suffix == ".py" and "tests" in path.parts
        for name in re.findall(r"^ *(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        if len(name) > 60
    ]
    assert names == []
