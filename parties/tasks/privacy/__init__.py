"""[privacy] of kinds of task for owners: the settings, the rows' shapes, the guarantee in words, figures without noise.

Read first: `guarantee.py` (what plan, approval and record say), `settings.py`, `rows.py`.
May import `tasks.rows` and the rooms below it.
"""
