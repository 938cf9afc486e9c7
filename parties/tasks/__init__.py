"""The kinds of task, a folder each, and what surrounds a run asks of them.

Read first: `base.py` (what a kind fills), `registry.py` (one line a kind), then a folder: `mantel_haenszel/` is the
smallest to copy, `statistics/` the plainest of the large ones. What several kinds share is in rooms below: `rows/`,
`privacy/`, `audited/` and `star/`.
May import these rooms, and `base`, `show`, `scenario`, `data` and `trust`. A kind may import this room, too, never
another kind; only the registry imports kinds.
"""
