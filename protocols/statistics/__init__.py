"""Descriptive statistics: what is asked for, what an owner counts, what is told, the job.

Read first: `settings.py` (cells, samples, searches), `job.py`, `cell_tests.py` (what withholds each block).

May import: `protocols.evaluation`, `protocols.survival` and what is below them; no other job.
"""
