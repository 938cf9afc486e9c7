"""Just enough of IP and TCP to find a segment's payload in a packet, to alter it, and to read a capture."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TCP = 6
_CHECKSUM_AT = 16


@dataclass(frozen=True)
class Segment:
    """One TCP segment in an IP packet: the addresses and ports as text, and where the segment and its payload begin."""

    source: str
    target: str
    source_port: int
    target_port: int
    sequence: int
    begins: int
    payload_begins: int
    payload: bytes


def segment(packet: bytes) -> Segment | None:
    """The TCP segment in a packet, or None if it holds none."""
    if packet[0] >> 4 == 4:
        begins, protocol, source, target = (packet[0] & 15) * 4, packet[9], packet[12:16], packet[16:20]
        packet = packet[: int.from_bytes(packet[2:4], "big")]
    else:
        begins, protocol, source, target = 40, packet[6], packet[8:24], packet[24:40]
    if protocol != _TCP:
        return None
    source_port, target_port, sequence = struct.unpack_from("!HHI", packet, begins)
    payload_begins = begins + (packet[begins + 12] >> 4) * 4
    return Segment(
        str(ipaddress.ip_address(source)),
        str(ipaddress.ip_address(target)),
        source_port,
        target_port,
        sequence,
        begins,
        payload_begins,
        packet[payload_begins:],
    )


def altered(packet: bytes, found: Segment, place: int) -> bytes:
    """The packet with one bit of its payload turned and a checksum that says that all is well."""
    changed = bytearray(packet)
    changed[found.payload_begins + place] ^= 0x20
    changed[found.begins + _CHECKSUM_AT : found.begins + _CHECKSUM_AT + 2] = b"\0\0"
    source, target = (ipaddress.ip_address(text).packed for text in (found.source, found.target))
    body = bytes(changed[found.begins : found.payload_begins + len(found.payload)])
    pseudo = source + target + struct.pack("!II", len(body), _TCP) + body
    struct.pack_into("!H", changed, found.begins + _CHECKSUM_AT, _checksum(pseudo))
    return bytes(changed)


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def captured(path: Path) -> Iterator[bytes]:
    """The packets of a capture that the wire wrote."""
    data = path.read_bytes()
    at = 0
    while at + 4 <= len(data):
        (length,) = struct.unpack_from("<I", data, at)
        yield data[at + 4 : at + 4 + length]
        at += 4 + length


def streams(path: Path) -> dict[tuple[str, int, str, int], bytes]:
    """What each TCP connection of a capture carried in each direction: (from, port, to, port) -> its bytes."""
    pieces: dict[tuple[str, int, str, int], dict[int, bytes]] = {}
    for packet in captured(path):
        found = segment(packet)
        if found is not None and found.payload:
            flow = (found.source, found.source_port, found.target, found.target_port)
            pieces.setdefault(flow, {}).setdefault(found.sequence, found.payload)
    return {flow: _joined(parts) for flow, parts in pieces.items()}


def _joined(parts: dict[int, bytes]) -> bytes:
    """Segments in the order in which they were sent, those sent twice once; `parts` is in order of arrival."""
    start = next(iter(parts))  # nothing is lost before the capture, so the first segment seen is the first one sent
    whole = bytearray()
    for sequence, data in sorted(parts.items(), key=lambda item: (item[0] - start) % (1 << 32)):
        have = len(whole) - (sequence - start) % (1 << 32)
        if have < len(data):
            whole += data[have:]
    return bytes(whole)
