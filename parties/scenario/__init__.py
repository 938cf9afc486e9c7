"""A scenario file: reading within limits, checks of each setting and of settings together, the wording of mistakes.

Read first: `file.py` (the whole file), `models.py` (each setting with its type and default), `problems.py` (the
wording).
May import `base` and `show`.
"""
