"""A party's identity: a CURVE key pair for its links and an Ed25519 one for signatures, kept in one private file.

The public halves are one text, for the scenario: "bl1-" and the base64url of both keys. The secret ones may be
under a passphrase (scrypt, AES-256-GCM).
"""

from __future__ import annotations

import base64
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from zmq.utils import z85

from mpc.errors import UsageError
from mpc.links.zmq.curve import KEY_PREFIX, Identity
from parties.base.private_files import check_folder, create_private, make_folder, read_private

PASSPHRASE_VARIABLE = "BEAVERLODGE_PASSPHRASE"

_KEY_BYTES = 32
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}")
_SCRYPT = {"n": 1 << 16, "r": 8, "p": 1}  # 64 MB and about 0.2 s a guess
_LARGEST_N = 1 << 20


@dataclass(frozen=True)
class KeyPair:
    """An identity: the keys of its links, the signing key, and the public text of both."""

    identity: Identity
    signing: Ed25519PrivateKey = field(repr=False)
    text: str


def ask_passphrase(path: Path) -> str:
    """Get the passphrase of a key file: from the environment, else from the terminal.

    Raises:
        UsageError: there is neither.
    """
    return _ask(f"passphrase of {path}", f"{path} is under a passphrase", confirm=False)


def new_passphrase() -> str:
    """Get a passphrase for a new key file: from the environment, else typed twice.

    Raises:
        UsageError: there is neither, or it is empty.
    """
    return _ask("passphrase", "the new key file needs a passphrase", confirm=True)


def generate(name: str, folder: Path, passphrase: str | None = None) -> tuple[Path, str]:
    """Make an identity: the private file (readable by its owner only) and the public text.

    Raises:
        UsageError: the file exists already, or cannot be written.
    """
    if not _FILE_NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot name a key file", "use letters, digits and _, as for a party of a scenario")
    public, secret = zmq.curve_keypair()
    signing = Ed25519PrivateKey.generate()
    text = public_text(public, signing.public_key().public_bytes_raw())
    secrets = {"curve_secret": secret.decode(), "ed25519_secret": signing.private_bytes_raw().hex()}
    content: dict[str, Any] = {"party": name, "public_key": text}
    content |= secrets if passphrase is None else {"encrypted": _encrypt(secrets, passphrase, text)}
    path = folder / f"{name}.key"
    make_folder(folder)
    try:
        create_private(path, (json.dumps(content, indent=2) + "\n").encode())
    except FileExistsError:
        raise UsageError(f"{path} exists already", "remove it first, or choose another folder with --keys") from None
    return path, text


def load(name: str, folder: Path, passphrase: Callable[[Path], str] = ask_passphrase) -> tuple[Identity, str]:
    """Load a party's identity from FOLDER/NAME.key, and its public text.

    Raises:
        UsageError: the file is missing, malformed, or readable by others, or the passphrase is wrong.
    """
    pair = load_pair(name, folder, passphrase)
    return pair.identity, pair.text


def load_pair(name: str, folder: Path, passphrase: Callable[[Path], str] = ask_passphrase) -> KeyPair:
    """Load all keys in FOLDER/NAME.key.

    Args:
        passphrase: asked for the file's passphrase, if it has one.

    Raises:
        UsageError: the file is missing, malformed, or readable by others, or the passphrase is wrong.
    """
    path = folder / f"{name}.key"
    try:
        content = read_private(path)
        check_folder(folder)
    except FileNotFoundError:
        raise UsageError(f"there is no key file {path}", f"make one with `mpc keygen {name}`", party=name) from None
    except UsageError as error:
        raise UsageError(error.message, error.hint, party=name) from None
    try:
        fields = json.loads(content)
        text = fields["public_key"]
        if "encrypted" in fields:
            fields = _decrypt(fields["encrypted"], text, path, passphrase, name)
        identity = Identity(curve_key(text), fields["curve_secret"].encode())
        signing = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(fields["ed25519_secret"]))
        public = zmq.curve_public(identity.secret)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, zmq.ZMQError):
        raise UsageError(f"{path} is not a key file of `mpc keygen`", "make a new one", party=name) from None
    if public != identity.public or public_text(public, signing.public_key().public_bytes_raw()) != text:
        raise UsageError(f"{path}: its public and secret keys do not belong together", "make a new one", party=name)
    return KeyPair(identity, signing, text)


