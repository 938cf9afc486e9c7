"""What no float64 holds."""

from beaverlodge.protocol import Party, Public, Share


async def exact(p: Party, numbers: tuple[Share, ...], bits: tuple[Share, ...]) -> list[Public]:
    """Open the first owner's number and bits."""
    return list(await p.reveal(numbers[0], bits[0], what="all", why="a test", label="all"))
