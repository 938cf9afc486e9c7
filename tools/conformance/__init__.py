"""docs/conformance.md: what others wrote, run here. `python -m tools.conformance` writes it anew."""