def public_text(curve: bytes, signing: bytes) -> str:
    """The public halves as one text: the CURVE key (Z85) and the Ed25519 key (32 bytes)."""
    return KEY_PREFIX + base64.urlsafe_b64encode(z85.decode(curve) + signing).decode().rstrip("=")


def curve_key(text: str) -> bytes:
    """The CURVE key (Z85) in a public text.

    Raises:
        ValueError: it is not such a text.
    """
    key: bytes = z85.encode(_halves(text)[:_KEY_BYTES])
    return key


def signing_key(text: str) -> Ed25519PublicKey:
    """The key in a public text that verifies signatures.

    Raises:
        ValueError: it is not such a text.
    """
    return Ed25519PublicKey.from_public_bytes(_halves(text)[_KEY_BYTES:])


def _halves(text: str) -> bytes:
    if not text.startswith(KEY_PREFIX):
        raise ValueError("not a public key of `mpc keygen`")
    body = text[len(KEY_PREFIX) :]
    raw = base64.b64decode(body + "=" * (-len(body) % 4), altchars=b"-_", validate=True)
    # One key has one text: base64's two spare bits must be zero. A list of texts is then a list of keys.
    if len(raw) != 2 * _KEY_BYTES or KEY_PREFIX + base64.urlsafe_b64encode(raw).decode().rstrip("=") != text:
        raise ValueError("not a public key of `mpc keygen`")
    return raw


def _ask(prompt: str, need: str, *, confirm: bool) -> str:
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is None and sys.stdin.isatty():
        import click

        given = str(click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True))
    if given is None:
        raise UsageError(f"{need}, and there is no terminal to ask for it", f"set {PASSPHRASE_VARIABLE}")
    if not given:
        raise UsageError("the passphrase is empty", f"set {PASSPHRASE_VARIABLE} to it, or type it when asked")
    return given


def _encrypt(secrets: Mapping[str, str], passphrase: str, text: str) -> dict[str, Any]:
    salt, nonce = os.urandom(16), os.urandom(12)
    cipher = AESGCM(_derive_key(passphrase, salt, _SCRYPT["n"]))
    sealed = cipher.encrypt(nonce, json.dumps(dict(secrets)).encode(), text.encode())
    return {"kdf": "scrypt", **_SCRYPT, "salt": salt.hex(), "nonce": nonce.hex(), "secrets": sealed.hex()}


def _decrypt(
    sealed: Mapping[str, Any], text: str, path: Path, passphrase: Callable[[Path], str], name: str
) -> dict[str, str]:
    cost = sealed["n"]
    known = (sealed["kdf"], sealed["r"], sealed["p"]) == ("scrypt", _SCRYPT["r"], _SCRYPT["p"])
    if not known or type(cost) is not int or not 2 <= cost <= _LARGEST_N or cost & (cost - 1):
        raise ValueError("another way to derive keys")
    salt, nonce, content = (bytes.fromhex(sealed[key]) for key in ("salt", "nonce", "secrets"))
    cipher = AESGCM(_derive_key(passphrase(path), salt, cost))
    try:
        secrets: dict[str, str] = json.loads(cipher.decrypt(nonce, content, text.encode()))
    except InvalidTag:
        raise UsageError(
            f"{path} does not open: the passphrase is wrong, or the file was changed", "type it again", party=name
        ) from None
    return secrets


def _derive_key(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=_KEY_BYTES, n=cost, r=_SCRYPT["r"], p=_SCRYPT["p"]).derive(
        passphrase.encode("utf-8", "surrogateescape")
    )
