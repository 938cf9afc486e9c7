"""[privacy] method = "output" and "objective": the model alone is told, with noise.

Read first: `run.py` (the steps of a run).
May import the room above it, and what that may.
"""
