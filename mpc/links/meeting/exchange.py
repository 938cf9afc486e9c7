"""JSON objects that all parties exchange in one round; a peer's fields are read with distrust."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from mpc.errors import ProtocolError, UsageError
from mpc.links.channel import Channel
from mpc.links.session import HANDSHAKE
from mpc.randomness.streams import SEED_BYTES
from mpc.runtime.round import Blob, Round

LONGEST_NAME: Final = 200
"""The largest length of a column's name, in characters, where owners exchange names."""

MOST_COLUMNS: Final = 100_000
"""The largest number of columns, of one owner or of all: so many short names fill the longest handshake message."""

_T = TypeVar("_T")


def exchange(
    channel: Channel,
    label: str,
    messages: Mapping[str, Mapping[str, Any]],
    seconds: float | None,
    check: Callable[[str, Answer], None] | None = None,
) -> dict[str, Answer]:
    """One round of JSON objects with every peer; each is checked when it comes, whoever else is still missing."""

    def look(peer: str, body: bytes) -> Answer:
        answer = _object(peer, label, body)
        if check is not None:
            check(peer, answer)
        return answer

    send = {peer: json.dumps(message).encode() for peer, message in messages.items()}
    if max(map(len, send.values())) > HANDSHAKE.longest:
        raise UsageError(
            f"what {channel.me} has to say of its columns is longer than others take ({HANDSHAKE.longest:,} bytes)",
            "name fewer columns, by `features`, or shorter ones",
            party=channel.me,
        )
    return channel.exchange(Round(send, dict.fromkeys(messages, Blob(HANDSHAKE.longest)), label), seconds, look)


def tell(channel: Channel, peer: str, label: str, message: Mapping[str, Any]) -> None:
    """Send an object to one peer, which `hear`s it; no answer is awaited."""
    channel.push(peer, label, json.dumps(message).encode())


def hear(channel: Channel, peer: str, label: str) -> Answer:
    """Receive the object that the peer `tell`s, within the deadline of a round."""
    return _object(peer, label, bytes(channel.pull(peer, label, channel.deadline)))


class Answer(dict[str, Any]):
    """A peer's message: a field that is missing or malformed is the peer's fault, not a bug here."""

    def __init__(self, fields: dict[str, Any], peer: str, label: str) -> None:
        super().__init__(fields)
        self._where = (peer, label)

    def __missing__(self, key: str) -> Any:
        peer, label = self._where
        raise ProtocolError(f"{peer} left out '{key}' in '{label}'", "check that versions are the same", party=peer)

    def read(self, key: str, convert: Callable[[Any], _T]) -> _T:
        """A field's value, of the form that `convert` takes."""
        value = self[key]
        try:
            return convert(value)
        except (TypeError, ValueError):
            peer, label = self._where
            raise ProtocolError(
                f"{peer} sent a malformed '{key}' in '{label}'", "check that versions are the same", party=peer
            ) from None


def as_seed(value: Any) -> bytes:
    """A seed in hexadecimal."""
    seed = bytes.fromhex(value)
    if len(seed) != SEED_BYTES:
        raise ValueError("not as long as a seed")
    return seed


def as_count(value: Any) -> int:
    """A count; the caller checks whether there can be so many."""
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise ValueError("not a count")
    return value


def as_rows(value: Any) -> tuple[int, int]:
    """Numbers of training and test rows."""
    training, test = value
    return as_count(training), as_count(test)


def as_columns(value: Any) -> int:
    """How many columns there are, of one owner or of all."""
    count = as_count(value)
    if count > MOST_COLUMNS:
        raise ValueError("more columns than there can be")
    return count


def as_texts(value: Any) -> list[str]:
    """A list of as many texts as there can be columns."""
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("not a list of texts")
    as_columns(len(value))
    return value


def as_names(value: Any) -> tuple[str, ...]:
    """A peer's column names, which will be printed: no control characters, no name twice."""
    names = tuple(as_texts(value))
    if len(set(names)) < len(names) or not all(name.isprintable() and len(name) <= LONGEST_NAME for name in names):
        raise ValueError("not names of columns")
    return names


def as_truth(value: Any) -> bool:
    """True or false."""
    if type(value) is not bool:
        raise TypeError("neither true nor false")
    return value


def _object(peer: str, label: str, body: bytes) -> Answer:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise ProtocolError(f"{peer} sent something else than an object in '{label}'", party=peer)
    return Answer(fields, peer, label)
