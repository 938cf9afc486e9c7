"""A linear regression with [privacy], by noisy sums of products.

Read first: `settings.py` (from a scenario to the protocol's settings), `record.py` (what is told).
May import `tasks` and what is below, and the kind's `settings.py`.
"""
