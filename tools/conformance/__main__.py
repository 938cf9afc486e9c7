"""Write docs/conformance.md anew: what is planted is run, and others' figures are those that were kept.

python -m tools.conformance            writes the page
python -m tools.conformance --peers    measures MPyC and CrypTen first, for some minutes
"""

from __future__ import annotations

import argparse

from tools.conformance.page import PAGE, renewed


def main() -> None:
    """The command."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="python -m tools.conformance", description=__doc__, formatter_class=raw)
    parser.add_argument("--peers", action="store_true", help="measure MPyC and CrypTen first")
    if parser.parse_args().peers:
        from tools.conformance.peers import measure

        measure()
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
