"""What a kind of task gives `mpc audit`: the rows that attackers look for, what was told of them, noise to be drawn.

Read first: `audit.py` (the types), then what several kinds share: `models.py` and `sums.py` (candidates of a model, or
of counts and sums), `noise.py` (trials of noisy sums); `counts.py` and `updates.py` are the types of two attacks.
All owners' rows are in one place here: it is for one machine, as the comparison of `mpc run` is.
May import `tasks.rows` and the rooms below it.
"""
