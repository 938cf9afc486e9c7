"""Rosters: used only with the administrator's signature; revoked and expired keys are refused; keys can be changed."""

from __future__ import annotations

import base64
import datetime as dt
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mpc.errors import BeaverlodgeError, DisagreementError, UsageError
from parties.scenario.file import Scenario
from parties.session.separate import place
from parties.tasks.registry import load_scenario
from parties.trust import keys
from parties.trust.roster import load_roster, public_texts, read_roster, sign_roster, signature_path

NAMES = ("hospital_a", "hospital_b", "helper")
NOON = dt.datetime(2026, 5, 10, 12, tzinfo=dt.UTC)


class World:
    """An administrator, three parties with keys, and a roster that lists them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = folder / "keys"
        self.admin = keys.generate("admin", folder / "office")[1]
        self.publics = {name: keys.generate(name, self.keys)[1] for name in NAMES}
        self.roster = folder / "roster.toml"
        self.write()

    def write(self, head: str = "", entries: Mapping[str, str] | None = None, *, sign: bool = True) -> None:
        """Write the roster; `entries` has more lines for a party's table."""
        lines = ["schema = 1", head]
        for name, text in self.publics.items():
            lines += [f"[parties.{name}]", f'public_key = "{text}"', (entries or {}).get(name, "")]
        self.roster.write_text("\n".join(lines) + "\n")
        if sign:
            sign_roster(self.roster, "admin", self.folder / "office")

    def scenario(self, *, publics: Mapping[str, str] | None = None, roster: str | None = None) -> Scenario:
        """A scenario that names the roster, and the public keys given."""
        lines = ["schema = 1", 'name = "listed"']
        for port, name in enumerate(NAMES):
            lines += [f"[parties.{name}]", f'role = "{"helper" if name == "helper" else "owner"}"']
            lines.append(f'address = "127.0.0.1:{7101 + port}"')
            if name in (publics or {}):
                lines.append(f'public_key = "{(publics or {})[name]}"')
        lines += ["[task]", 'kind = "logistic_regression"', 'target = "malignant"']
        lines += [roster if roster is not None else f'[roster]\nfile = "roster.toml"\nsigned_by = "{self.admin}"']
        path = self.folder / "listed.toml"
        path.write_text("\n".join(lines))
        return load_scenario(path)

    def refusal(self, kind: type[BeaverlodgeError], scenario: Scenario | None = None) -> BeaverlodgeError:
        """How the scenario's keys are refused."""
        with pytest.raises(kind) as caught:
            public_texts(scenario or self.scenario(), NOON)
        return caught.value


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_parties_without_a_key_take_it_from_the_roster(world: World) -> None:
    assert public_texts(world.scenario()) == world.publics
    at = place(world.scenario(), "hospital_b", world.keys)
    assert at.peers == {name: keys.curve_key(world.publics[name]) for name in ("hospital_a", "helper")}


def test_keys_may_stand_in_both_places_if_they_are_the_same(world: World) -> None:
    assert public_texts(world.scenario(publics={"helper": world.publics["helper"]})) == world.publics
    other = keys.generate("other", world.keys)[1]
    error = world.refusal(UsageError, world.scenario(publics={"helper": other}))
    assert error.message == f"the scenario and {world.roster} have different public keys of helper"
    assert "[parties.helper]" in error.hint


def test_a_party_of_the_scenario_that_the_roster_does_not_list(world: World) -> None:
    del world.publics["helper"]
    world.write()
    error = world.refusal(UsageError)
    assert error.message == f"neither the scenario nor {world.roster} has a public_key of helper"


def test_a_key_for_two_parties_is_refused(world: World) -> None:
    curve, other = world.publics["helper"], world.publics["hospital_a"]
    both = keys.public_text(keys.curve_key(curve), keys.signing_key(other).public_bytes_raw())
    world.publics["hospital_b"] = both
    world.write()
    assert world.refusal(UsageError).message == "hospital_b and helper have the same public_key"


def test_the_roster_is_relative_to_the_scenario(world: World) -> None:
    elsewhere = world.folder / "deep" / "list.toml"
    elsewhere.parent.mkdir()
    for path in (world.roster, signature_path(world.roster)):
        (elsewhere.parent / path.name.replace("roster", "list")).write_bytes(path.read_bytes())
    moved = world.scenario(roster=f'[roster]\nfile = "deep/list.toml"\nsigned_by = "{world.admin}"')
    assert public_texts(moved) == world.publics
    assert moved.digest == world.scenario().digest
    other = keys.generate("other", world.folder / "office")[1]
    resigned = world.scenario(roster=f'[roster]\nfile = "roster.toml"\nsigned_by = "{other}"')
    assert resigned.digest != moved.digest


