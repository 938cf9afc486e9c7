"""A scenario file: read within bounds, each setting by its model, then settings together; what is wrong, in words.

Read first: `file.py` (the whole file), `models.py` (each setting with its type and default), `problems.py` (the
wording).
May import `base` and `show`.
"""
