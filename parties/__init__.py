"""Processes and people: the command `mpc`, and all that a run needs around a protocol.

The rooms, from the ground up; each imports only rooms that stand before it (`tests/test_layers.py`): `base`, `show`,
`scenario`, `data`, `trust`, `tasks`, `session`, `processes`, `report`, `doctor` and `new`, `cli`.
"""
