"""Attacks on counts and sums by linear programming: what was told bounds what was withheld.

Read first: `unknowns.py` (patients of each kind as unknowns), `bounds.py` (their least and largest values), then the
attacks: `reconstruction.py`, `differencing.py`, `linkage.py`.
May import `audit.attack` and the rooms that `audit` may import.
"""
