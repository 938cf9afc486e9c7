"""A run's record, and the plan, the record and the approval as text: composed of what each kind of task shows.

Read first: `record.py` (`result.json`), `summary.py` (the terminal), `page.py` (`report.html`), `plan.py`.
May import `processes` and the rooms below.
"""
