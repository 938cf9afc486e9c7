"""`mpc new`: a commented scenario for the owners' files, checked to run; or a protocol of one's own (`protocol.py`).

Read first: `scenario.py` (the file), `choices.py` (what is chosen), `columns.py` (a look into the data).
May import `report` and the rooms below.
"""
