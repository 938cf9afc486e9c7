"""The command's files."""

from __future__ import annotations

from parties.cli.command import cli


def test_each_subcommand_is_in_the_file_named_like_it() -> None:
    places = {name: command.callback.__module__ for name, command in cli.commands.items() if command.callback}
    assert places == {name: f"parties.cli.{name}" for name in cli.commands} and len(places) > 5
