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
