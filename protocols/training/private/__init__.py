"""Differentially private logistic regression: by noisy gradients, and by a model that is told with noise.

Read first: `noisy_descent.py` (gradients of owners' own rows), `shared_gradients.py` (of split columns), `perturbed.py`
(the model alone, with the proofs in `bounds.py` and `objective.py`).

May import: `protocols.training` and what is below it.
"""
