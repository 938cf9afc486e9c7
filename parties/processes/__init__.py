"""All parties on one machine: each a process of its own, started, watched, and ended with its launcher.

Read first: `launcher.py`, `child.py` (a started party, as its launcher sees it), `member.py` (what it runs),
`lifeline.py`.
May import `session` and the rooms below.
"""
