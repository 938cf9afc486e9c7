"""A party's process over the transport without encryption: `parties.member`, and nothing else changed."""

from __future__ import annotations

import sys

from benchmarks.plain import PlainTransport
from parties import member, take_part


def main() -> int:
    """As `parties.member`'s."""
    take_part.Transport = PlainTransport  # type: ignore[attr-defined]
    return member.main()


if __name__ == "__main__":
    sys.exit(main())
