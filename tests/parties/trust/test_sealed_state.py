"""A sealed state is whole or not there at all, whenever its process or its machine stops; a used entry is gone."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from mpc.errors import UsageError
from parties.trust.sealed_state import SealedState, seal, unseal

SECRET = b"s" * 32
HINT = "restore both files"

Operation = Callable[[SealedState], object]


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed loses nothing that it wrote; what a machine loses is the business of `Disk`."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def state_in(folder: Path, **other: Any) -> SealedState:
    return replace(SealedState(folder / "server.state", "test state", "server", "d1" * 32, SECRET, HINT), **other)


def prepared(folder: Path) -> SealedState:
    folder.mkdir()
    state = state_in(folder)
    state.write("model", b"old")
    state.add({"a": b"one", "b": b"two"})
    return state


def refusal(state: SealedState) -> str:
    with pytest.raises(UsageError) as caught:
        state.read("model")
    assert caught.value.party == "server" and "\n" not in caught.value.message and caught.value.hint
    return caught.value.message


def test_what_was_written_is_read_by_the_next_process(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    assert state.read("model") is None
    content = {"model": bytes(range(256)) * 50, "": b"", 'a "name"\n': b"\n\n"}
    for name, one in content.items():
        state.write(name, one)
    state.write("model", b"newer")
    assert {name: state_in(tmp_path).read(name) for name in content} == {**content, "model": b"newer"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    assert len([*tmp_path.iterdir()]) == 2


def test_nothing_of_the_content_is_in_the_clear(tmp_path: Path) -> None:
    state = prepared(tmp_path / "s")
    for path in (state.path, state.list_path):
        assert not any(text in path.read_bytes() for text in (b"model", b"old", b"one", b"two"))
    assert SECRET.decode() not in repr(state)


def test_a_used_entry_is_never_given_again(tmp_path: Path) -> None:
    state = prepared(tmp_path / "s")
    assert state.take(["a"]) == [b"one"]
    for twice in (state, state_in(tmp_path / "s")):
        with pytest.raises(UsageError, match="has no entry 'a': it was used already"):
            twice.take(["b", "a"])
    assert state.take(["b"]) == [b"two"], "what was asked for with a used one is not lost"
    for name in "ab":
        with pytest.raises(UsageError, match="each is used once"):
            state.add({"c": b"", name: b"one"})
    assert state.read("a") is None and state.read("model") == b"old"


def test_a_changed_or_torn_file_is_refused(tmp_path: Path) -> None:
    state = prepared(tmp_path / "s")
    content = state.path.read_bytes()
    for place in range(0, len(content), 5):
        for changed in (content[:place], content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]):
            state.path.write_bytes(changed)
            assert "server.state" in refusal(state)


def test_anothers_file_is_refused(tmp_path: Path) -> None:
    prepared(tmp_path / "s")
    here = tmp_path / "s"
    assert "another party or study" in refusal(state_in(here, study="d2" * 32))
    assert "does not open" in refusal(state_in(here, secret=b"t" * 32))
    assert "is no other state" in refusal(state_in(here, what="other state"))
    with pytest.raises(UsageError, match="another party or study"):
        state_in(here, party="client").read("model")
    assert state_in(here).read("model") == b"old"


def test_an_older_file_is_refused(tmp_path: Path) -> None:
    state = prepared(tmp_path / "s")
    old = state.path.read_bytes()
    for _ in range(2):
        state.write("model", b"new")
        new = state.path.read_bytes()
        state.path.write_bytes(old)
        assert "an old one that was put back" in refusal(state)
        state.path.write_bytes(new)
    state.path.unlink()
    assert "is missing, and was written 4 times" in refusal(state)


def test_a_file_of_another_course_is_refused(tmp_path: Path) -> None:
    """Both have the same generation: one was written after the folder had been copied."""
    state = prepared(tmp_path / "s")
    shutil.copytree(tmp_path / "s", tmp_path / "copy")
    state.write("model", b"here")
    other = state_in(tmp_path / "copy")
    other.write("model", b"there")
    shutil.copy(other.path, state.path)
    assert "an old one that was put back" in refusal(state)


def test_a_list_that_was_cut_lost_or_changed_is_refused(tmp_path: Path) -> None:
    state = prepared(tmp_path / "s")
    for _ in range(2):
        state.write("model", b"new")
    lines = state.list_path.read_bytes().splitlines(keepends=True)
    for kept, why in ((lines[:2], "was cut or lost"), ([], "was cut or lost"), (lines[1:], "was changed")):
        state.list_path.write_bytes(b"".join(kept))
        assert why in refusal(state)
    for text in (b"{}\n", b"[1]\n", b"\xff\n", b'{"generation": 1, "sha256": 3}\n'):
        state.list_path.write_bytes(text)
        assert "was changed" in refusal(state)
    state.list_path.write_bytes(b"".join(lines))
    assert state.read("model") == b"new"


def test_a_state_that_ended_does_not_come_back(tmp_path: Path) -> None:
    state = prepared(tmp_path / "s")
    first = state.path.read_bytes()
    state.write("model", b"last")
    last = state.path.read_bytes()
    assert state.ended() is None
    state.end("where its record is")
    assert state.read("model") is None and not state.path.exists()
    state.path.touch(0o600)
    state.path.write_bytes(last)  # as if its removal had not come to the disk
    assert state.ended() == "where its record is"
    assert state.read("model") is None and not state.path.exists()
    state.path.touch(0o600)
    state.path.write_bytes(first)
    assert "an old one that was put back" in refusal(state)
    state.path.unlink()
    state.end()
    state.write("model", b"next study")
    assert state_in(tmp_path / "s").read("model") == b"next study" and state.ended() is None


def test_what_is_sealed_opens_under_its_key_and_text_alone() -> None:
    sealed = seal(SECRET, b"content", b"about")
    assert unseal(SECRET, sealed, b"about") == b"content" and seal(SECRET, b"content", b"about") != sealed
    assert unseal(b"t" * 32, sealed, b"about") is unseal(SECRET, sealed, b"other") is unseal(SECRET, b"", b"") is None


# A process that is killed


IO = {"open", "write", "flush", "replace", "unlink", "truncate", "close", "flock", "read", "__exit__"}

OPERATIONS: dict[str, Operation] = {
    "write": lambda state: state.write("model", b"new"),
    "add": lambda state: state.add({"c": b"three"}),
    "take": lambda state: state.take(["a"]),
    "end": SealedState.end,
}


def killed_at(step: int, operation: Operation, state: SealedState) -> tuple[bool, bool]:
    """Run it in a process that is killed before or after its step-th call that may reach the disk.

    Returns whether the process got through, and whether the operation had returned.
    """
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        steps = count()

        def hook(frame: FrameType, event: str, argument: Any) -> None:
            if event in ("c_call", "c_return") and argument.__name__ in IO and next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            sys.setprofile(hook)
            operation(state)
            sys.setprofile(None)
            os.write(theirs, b"returned")
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        returned = pipe.read() == b"returned"
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status), returned


def taken(state: SealedState, entry: str) -> bytes | None:
    """A use-once entry, or None if it is not there."""
    try:
        return state.take([entry])[0]
    except UsageError as error:
        if "used already, or never added" in error.message:
            return None
        raise


def check_whole(state: SealedState, name: str, *, done: bool) -> None:
    """The state is as before the operation or as after it, and as after it if that had returned. It goes on."""
    if name == "end":
        model = state.read("model")
        assert model is None or (not done and model == b"old")
        state.write("model", b"next")
        assert state.read("model") == b"next"
        return
    model = state.read("model")
    assert model == (b"new" if name == "write" and done else b"old") or (name == "write" and model == b"new")
    if name in ("take", "add"):
        entry = "a" if name == "take" else "c"
        given = taken(state, entry)
        assert given in {"take": (None, b"one"), "add": (None, b"three")}[name]
        assert not done or (given is None) == (name == "take")
        assert taken(state, entry) is None
    state.write("model", b"next")
    assert state.read("model") == b"next" and state.take(["b"]) == [b"two"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("name", OPERATIONS)
def test_a_process_killed_at_any_step_leaves_it_whole(tmp_path: Path, name: str) -> None:
    prepared(tmp_path / "before")
    for step in count():
        folder = tmp_path / str(step)
        shutil.copytree(tmp_path / "before", folder)
        through, returned = killed_at(step, OPERATIONS[name], state_in(folder))
        assert returned == through
        check_whole(state_in(folder), name, done=returned)
        shutil.rmtree(folder)
        if through:
            break
    assert step > 20


# A machine that loses its power


@dataclass
class Disk:
    """A folder's files as a power failure may leave them: what was not synchronised is lost, names apart from contents.

    Args:
        folder: where the files are.
        names: name -> inode, as on the disk.
        contents: inode -> content, likewise.
    """

    folder: Path
    names: dict[str, int]
    contents: dict[int, bytes]

    @classmethod
    def of(cls, folder: Path) -> Disk:
        disk = cls(folder, {}, {})
        disk.names = disk.present()
        disk.contents = {inode: (folder / name).read_bytes() for name, inode in disk.names.items()}
        return disk

    def present(self) -> dict[str, int]:
        return {path.name: path.stat().st_ino for path in self.folder.iterdir()}

    def synced(self, descriptor: int) -> None:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            self.names = self.present()
            return
        with open(f"/proc/self/fd/{descriptor}", "rb") as file:
            self.contents[found.st_ino] = file.read()

    def after_failure(self, folder: Path) -> Iterator[SealedState]:
        """What may be there: the names of the disk, or those that the process saw."""
        for names in (self.names, self.present()):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name, inode in names.items():
                (folder / name).write_bytes(self.contents.get(inode, b""))
                (folder / name).chmod(0o600)
            yield state_in(folder)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_power_failure_at_any_step_leaves_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    state = prepared(tmp_path / "s")
    disk, failures = Disk.of(tmp_path / "s"), 0

    def fail(*, done: bool = False) -> None:
        nonlocal failures
        failures += 1
        with monkeypatch.context() as unwatched:
            for function, real in reals.items():
                unwatched.setattr(os, function, real)
            for left in disk.after_failure(tmp_path / "left"):
                check_whole(left, name, done=done)

    reals = {function: getattr(os, function) for function in ("fsync", "replace", "unlink")}

    def watched(function: str) -> Callable[..., None]:
        def call(*arguments: Any, **named: Any) -> None:
            fail()
            reals[function](*arguments, **named)
            if function == "fsync":
                disk.synced(*arguments)
            fail()

        return call

    for function in reals:
        monkeypatch.setattr(os, function, watched(function))
    OPERATIONS[name](state)
    fail(done=True)
    assert failures >= 4
