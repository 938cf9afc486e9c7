"""[privacy] method = "gradients", where columns are split: gradients are made under sharing.

Read first: `run.py` (the steps of a run).
May import the room above it, and what that may.
"""
