"""What `mpc audit` is given of federated learning.

Read first: `population.py` (the study in the clear, and who is looked for), `updates.py` (what clients send).
May import `tasks.federated.server` and what is below.
"""
