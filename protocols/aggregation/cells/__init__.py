"""Small cells of a secure sum: which numbers may not be told, and who finds that out.

Read first: `own.py` (each client leaves out its own), `membership.py` (server and helper test the sums of all),
`values.py` (rows with each value, for that test).

May import: `protocols.aggregation.parts`.
"""
