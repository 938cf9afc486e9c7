"""All parties on one machine: each a process of its own, started, watched, and ended with its launcher.

Read first: `launcher.py` (starts all and waits), `children.py` and `child.py` (what it has started). What runs in these
processes is in `party`, and the process that stands for the network in `network`.
May import `session` and the rooms below.
"""
