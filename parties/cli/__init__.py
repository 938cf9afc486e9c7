"""The command `mpc`: its subcommands, and how they tell what they do.

Read first: `command.py` (every subcommand with its options), `run_locally.py`, `run_party.py`.
May import every other room.
"""
