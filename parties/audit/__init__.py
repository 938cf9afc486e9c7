"""`mpc audit`: attacks on what a run or a study discloses, and what they gained.

Read first: `attack.py` (what an attack is given and what it finds), `registry.py` (the attacks), `membership.py` as the
model of one, `conduct.py` (the whole audit); `counts/` has the attacks on counts and sums. What depends on the kind of
task comes from the kind, as `parties/tasks/audited` describes; how a finding looks is in `parties/report/audit.py`.
May import `report` and the rooms below.
"""
