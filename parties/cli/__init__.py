"""The command `mpc`: a file a subcommand, and what they print.

Read first: `command.py` (the group and the entry point), `run.py` as the model of a subcommand, `guard.py` (errors and
exit codes), `options.py` (what several take), `run_locally.py` and `run_party.py` (what two of them do for owners and a
helper; with `run_star_` before the name, for a server and clients).

To add a subcommand: a file named like it, whose function of that name is a `click.command()` with the help in its
docstring, and that name in the list of `command.py`. `mpc --help` imports every such file, so at its top it imports
nothing slow: no room but `base`, and none of numpy, pydantic, rich. What it does is imported in the function.
May import every other room.
"""
