"""The emulated network of `mpc run`: a process between the parties that makes their links slow, narrow or cut.

Read first: `relay.py` (the process), `delay_line.py` (when a byte arrives), `emulated.py` (which links, by a scenario).
May import `processes.party` and the rooms below.
"""
