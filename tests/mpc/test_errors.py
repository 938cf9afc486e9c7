"""Errors: their exit codes are a contract, and a code names its class."""

from __future__ import annotations

import pytest

from mpc import errors
from mpc.errors import ERRORS, BeaverlodgeError, InternalError, PeerLostError, UsageError, error_of_code, plain_text

CONTRACT = {
    "usage": 2,
    "data": 3,
    "peer-lost": 4,
    "disagreement": 5,
    "already-here": 5,
    "budget": 5,
    "protocol": 6,
    "too-few": 7,
    "record": 8,
    "runs-failed": 9,
    "contradicted": 10,
    "internal": 70,
    "interrupted": 130,
}


def test_codes_and_exit_codes() -> None:
    assert {kind.code: kind.exit_code for kind in ERRORS} == CONTRACT
    assert (BeaverlodgeError.code, BeaverlodgeError.exit_code) == ("internal", 70)


def test_every_error_is_listed() -> None:
    defined = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, BeaverlodgeError)}
    assert defined - {BeaverlodgeError} == set(ERRORS)
    assert len(ERRORS) == len(CONTRACT)


@pytest.mark.parametrize("kind", ERRORS)
def test_a_code_names_its_class(kind: type[BeaverlodgeError]) -> None:
    assert error_of_code(kind.code) is kind


@pytest.mark.parametrize("code", ["", "Internal", "nonsense", "__class__"])
def test_an_unknown_code_is_internal(code: str) -> None:
    assert error_of_code(code) is InternalError


def test_what_an_error_says() -> None:
    error = PeerLostError("hospital_b was lost", "start it again", party="hospital_b", told_by="helper")
    assert str(error) == "hospital_b was lost; start it again"
    assert (error.message, error.hint, error.party, error.told_by) == (
        "hospital_b was lost", "start it again", "hospital_b", "helper"
    )  # fmt: skip
    bare = PeerLostError("hospital_b was lost")
    assert str(bare) == "hospital_b was lost" and bare.hint == "" and bare.party is None and bare.told_by is None


def test_an_error_lists_its_points() -> None:
    error = UsageError("s.toml has 2 problems", "see the docs", points=["no task", "no\nparties"])
    assert error.points == ("no task", r"no\nparties")
    assert str(error) == r"s.toml has 2 problems; no task; no\nparties; see the docs"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("mean_radius, Größe, 年龄, \\n", "mean_radius, Größe, 年龄, \\n"),
        ("\x1b[31mred\x9b0m", r"\x1b[31mred\x9b0m"),
        ("a\nb\r\nc\td\0", r"a\nb\r\nc\td\x00"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("\u202eevil\u2066x\u200b\ufeff", r"\u202eevil\u2066x\u200b\ufeff"),
        ("\udc80\U000e0001", r"\udc80\U000e0001"),
    ],
)
def test_a_plain_text_is_one_line_of_what_can_be_printed(text: str, plain: str) -> None:
    assert plain_text(text) == plain
    assert plain.isprintable()
    assert (UsageError(text, text).message, UsageError(text, text).hint) == (plain, plain)


def test_a_plain_text_is_cut() -> None:
    assert plain_text("x" * 50, 50) == "x" * 50
    assert plain_text("x" * 51, 50) == "x" * 47 + "..."
    assert plain_text("\x1b" * 50, 50) == (r"\x1b" * 50)[:47] + "..."
    assert plain_text([1, 2], 9) == "[1, 2]"
