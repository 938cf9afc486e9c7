"""The mathematics: protocols between owners, which have no clock, file, socket or randomness of their own.

The rooms from the ground up: `rows` (data types that jobs share), `aggregation` (sums of many clients), `core`
(products, comparison), `linalg`, `functions`, `scaling`, `disclosure` (what is withheld), `survival`, `evaluation`; the
jobs `training`, `inference`, `linear`, `prediction` and `statistics`; `plain` (the references in the clear). This page
imports nothing, so that a command that needs little starts at once.
"""
