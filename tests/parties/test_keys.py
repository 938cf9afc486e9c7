"""Key files: made private, never overwritten, and refused when anything about them is wrong."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import zmq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mpc.errors import UsageError
from parties import keys


def key_file(folder: Path, name: str = "hospital_a") -> Path:
    return keys.generate(name, folder)[0]


def rewritten(path: Path, **changes: Any) -> None:
    content = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in content.items() if value is not None}))


def refusal(folder: Path, name: str = "hospital_a") -> UsageError:
    with pytest.raises(UsageError) as caught:
        keys.load(name, folder)
    assert caught.value.exit_code == 2 and caught.value.party == name
    return caught.value


def test_a_new_identity_comes_back_as_it_was_made(tmp_path: Path) -> None:
    path, text = keys.generate("hospital_a", tmp_path)
    assert path == tmp_path / "hospital_a.key"
    identity, again = keys.load("hospital_a", tmp_path)
    assert again == text
    assert keys.curve_key(text) == identity.public == zmq.curve_public(identity.secret)


def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    assert stat.S_IMODE(key_file(tmp_path).stat().st_mode) == 0o600


def test_the_public_text_holds_both_public_keys_and_no_secret(tmp_path: Path) -> None:
    path, text = keys.generate("hospital_a", tmp_path)
    content = json.loads(path.read_text())
    assert content["party"] == "hospital_a" and content["public_key"] == text
    signing = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(content["ed25519_secret"])).public_key()
    public = zmq.curve_public(content["curve_secret"].encode())
    assert keys.public_text(public, signing.public_bytes_raw()) == text
    assert content["curve_secret"] not in text and content["ed25519_secret"] not in text


def test_every_identity_is_another(tmp_path: Path) -> None:
    texts = {keys.generate(name, tmp_path)[1] for name in ("a", "b", "c")}
    assert len(texts) == 3


def test_the_folder_is_made_if_need_be(tmp_path: Path) -> None:
    assert key_file(tmp_path / "deep" / "keys").exists()


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    before = path.read_bytes()
    with pytest.raises(UsageError, match="exists already") as caught:
        keys.generate("hospital_a", tmp_path)
    assert str(path) in caught.value.message
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError) as caught:
        keys.generate("hospital_a", tmp_path / "file")
    assert str(tmp_path / "file") in caught.value.message
    with pytest.raises(UsageError, match="cannot be written"):
        keys.generate("hospital_a", tmp_path / "file" / "keys")


def test_a_missing_file_is_named_with_what_makes_one(tmp_path: Path) -> None:
    error = refusal(tmp_path)
    assert error.message == f"there is no key file {tmp_path / 'hospital_a.key'}"
    assert error.hint == "make one with `mpc keygen hospital_a`"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o602, 0o666, 0o601])
def test_a_file_that_others_can_open_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path)
    path.chmod(mode)
    error = refusal(tmp_path)
    assert error.message == f"others than its owner can read {path}" and error.hint == f"chmod 600 {path}"


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_that_only_its_owner_can_open_is_taken(tmp_path: Path, mode: int) -> None:
    key_file(tmp_path).chmod(mode)
    keys.load("hospital_a", tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"7", b"null", b'"text"', b"{}", b"\xff\xfe\x00", b'{"public_key": "bl1-"}']
)
def test_something_else_than_a_key_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = key_file(tmp_path)
    path.write_bytes(content)
    assert refusal(tmp_path).message == f"{path} is not a key file of `mpc keygen`"


def test_a_folder_in_the_files_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hospital_a.key").mkdir(mode=0o700)
    assert "cannot be read" in refusal(tmp_path).message


@pytest.mark.parametrize("secret", [None, 7, ["x"], "", "short", "~" * 40, "x" * 41, "ä" * 40])
def test_a_malformed_secret_is_refused(tmp_path: Path, secret: Any) -> None:
    path = key_file(tmp_path)
    rewritten(path, curve_secret=secret)
    assert str(path) in refusal(tmp_path).message


def test_halves_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    path, other = key_file(tmp_path), json.loads(key_file(tmp_path, "b").read_text())
    rewritten(path, curve_secret=other["curve_secret"])
    assert refusal(tmp_path).message == f"{path}: its public and secret keys do not belong together"


def test_errors_keep_the_secret(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    secret = json.loads(path.read_text())["curve_secret"]
    rewritten(path, public_key="nonsense")
    assert secret not in str(refusal(tmp_path))
    rewritten(path, curve_secret=secret[:-1])
    assert secret[:10] not in str(refusal(tmp_path))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text.removeprefix("bl1-"),
        lambda text: text.replace("bl1-", "bl2-"),
        lambda text: text[:-1],
        lambda text: text[:-2],
        lambda text: text + "A",
        lambda text: text + "AAAA",
        lambda text: "bl1-" + "A" * 20 + "!" + text[25:],
        lambda text: text[:10] + " " + text[10:],
        lambda text: text[:20] + "é" + text[21:],
    ],
)
def test_what_is_not_a_public_text_is_refused(tmp_path: Path, change: Any) -> None:
    text = keys.generate("hospital_a", tmp_path)[1]
    with pytest.raises(ValueError):
        keys.curve_key(change(text))


def test_a_public_text_is_one_word() -> None:
    for _ in range(20):
        public, _ = zmq.curve_keypair()
        text = keys.public_text(public, bytes(32))
        assert text.startswith("bl1-") and text.replace("-", "").replace("_", "").isalnum()
        assert keys.curve_key(text) == public
