"""What runs in the process of a party: its part under a launcher, faults on purpose, and clients inside it.

Read first: `member.py` (follows the launcher's order), `lifeline.py` (how the order comes, and the end), `inside.py`
(clients without processes of their own), `on_cluster.py` (such clients on a Dask cluster).
May import `session` and the rooms below.
"""
