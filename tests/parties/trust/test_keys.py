"""Key files: made private, never overwritten, and refused when anything about them is wrong."""

from __future__ import annotations

import ast
import io
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zmq
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from zmq.utils import z85

from mpc.errors import InternalError, UsageError
from mpc.links.zmq.curve import new_identity, text_begins
from mpc.links.zmq.transport import Transport
from parties.base import private_files
from parties.trust import keys
from tests.helpers import ROOT

PASSPHRASE = "correct horse"


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
    with pytest.raises(UsageError, match="is, or is in, a file; name another folder"):
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


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_a_link_key_alone_says_how_the_public_text_begins(link: bytes, signing: bytes) -> None:
    text = keys.public_text(z85.encode(link), signing)
    assert text.startswith(text_begins(link)) and len(text_begins(link)) == len("bl1-") + 42


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Passphrases that are quick to derive keys from."""
    monkeypatch.setitem(keys._SCRYPT, "n", 16)
    monkeypatch.delenv(keys.PASSPHRASE_VARIABLE, raising=False)


def always(answer: str) -> Callable[[Path], str]:
    return lambda _: answer


def under_passphrase(folder: Path) -> tuple[Path, str]:
    return keys.generate("hospital_a", folder, PASSPHRASE)


def test_a_key_under_a_passphrase_opens_with_it_only(tmp_path: Path, cheap: None) -> None:
    path, text = under_passphrase(tmp_path)
    asked: list[Path] = []

    def answer(where: Path) -> str:
        asked.append(where)
        return PASSPHRASE

    identity, again = keys.load("hospital_a", tmp_path, answer)
    assert again == text and zmq.curve_public(identity.secret) == keys.curve_key(text)
    assert asked == [path]
    for wrong in ("correct horsf", "x", "correct horse ", "ü"):
        with pytest.raises(UsageError, match="passphrase is wrong") as caught:
            keys.load("hospital_a", tmp_path, always(wrong))
        assert caught.value.exit_code == 2 and wrong not in str(caught.value)


def test_a_key_without_a_passphrase_asks_for_none(tmp_path: Path) -> None:
    key_file(tmp_path)

    def never(_: Path) -> str:
        raise AssertionError("asked")

    keys.load("hospital_a", tmp_path, never)


def test_the_file_holds_no_secret_in_clear(tmp_path: Path, cheap: None, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = under_passphrase(tmp_path)
    monkeypatch.setenv(keys.PASSPHRASE_VARIABLE, PASSPHRASE)
    pair = keys.load_pair("hospital_a", tmp_path)
    content = path.read_text()
    secrets = (pair.identity.secret, pair.signing.private_bytes_raw(), PASSPHRASE.encode())
    for secret in secrets:
        assert secret.decode("latin-1") not in content and secret.hex() not in content
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "Ed25519" not in repr(pair) and pair.identity.secret.decode() not in repr(pair)


def test_the_same_passphrase_gives_another_file_each_time(tmp_path: Path, cheap: None) -> None:
    sealed = [json.loads(keys.generate(name, tmp_path, PASSPHRASE)[0].read_text())["encrypted"] for name in ("a", "b")]
    assert sealed[0]["salt"] != sealed[1]["salt"] and sealed[0]["nonce"] != sealed[1]["nonce"]


def test_the_cost_of_a_guess_is_not_small() -> None:
    assert keys._SCRYPT["n"] * keys._SCRYPT["r"] * 128 >= 64 << 20


def test_the_passphrase_comes_from_the_environment(
    tmp_path: Path, cheap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(keys.PASSPHRASE_VARIABLE, PASSPHRASE)
    keys.generate("hospital_a", tmp_path, keys.new_passphrase())
    assert keys.load("hospital_a", tmp_path)[0].secret
    monkeypatch.setenv(keys.PASSPHRASE_VARIABLE, "")
    with pytest.raises(UsageError, match="the passphrase is empty"):
        keys.load("hospital_a", tmp_path)
    with pytest.raises(UsageError, match="the passphrase is empty"):
        keys.new_passphrase()


def test_without_terminal_and_variable_there_is_no_passphrase(
    tmp_path: Path, cheap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = under_passphrase(tmp_path)
    monkeypatch.setattr("sys.stdin", io.StringIO("typed\n"))
    with pytest.raises(UsageError, match="no terminal") as caught:
        keys.new_passphrase()
    assert caught.value.hint == f"set {keys.PASSPHRASE_VARIABLE}"
    with pytest.raises(UsageError, match="no terminal") as caught:
        keys.load("hospital_a", tmp_path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    "change",
    [
        {"n": 17},
        {"n": 1},
        {"n": 1 << 40},
        {"n": "16"},
        {"n": True},
        {"r": 1 << 20},
        {"kdf": "none"},
        {"salt": 3},
        {"salt": "x"},
        {"secrets": ""},
        {"nonce": ""},
        {"n": None},
    ],
)
def test_a_malformed_encrypted_file_is_refused(tmp_path: Path, cheap: None, change: dict[str, Any]) -> None:
    path, _ = under_passphrase(tmp_path)
    content = json.loads(path.read_text())
    content["encrypted"] = {k: v for k, v in {**content["encrypted"], **change}.items() if v is not None}
    rewritten(path, encrypted=content["encrypted"])
    with pytest.raises(UsageError) as caught:
        keys.load("hospital_a", tmp_path, lambda _: PASSPHRASE)
    assert str(path) in caught.value.message


def test_another_public_text_does_not_open_with_the_passphrase(tmp_path: Path, cheap: None) -> None:
    path, _ = under_passphrase(tmp_path)
    rewritten(path, public_key=keys.generate("other", tmp_path)[1])
    with pytest.raises(UsageError, match="the file was changed"):
        keys.load("hospital_a", tmp_path, lambda _: PASSPHRASE)


@pytest.mark.parametrize("name", ["", ".", "../x", "a/b", "-x", "a b", "x" * 64, "é", "a\n"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a key file"):
        keys.generate(name, tmp_path / "keys")
    assert not (tmp_path / "keys").exists()


def test_a_new_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    key_file(tmp_path / "keys")
    assert stat.S_IMODE((tmp_path / "keys").stat().st_mode) == 0o700


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "keys"
    key_file(folder)
    folder.chmod(mode)
    error = refusal(folder)
    assert error.message == f"others than its owner can change what is in {folder}"
    assert error.hint == f"chmod go-w {folder}"
    with pytest.raises(UsageError, match="can change what is in"):
        keys.generate("hospital_b", folder)


def test_a_folder_that_others_can_only_look_into_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    key_file(folder)
    folder.chmod(0o755)
    keys.load("hospital_a", folder)


def test_a_file_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = key_file(tmp_path)
    owner = path.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:  # the administrator's files are everybody's to trust, so give them away
        try:
            os.chown(path, 12345, -1)
        except OSError:
            pytest.skip("this system does not let files be given away")
    assert refusal(tmp_path).message == f"{path} belongs to another user"


def test_a_file_that_cannot_be_written_whole_is_not_left_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        key_file(tmp_path)
    with pytest.raises(UsageError, match="No space left"):
        private_files.replace_file(tmp_path / "x", b"new")
    assert list(tmp_path.iterdir()) == []


def test_the_signing_half_of_a_text_checks_signatures(tmp_path: Path) -> None:
    key_file(tmp_path)
    pair = keys.load_pair("hospital_a", tmp_path)
    keys.signing_key(pair.text).verify(pair.signing.sign(b"said"), b"said")
    with pytest.raises(ValueError):
        keys.signing_key("bl1-abc")


def test_a_signing_secret_of_another_text_is_refused(tmp_path: Path) -> None:
    path, other = key_file(tmp_path), json.loads(key_file(tmp_path, "b").read_text())
    rewritten(path, ed25519_secret=other["ed25519_secret"])
    assert refusal(tmp_path).message == f"{path}: its public and secret keys do not belong together"


def test_a_transport_without_peers_does_not_start() -> None:
    for listen in (None, "tcp://127.0.0.1:*"):
        with pytest.raises(InternalError, match="allow-list"):
            Transport(new_identity(), {}, listen)


def test_every_socket_that_reaches_the_network_has_curve_keys() -> None:
    """No fallback in the clear: one function a file makes sockets, and gives each its keys before it is used."""
    made = {
        path.relative_to(ROOT).as_posix(): sorted(sockets(path))
        for package in ("mpc", "protocols", "parties")
        for path in (ROOT / package).rglob("*.py")
        if "testing" not in path.parts and sockets(path)
    }
    # The second asks ZeroMQ's own questions within the process: it is bound to an inproc endpoint only.
    assert made == {
        "mpc/links/zmq/curve.py": ["curve_socket: kind", "questions: zmq.REP"],
    }
    curve = functions("mpc/links/zmq/curve.py")
    lines = curve["curve_socket"].splitlines()
    assert lines[2].strip() == "socket = context.socket(kind)"
    keys = ("    socket.curve_publickey = me.public", "    socket.curve_secretkey = me.secret")
    assert tuple(lines[3:5]) == keys
    assert "questions.bind(_ZAP_ENDPOINT)" in curve["questions"]
    assert "socket.curve_serverkey = self._keys[peer]" in curve["dialling"]
    assert "socket.curve_server = True" in curve["listening"]
    for name, made_by, used in (
        ("links/zmq/listener", "self._socket = curve.listening()", "self._socket.bind("),
        ("links/zmq/dialler", "socket = self._curve.dialling(peer)", "socket.connect("),
        ("star/sockets", "socket = curve_socket(self._context, zmq.DEALER, identity)", "socket.connect("),
    ):
        source = (ROOT / "mpc" / f"{name}.py").read_text()
        assert made_by in source and source.count(used) == 1
    client = functions("mpc/star/sockets.py")["_socket"]
    assert "socket.curve_serverkey = server_key" in client


def functions(path: str) -> dict[str, str]:
    """The source of a file's functions by name, without comments."""
    tree = ast.parse((ROOT / path).read_text())
    return {node.name: ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def sockets(path: Path) -> list[str]:
    """The functions of a file that make sockets of ZeroMQ, and of which kind."""
    return [
        f"{function.name}: {ast.unparse(call.args[0])}"
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "socket"
        and "ontext" in ast.unparse(call.func.value)
    ]
