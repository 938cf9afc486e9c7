"""The two ends of an author's own protocol between a server and many clients: what its two functions are given.

    async def total_client(me: Client, x: Array) -> None     one client; each `await me.send(...)` is a stage
    async def total_server(s: Server) -> Array               the server; each `await s.gather(...)` is that stage

Nothing here drives them: a `send` awaits an `Exchange`, a `gather` a `Gather` (stage.py).
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mpc.errors import BeaverlodgeError, ProtocolError, UsageError
from mpc.randomness.streams import Entropy
from mpc.ring.array import Array
from mpc.star.stage import Exchange, Gather

INDEX_BYTES: Final = 4
"""The bytes of a client's number in a list of messages."""


Shape = tuple[int, ...]
"""The shape of an input at a client; -1 stands for a table's rows, of which each has its own number."""


@dataclass(frozen=True)
class Gathered:
    """A stage as the server had it.

    Args:
        sees: what a client's message in it shows the server.
        answered: the clients whose messages were taken.
        received: the bytes of these messages, without headers; `sent` those of the answers that opened the stage.
        asked: how many clients got such an answer; `waited` how many were waited for.
    """

    label: str
    sees: str
    answered: tuple[int, ...]
    received: int
    sent: int
    asked: int
    waited: int


@dataclass(frozen=True)
class Learnt:
    """A declared result: what is told, why, of which shape, and over which clients."""

    what: str
    why: str
    shape: tuple[int, ...]
    clients: tuple[int, ...]


class _Secrets:
    """Fresh secrets of one party, each under a label of its own."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._drawn: set[str] = set()

    def draw(self, label: str) -> bytes:
        if label in self._drawn:
            raise UsageError(f"the secret '{label}' is drawn twice", "keep it, or give the second one another label")
        self._drawn.add(label)
        return self._entropy(label)


class Client:
    """One client, to its own program.

    Attributes:
        number: its number, from 0.
        clients: how many clients there are in all.
        session: public bytes, the same at all parties and in no other run: bind keys to it.
        dry: whether this is a plan, on made-up inputs.
    """

    def __init__(self, number: int, clients: int, session: bytes, entropy: Entropy, *, dry: bool = False) -> None:
        self.number = number
        self.clients = clients
        self.session = session
        self.dry = dry
        self._secrets = _Secrets(entropy)
        self._labels: set[str] = set()

    def secret(self, label: str) -> bytes:
        """32 fresh secret bytes, which no other party can have. Each label once."""
        return self._secrets.draw(label)

    def insist(self, condition: object, error: BeaverlodgeError) -> None:
        """Leave unless a condition on this client's data holds; in a plan, whose data are made up, it always does."""
        if not self.dry and not condition:
            raise error

    async def send(self, message: bytes | Array, *, label: str, answer: int = 0) -> bytes:
        """Send the server a message, and wait for its answer: one stage.

        Args:
            message: bytes, or an array, which is sent as its own bytes.
            label: the stage's name; each stage has its own.
            answer: the most bytes that the answer can have.
        """
        _new_label(self._labels, label)
        return await Exchange(_bytes(message), label, answer)