def test_a_roster_without_its_signature_is_not_read(world: World) -> None:
    world.write(sign=False)
    signature_path(world.roster).unlink()
    error = world.refusal(UsageError)
    assert error.message == f"there is no signature {world.roster}.sig"
    assert "mpc roster sign" in error.hint


def test_a_missing_roster_is_named(world: World) -> None:
    world.roster.unlink()
    assert world.refusal(UsageError).message == f"there is no roster {world.roster}"


@pytest.mark.parametrize("at", [0, 40, -2])
def test_a_roster_with_one_other_byte_is_refused(world: World, at: int) -> None:
    content = bytearray(world.roster.read_bytes())
    content[at] ^= 1
    world.roster.write_bytes(content)
    error = world.refusal(DisagreementError)
    assert error.message == f"{world.roster} is not what its signature roster.toml.sig is for"
    assert error.exit_code == 5


def test_a_roster_that_another_signed_is_refused(world: World) -> None:
    sign_roster(world.roster, "hospital_a", world.keys)
    error = world.refusal(DisagreementError)
    assert error.message == f"{world.roster} is signed by another than the scenario's [roster] signed_by"
    fields = json.loads(signature_path(world.roster).read_text())
    fields["signed_by"] = world.admin  # says what it is not
    signature_path(world.roster).write_text(json.dumps(fields))
    assert "not what its signature" in world.refusal(DisagreementError).message


def test_a_signature_is_for_rosters_alone(world: World) -> None:
    pair = keys.load_pair("admin", world.folder / "office")
    plain = base64.b64encode(pair.signing.sign(world.roster.read_bytes())).decode()
    signature_path(world.roster).write_text(json.dumps({"signed_by": world.admin, "signature": plain}))
    assert "not what its signature" in world.refusal(DisagreementError).message


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"7", b"{}", b'{"signed_by": "x", "signature": 7}', b'{"signed_by": "x", "signature": "!"}'],
)
def test_what_is_no_signature_is_refused(world: World, content: bytes) -> None:
    signature_path(world.roster).write_bytes(content)
    error = world.refusal(UsageError)
    assert error.message == f"{world.roster}.sig is not a signature of `mpc roster sign`"


def test_a_signature_of_another_length_is_refused(world: World) -> None:
    signature_path(world.roster).write_text(json.dumps({"signed_by": world.admin, "signature": "AAAA"}))
    assert "not what its signature" in world.refusal(DisagreementError).message


def test_a_signed_by_that_is_no_key_is_named(world: World) -> None:
    scenario = world.scenario(roster='[roster]\nfile = "roster.toml"\nsigned_by = "bl1-abc"')
    assert world.refusal(UsageError, scenario).message == "[roster] signed_by is no public key"


@pytest.mark.parametrize("missing", ["file", "signed_by"])
def test_a_scenario_names_both_the_file_and_who_signs(world: World, missing: str) -> None:
    lines = {"file": '"roster.toml"', "signed_by": f'"{world.admin}"'}
    del lines[missing]
    with pytest.raises(UsageError, match=f"needs a value for '{missing}'"):
        world.scenario(roster="[roster]\n" + "\n".join(f"{key} = {value}" for key, value in lines.items()))
    with pytest.raises(UsageError, match="did you mean 'signed_by'"):
        world.scenario(roster='[roster]\nfile = "x"\nsigned_bye = "y"')


def test_a_revoked_key_is_refused(world: World) -> None:
    world.write(f'revoked = ["{world.publics["hospital_b"]}"]')
    error = world.refusal(DisagreementError)
    assert error.message == f"the key of hospital_b is revoked in {world.roster}"
    assert "mpc keygen" in error.hint
    assert error.exit_code == 5


def test_a_revoked_key_is_refused_in_the_scenario_too(world: World) -> None:
    lost = world.publics.pop("helper")
    world.write(f'revoked = ["{lost}"]')
    scenario = world.scenario(publics={"helper": lost})
    assert "the key of helper is revoked" in world.refusal(DisagreementError, scenario).message


def test_a_revoked_half_does_not_come_back_in_another_text(world: World) -> None:
    lost, fresh = world.publics["helper"], keys.generate("fresh", world.keys)[1]
    world.publics["helper"] = keys.public_text(keys.curve_key(lost), keys.signing_key(fresh).public_bytes_raw())
    world.write(f'revoked = ["{lost}"]')
    assert "the key of helper is revoked" in world.refusal(DisagreementError).message


