"""Errors: their exit codes are a contract, and a code names its class."""

from __future__ import annotations

import pytest

from mpc import errors
from mpc.errors import ERRORS, BeaverlodgeError, InternalError, PeerLostError, error_of_code

CONTRACT = {
    "usage": 2,
    "data": 3,
    "peer-lost": 4,
    "disagreement": 5,
    "protocol": 6,
    "too-few": 7,
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
