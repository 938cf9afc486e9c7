"""[privacy] method = "gradients", of owners with rows of their own: noisy sums of clipped gradients.

Read first: `run.py` (the steps of a run), `record.py` (what is told).
May import the room above it, and what that may.
"""
