"""Descriptive statistics: the settings, an owner's counts, what is disclosed, the job.

Read first: `settings.py` (cells, samples, searches), `job.py`, `cell_tests.py` (what withholds each block); `private/`
is with noise.

May import: `protocols.evaluation`, `protocols.survival` and what is below them; no other job.
"""
