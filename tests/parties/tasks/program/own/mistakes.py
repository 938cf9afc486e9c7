"""Protocols with one mistake each, as an author may make them; not typed, since they are data of tests."""
# mypy: ignore-errors

from beaverlodge.protocol import Spec, Uniform, multiply


async def raises(p, x):
    z = await multiply(p, x[0], x[1])
    if p.index == 1 and not p.dry:
        raise ValueError("of the author")
    return z


async def looks(p, x):
    if x[0].value[0] > 3:
        return None


async def opens_twice(p, x):
    (a,) = p.correlation(Uniform((Spec(x[0].shape, x[0].scale),)))
    await p.open(x[0] - a, label="one")
    await p.open(x[1] - a, label="two")


async def returns_text(p, x):
    return "text"


async def does_more(p, x):
    (r,) = await p.reveal(x[0], what="a", why="b", label="first")
    if not p.dry:
        (r,) = await p.reveal(x[0], what="a", why="b", label="more")
    return r


async def takes_two(p, x, y):
    return None


def plain(p, x):
    return None


async def refuses(p, x):
    from mpc.errors import DataError

    p.insist(lambda: False, lambda: DataError("no such values", "give others"))


async def tells_each(p, x):
    share = x[0] + x[1]
    return await p.reveal_to_each(dict.fromkeys(p.owners, share), what="sum", why="agreed", label="each")


async def mixed(p, x):
    (r,) = await p.reveal(x[0], what="a", why="b", label="c")
    return {"opened": r, "kept": x[1], "mine": p.index, "none": None}


def mixed_reference(x):
    return {"opened": x[0] + 1, "kept": x[1]}


def tells_each_reference(x):
    raise ValueError("of the reference")


async def sleeps(p, x):
    import asyncio

    await asyncio.sleep(0)


async def leaves(p, x):
    if not p.dry:
        raise SystemExit(0)
