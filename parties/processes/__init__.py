"""All parties on one machine: each a process of its own, started, watched, and ended with its launcher.

Read first: `launcher.py` (starts all and waits), `children.py` and `child.py` (what it has started), `member.py` (what
a party runs), `lifeline.py`.
May import `session` and the rooms below.
"""
