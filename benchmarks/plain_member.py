"""A party's process over the transport without encryption: `parties.member`, and nothing else changed."""

from __future__ import annotations

import sys

from benchmarks.plain import PlainTransport
from parties import member, take_part

if __name__ == "__main__":
    take_part.Transport = PlainTransport  # type: ignore[attr-defined]
    sys.exit(member.main())
