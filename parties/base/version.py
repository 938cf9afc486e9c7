"""The software's version, as the handshake compares it."""

VERSION = "0.1.0"
