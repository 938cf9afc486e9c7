"""Leaves that every room may use: the version, private files written whole or not at all, logs, a party's events,
limits.

Read first: `private_files.py`, `reporter.py` and the events that it sends, `events.py`; `record_files.py` has the names
and the schema of a run's record.
May import no other room.
"""
