"""A party's identity: a CURVE key pair for its links and an Ed25519 one for signatures, kept in one private file.

The public halves are one text, for the scenario: "bl1-" and the base64url of both keys.
"""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path

import zmq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from zmq.utils import z85

from mpc.errors import UsageError
from mpc.transport import Identity

_PREFIX = "bl1-"
_KEY_BYTES = 32


def generate(name: str, folder: Path) -> tuple[Path, str]:
    """Make an identity: the private file (readable by its owner only) and the public text.

    Raises:
        UsageError: the file exists already, or cannot be written.
    """
    public, secret = zmq.curve_keypair()
    signing = Ed25519PrivateKey.generate()
    text = public_text(public, signing.public_key().public_bytes_raw())
    content = {
        "party": name,
        "public_key": text,
        "curve_secret": secret.decode(),
        "ed25519_secret": signing.private_bytes_raw().hex(),
    }
    path = folder / f"{name}.key"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} exists already", "remove it first, or choose another folder with --keys") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2)
        file.write("\n")
    return path, text


def load(name: str, folder: Path) -> tuple[Identity, str]:
    """A party's identity from FOLDER/NAME.key, and its public text.

    Raises:
        UsageError: the file is missing, malformed, or readable by others.
    """
    path = folder / f"{name}.key"
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        content = json.loads(path.read_text(encoding="utf-8"))
        text = content["public_key"]
        identity = Identity(curve_key(text), content["curve_secret"].encode())
        public = zmq.curve_public(identity.secret)
    except FileNotFoundError:
        raise UsageError(f"there is no key file {path}", f"make one with `mpc keygen {name}`", party=name) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", party=name) from None
    except (ValueError, KeyError, TypeError, AttributeError, zmq.ZMQError):
        raise UsageError(f"{path} is not a key file of `mpc keygen`", "make a new one", party=name) from None
    if mode & 0o077:
        raise UsageError(f"others than its owner can read {path}", f"chmod 600 {path}", party=name)
    if public != identity.public:
        raise UsageError(f"{path}: its public and secret keys do not belong together", "make a new one", party=name)
    return identity, text


def public_text(curve: bytes, signing: bytes) -> str:
    """The public halves as one text: the CURVE key (Z85) and the Ed25519 key (32 bytes)."""
    return _PREFIX + base64.urlsafe_b64encode(z85.decode(curve) + signing).decode().rstrip("=")


def curve_key(text: str) -> bytes:
    """The CURVE key (Z85) in a public text.

    Raises:
        ValueError: it is not such a text.
    """
    if not text.startswith(_PREFIX):
        raise ValueError("not a public key of `mpc keygen`")
    body = text[len(_PREFIX) :]
    raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    if len(raw) != 2 * _KEY_BYTES:
        raise ValueError("not a public key of `mpc keygen`")
    key: bytes = z85.encode(raw[:_KEY_BYTES])
    return key