class Server:
    """The server, to its program.

    Attributes:
        clients: how many clients there are in all.
        session: as of a `Client`.
        shapes: of each input.
        stages: the stages so far.
        learnt: what was declared so far.
        told: client -> the last answer, after the last stage.
    """

    def __init__(self, clients: int, session: bytes, entropy: Entropy, shapes: Sequence[Shape] = ()) -> None:
        self.clients = clients
        self.session = session
        self.shapes = tuple(shapes)
        self.stages: list[Gathered] = []
        self.learnt: list[Learnt] = []
        self.told: dict[int, bytes] = {}
        self._secrets = _Secrets(entropy)
        self._labels: set[str] = set()

    def secret(self, label: str) -> bytes:
        """32 fresh secret bytes, as of a `Client`."""
        return self._secrets.draw(label)

    async def gather(
        self,
        label: str,
        answers: Mapping[int, bytes | Array] | None = None,
        *,
        sees: str,
        size: int | None = None,
        most: int | None = None,
        at_least: int | None = None,
    ) -> dict[int, bytes]:
        """Answer clients, and gather their next messages: one stage.

        Args:
            answers: client -> the answer to its last message. It is these clients that are waited for; in the first
                stage, which answers nothing, all.
            sees: what a message shows the server, and why it may see it: "x_i under masks, uniform".
            size: the bytes of each message; `most`, in its place, the most that one can have. A client that sends
                another number is dropped.
            at_least: how many clients are enough; all that are waited for where left out.

        Returns:
            client -> its message, by number. Who is not in it did not answer in time, or left.

        Raises:
            TooFewError: fewer answered. The clients are told that there is no result.
        """
        if (size is None) == (most is None):
            raise UsageError(f"stage '{label}' says neither the size of a message, or both", "give size= or most=")
        if (answers is None) == bool(self.stages) or self.told:
            what = "answers nobody" if self.stages else "answers clients that said nothing yet"
            what = "comes after the last answer" if self.told else what
            raise UsageError(f"stage '{label}' {what}", "every stage but the first answers the messages of the last")
        _new_label(self._labels, label)
        said = {} if answers is None else self._answers(answers)
        expect = frozenset(said) if self.stages else frozenset(range(self.clients))
        taken: dict[int, bytes] = {}

        def take(i: int, body: bytes) -> None:
            if size is not None and len(body) != size:
                raise ProtocolError(f"client {i} sent {len(body)} bytes in stage '{label}', and not {size}")
            taken[i] = body

        limit = size if size is not None else most or 0
        answered = await Gather(said, expect, len(expect) if at_least is None else at_least, label, limit, take)
        found = {i: taken[i] for i in sorted(answered)}
        received, sent = (sum(map(len, one.values())) for one in (found, said))
        self.stages.append(Gathered(label, sees, tuple(found), received, sent, len(said), len(expect)))
        return found

    def answer(self, answers: Mapping[int, bytes | Array]) -> None:
        """What the clients are told at the end, in answer to their messages of the last stage: nothing where left out.

        It goes out when this function returns.
        """
        if not self.stages:
            raise UsageError("the server answers clients that said nothing yet", "await s.gather(...) first")
        self.told |= self._answers(answers)

    def _answers(self, answers: Mapping[int, bytes | Array]) -> dict[int, bytes]:
        last = self.stages[-1]
        strangers = sorted(answers.keys() - set(last.answered))
        if strangers:
            raise UsageError(f"the server answers client {strangers[0]}, which sent nothing in stage '{last.label}'")
        return {i: _bytes(one) for i, one in sorted(answers.items())}

    def reveal(self, value: Any, *, what: str, why: str, of: Sequence[int] | None = None) -> Any:
        """Declare a value that the server learns of the clients' data; returns it.

        Args:
            what, why: shown before a run, and in its record: they hold no data.
            of: the clients whose numbers are in it; those that answered in the last stage where left out.
        """
        clients = self.stages[-1].answered if of is None and self.stages else tuple(sorted(of or ()))
        self.learnt.append(Learnt(what, why, tuple(np.shape(value)), clients))
        return value


async def served(s: Server, program: Awaitable[Any]) -> Any:
    """The server's program, and its last word to the clients: the answers to the messages of the last stage.

    Raises:
        UsageError: it gathered nothing, or returns something and declared nothing.
    """
    result = await program
    if not s.stages:
        raise UsageError("the server gathered nothing", "await s.gather(...) in it, for each stage of the clients")
    if result is not None and not s.learnt:
        raise UsageError(
            "the server returns what it did not declare", "return s.reveal(value, what=..., why=...): it is in the plan"
        )
    last = s.stages[-1]
    await Gather(dict.fromkeys(last.answered, b"") | s.told, (), 0, last.label, 0, lambda i, body: None)
    return result


def listed(messages: Mapping[int, bytes]) -> bytes:
    """Messages of clients, each with its client's number, as one answer. They have one size."""
    return b"".join(i.to_bytes(INDEX_BYTES, "little") + one for i, one in sorted(messages.items()))


def read_listed(body: bytes, size: int) -> dict[int, bytes]:
    """The messages of such an answer, by client.

    Args:
        size: the bytes of each.

    Raises:
        ProtocolError: it is no such list.
    """
    step = INDEX_BYTES + size
    parts = [body[start : start + step] for start in range(0, len(body), step)]
    found = {int.from_bytes(one[:INDEX_BYTES], "little"): one[INDEX_BYTES:] for one in parts}
    if len(body) % step or len(found) < len(parts):
        raise ProtocolError("the server's list of messages is malformed", party="server")
    return found


def _bytes(message: bytes | Array) -> bytes:
    return message.tobytes() if isinstance(message, np.ndarray) else bytes(message)


def _new_label(labels: set[str], label: str) -> None:
    if label in labels:
        raise UsageError(f"two stages are called '{label}'", "give each its own label, such as 'keys' and 'masked'")
    labels.add(label)
