"""Federated learning as text: the plan and the approval before a run, the record and the report after it.

Read first: `plan.py`, `record.py`, `summary.py` (the record as text), `page.py` (the same as HTML, with charts).
May import `tasks.federated.clients` and what is below.
"""
