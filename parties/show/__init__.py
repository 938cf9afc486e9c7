"""How numbers, lines and tables look, on a terminal, as plain text and as HTML. It knows no kind of task.

Read first: `blocks.py` (lines and grids of text), `html.py` (the pieces of a page).
May import no other room.
"""
