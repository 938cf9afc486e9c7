"""Key agreement (X25519), authenticated encryption (AES-256-GCM) and signatures (Ed25519), on plain bytes.

All from `cryptography`. Keys are made of 32 secret bytes, so that a test's seed determines them.
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from mpc.errors import ProtocolError

KEY_BYTES = 32
TAG_BYTES = 16
SIGNATURE_BYTES = 64
_NONCE = bytes(12)


_PRIME = 2**255 - 19
_ORDER_8 = (
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
_SMALL_ORDER = frozenset((0, 1, _PRIME - 1, _PRIME, _PRIME + 1, *_ORDER_8))
"""The coordinates of all points of Curve25519 and its twist whose order divides 8 (cr.yp.to/ecdh.html#validate)."""


def is_small_order(public: bytes) -> bool:
    """Whether a public key is one of the few that give the same secret with every key."""
    return int.from_bytes(public, "little") % 2**255 in _SMALL_ORDER


class KeyPair:
    """A Diffie-Hellman key pair. `repr` shows nothing."""

    def __init__(self, secret: bytes) -> None:
        self._key = X25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()

    def shared(self, public: bytes) -> bytes:
        """The secret that both ends can work out.

        Raises:
            ProtocolError: the other's key is one of the few that give the same secret with every key.
        """
        try:
            return self._key.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError:
            raise ProtocolError(
                "a public key is of small order", "whoever sent it did not follow the protocol"
            ) from None


class Signer:
    """A long-term signing key. `repr` shows nothing."""

    def __init__(self, secret: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(secret)
        self.public = self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """64 bytes that only this key's holder can make."""
        return self._key.sign(message)


def signed(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether the holder of the key behind `public` signed this message."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def seal(key: bytes, text: bytes, about: bytes) -> bytes:
    """`text` encrypted, and `about` bound to it. A key seals one text only: its nonce is fixed."""
    return AESGCM(key).encrypt(_NONCE, text, about)


def unseal(key: bytes, sealed: bytes, about: bytes) -> bytes | None:
    """The text, or None if it was not sealed under this key for `about`."""
    try:
        return AESGCM(key).decrypt(_NONCE, sealed, about)
    except InvalidTag:
        return None
