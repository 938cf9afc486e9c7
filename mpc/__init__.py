"""The machine: rings, shares, randomness, rounds, plans and links, which know no protocol and no file.

The rooms from the ground up: `errors.py`, `ring`, `sharing`, `randomness`, `runtime`, `links`, `star`, `testing`. This
page imports nothing, so that a command that needs little starts at once.
"""
