"""A secure sum as text: the plan and the approval before a run, the record and the report after it.

Read first: `plan.py`, `record.py`, `summary.py` (the record as text).
May import `tasks.secure_sum` and what is below.
"""
