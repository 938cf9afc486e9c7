"""The attacks, in the order in which they are tried and shown: the one place that lists them."""

from __future__ import annotations

from typing import Final

from parties.audit.attack import Attack
from parties.audit.attribute import ATTRIBUTE
from parties.audit.counts.differencing import DIFFERENCING
from parties.audit.counts.reconstruction import RECONSTRUCTION
from parties.audit.epsilon import EPSILON
from parties.audit.inversion import INVERSION
from parties.audit.membership import MEMBERSHIP

ATTACKS: Final[tuple[Attack, ...]] = (EPSILON, MEMBERSHIP, ATTRIBUTE, RECONSTRUCTION, DIFFERENCING, INVERSION)
