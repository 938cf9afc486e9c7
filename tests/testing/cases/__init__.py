"""Every protocol of ours as a case for the kit's checks: what it computes, costs and reveals.

Start with `case.py` (what a case says, and the checks), then the file of the protocol's room; `costs.py` has the bytes
of what many are made of. A new protocol is one more entry in its room's `CASES`: `test_cases.py` and
`test_case_views.py` do the rest.
"""
