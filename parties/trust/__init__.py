"""A party's trust: keys, rosters, consent, its policy, its list of releases, journals, sealed shares.

Read first: `consent.py`, `policy.py` (what an owner refuses), `releases.py` (what was released about which data).
May import `base`, `show`, `scenario` and `data`.
"""