@pytest.mark.parametrize(
    ("until", "over"),
    [
        ("2026-05-09", True),
        ("2026-05-10", False),  # a date counts to its end
        ("2026-05-11", False),
        ("2026-05-10T11:59:59Z", True),
        ("2026-05-10T12:00:00Z", False),
        ("2026-05-10T13:59:59+02:00", True),
        ("2026-05-10T14:00:01+02:00", False),
        ("2026-05-10T11:59:59", True),
        ("2026-05-10T12:00:01", False),
    ],
)
def test_a_key_is_refused_after_its_time(world: World, until: str, over: bool) -> None:
    world.write(entries={"helper": f"valid_until = {until}"})
    if over:
        error = world.refusal(DisagreementError)
        assert error.message.startswith("the key of helper was valid until 2026-05-")
    else:
        assert public_texts(world.scenario(), NOON) == world.publics
    world.write(f"valid_until = {until}")
    assert read_roster(world.roster, world.roster.read_bytes()).is_over(NOON) == over
    if over:
        assert world.refusal(DisagreementError).message.startswith(f"{world.roster} was valid until 2026-05-")
    else:
        assert load_roster(world.scenario(), NOON).parties.keys() == world.publics.keys()


def test_a_key_is_changed_with_a_new_roster(world: World) -> None:
    """Rotation: a new key in another folder, the roster edited and signed again; the scenario stays as it is."""
    before = world.scenario().digest
    old = world.publics["hospital_b"]
    world.publics["hospital_b"] = keys.generate("hospital_b", world.folder / "new keys")[1]
    world.write(f'revoked = ["{old}"]')
    assert world.scenario().digest == before
    for name in ("hospital_a", "helper"):
        known = place(world.scenario(), name, world.keys).peers["hospital_b"]
        assert known == keys.curve_key(world.publics["hospital_b"]) != keys.curve_key(old)
    assert place(world.scenario(), "hospital_b", world.folder / "new keys").identity.public
    with pytest.raises(UsageError) as caught:
        place(world.scenario(), "hospital_b", world.keys)
    assert caught.value.message == "the key file of hospital_b does not match its public_key in the roster"
    assert old in caught.value.hint and "signed again" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", ["does not say which schema", "schema = 1"]),
        ("schema = 2\n[parties.a]", ["does not say which schema", "schema = 1"]),
        ("schema = 1", ["the roster names no parties"]),
        ("schema = 1\nparties = 3", ["the roster names no parties"]),
        ("schema = 1\n[parties]\na = 3", ["[parties.a] must be a table, not 3"]),
        ("schema = 1\n[parties.a]", ["[parties.a] needs a value for 'public_key'"]),
        ('schema = 1\n[parties.a]\npublic_key = "x"', ["[parties.a] public_key must be the text that `mpc keygen`"]),
        ('schema = 1\n[parties.a]\npublic_kye = "x"', ["'public_kye'", "did you mean 'public_key'?"]),
        ("schema = 1\n[parties.a]\nrevoked = []", ["'revoked'", "belongs in the top of the file"]),
        ("schema = 1\nrevokd = []\n[parties.a]", ["'revokd'", "did you mean 'revoked'?"]),
        ('schema = 1\nrevoked = ["x"]\n[parties.a]', ["revoked must be a list of texts"]),
        ('schema = 1\nvalid_until = "2027-01-01"\n[parties.a]', ["valid_until must be a date", "without quotes"]),
        ("schema = 1\nvalid_until = 12:30:00\n[parties.a]", ["valid_until must be a date"]),
        ("schema = ", ["not valid TOML", "end of document"]),
        ("\xff", ["not valid TOML"]),
    ],
)
def test_what_is_wrong_with_a_roster_is_said_before_it_is_signed(world: World, content: str, says: list[str]) -> None:
    signature_path(world.roster).unlink()
    world.roster.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError) as caught:
        sign_roster(world.roster, "admin", world.folder / "office")
    for words in says:
        assert words in str(caught.value)
    assert str(world.roster) in str(caught.value)
    assert not signature_path(world.roster).exists()


def test_signing_says_what_was_signed_and_by_whom(world: World) -> None:
    world.write(f'revoked = ["{keys.generate("gone", world.keys)[1]}"]', sign=False)
    where, text, roster = sign_roster(world.roster, "admin", world.folder / "office")
    assert where == signature_path(world.roster) == world.folder / "roster.toml.sig"
    assert text == world.admin and list(roster.parties) == list(NAMES) and len(roster.revoked) == 1
    assert stat.S_IMODE(where.stat().st_mode) == 0o644
    assert roster == read_roster(world.roster, world.roster.read_bytes())


def test_signing_needs_the_administrators_key_file(world: World) -> None:
    with pytest.raises(UsageError, match="there is no key file"):
        sign_roster(world.roster, "nobody", world.folder / "office")
    with pytest.raises(UsageError, match="there is no roster"):
        sign_roster(world.folder / "none.toml", "admin", world.folder / "office")


def test_a_scenario_without_a_roster_is_as_before(world: World) -> None:
    def texts(**changes: Any) -> dict[str, str]:
        return public_texts(world.scenario(publics={**world.publics, **changes}, roster=""))

    assert texts() == world.publics
    with pytest.raises(UsageError, match=r"\[parties.helper\] public_key is not one"):
        texts(helper="bl1-abc")
