"""Processes and people: the command `mpc`, and all that a run needs around a protocol.

The rooms, from the ground up; each imports only rooms that stand before it (`tests/test_layers.py`): `base`, `show`
(tables and pages), `scenario` (the file), `data` (an owner's table), `trust` (keys, consent, policy), `tasks` (a folder
a kind of task), `session` (one party's part), `processes` (all on one machine), `report` (the record, the summary) and
`trace`, `doctor`, `new` and `sweep`, `cli`.
"""
