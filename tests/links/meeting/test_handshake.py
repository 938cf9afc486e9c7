"""How parties meet: what they compare, what they say about it in words, and what is never sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import blake2b, md5, sha1, sha256, sha512
from typing import Any
from zlib import crc32

import numpy as np
import pytest

from mpc.errors import DataError, DisagreementError, ProtocolError, UsageError
from mpc.links.channel import Channel
from mpc.links.meeting.exchange import exchange, tell
from mpc.randomness.correlation import Uniform
from mpc.ring.specs import Spec
from mpc.runtime.party import Party
from mpc.runtime.plan import Plan, make_plan
from tests.links.over_zmq import HELPER, LIMITS, Run, offer_of, over_zmq

TWO = ("hospital_a", "hospital_b")
THREE = (*TWO, "hospital_c")
EXCHANGING = ("hello", "shapes", "handshake")  # the modules of a handshake that have a round
PLAN = Plan(TWO, HELPER, (), (Uniform((Spec((3,)),)),), (), "constants")


async def nothing(p: Party) -> str:
    return p.name


async def opening(p: Party) -> None:
    share = p.input(p.owners[0], None, (1,), 0)
    await p.reveal(share, what="x", why="test", label="x")


def run(owners: tuple[str, ...] = TWO, **rest: Any) -> Run:
    return over_zmq(dict.fromkeys(owners, nothing), **rest)


def errors(run: Run) -> dict[str, Any]:
    return {name: end.error for name, end in run.ends.items()}


def first_hand(run: Run) -> dict[str, Any]:
    """What each party found by itself."""
    return {name: error for name, error in errors(run).items() if error is not None and error.told_by is None}


@pytest.fixture
def nobody_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gives up does not wait for a third party that never comes."""
    monkeypatch.setattr("mpc.links.channel._FAREWELL_SECONDS", 0.0)


# When all is well


@pytest.mark.parametrize("owners", [TWO, THREE])
def test_all_agree(owners: tuple[str, ...]) -> None:
    rows = {owner: (100 + k, 20 + k) for k, owner in enumerate(owners)}
    played = run(owners, offers={owner: offer_of(owner, rows=rows[owner]) for owner in owners}).played
    agreements = {name: one.agreement for name, one in played.items()}
    assert len({a.session for a in agreements.values()}) == 1
    assert len({a.context for a in agreements.values()}) == 1
    for name, agreed in agreements.items():
        assert agreed.rows == rows
        assert agreed.columns == (() if name == HELPER else ("x", "y"))
    for i, a in enumerate(owners):
        assert agreements[HELPER].dealing_seeds[a] == agreements[a].dealing_seeds[HELPER]
        assert set(agreements[a].dealing_seeds) == {HELPER}, "no owner knows another's"
        assert set(agreements[a].pair_seeds) == set(owners) - {a}
        for b in owners[i + 1 :]:
            assert agreements[a].pair_seeds[b] == agreements[b].pair_seeds[a]
    assert agreements[HELPER].pair_seeds == {}, "the helper knows no pair's seed"
    seeds = {s for a in agreements.values() for s in (*a.pair_seeds.values(), *a.dealing_seeds.values())}
    assert len(seeds) == len(owners) + len(owners) * (len(owners) - 1) // 2


def test_seeds_go_only_to_whom_they_belong() -> None:
    done = run(THREE)
    agreements = {name: one.agreement for name, one in done.played.items()}
    holders: dict[str, set[str]] = {}
    for name, agreed in agreements.items():
        for seed in (*agreed.pair_seeds.values(), *agreed.dealing_seeds.values()):
            holders.setdefault(seed.hex(), set()).add(name)
    assert all(len(names) == 2 for names in holders.values())
    told = {
        (seed, frozenset((sent.sender, sent.receiver)))
        for sent in done.frames
        for seed in holders
        if seed.encode() in sent.body
    }
    assert told == {(seed, frozenset(names)) for seed, names in holders.items()}


def test_the_plan_is_of_all_owners_rows_and_shared_columns() -> None:
    asked: dict[str, tuple[Mapping[str, tuple[int, int]], int]] = {}

    def maker(name: str) -> Callable[[Mapping[str, tuple[int, int]], int], Plan]:
        def make(rows: Mapping[str, tuple[int, int]], columns: int) -> Plan:
            asked[name] = (dict(rows), columns)
            return replace(PLAN, rounds=(), kinds=())

        return make

    offers = {
        "hospital_a": offer_of("hospital_a", rows=(7, 3), columns=("p", "q", "r")),
        "hospital_b": offer_of("hospital_b", rows=(5, 0), columns=("r", "s", "p")),
    }
    played = run(offers=offers, make={name: maker(name) for name in (*TWO, HELPER)}).played
    assert asked == dict.fromkeys((*TWO, HELPER), ({"hospital_a": (7, 3), "hospital_b": (5, 0)}, 2))
    assert [played[name].agreement.columns for name in (*TWO, HELPER)] == [("p", "r"), ("p", "r"), ()]


# Where parties differ


@pytest.mark.parametrize("odd", ["hospital_a", "hospital_b", HELPER])
def test_another_version_is_told_in_words_by_both(odd: str) -> None:
    found = first_hand(run(offers={odd: offer_of(odd, version="2.0")}))
    assert odd in found
    for name, error in found.items():
        assert isinstance(error, DisagreementError) and error.exit_code == 5
        mine, theirs = ("2.0", "1.0") if name == odd else ("1.0", "2.0")
        assert error.message == f'{name} runs version "{mine}" and {error.party} version "{theirs}"'
        assert name == odd or error.party == odd


def test_both_of_different_versions_name_it_without_the_third(nobody_to_tell: None) -> None:
    """Each hello is looked at when it comes, and before the abort that follows it."""

    done = run(offers={"hospital_b": offer_of("hospital_b", version="2.0")}, absent={HELPER})
    found = errors(done)
    assert found["hospital_a"].message == 'hospital_a runs version "1.0" and hospital_b version "2.0"'
    assert found["hospital_b"].message == 'hospital_b runs version "2.0" and hospital_a version "1.0"'


@pytest.mark.parametrize(
    ("facts", "here", "there"),
    [
        ({"name": "test", "seed": 8}, "seed is 7 here and 8 there", "seed is 8 here and 7 there"),
        ({"name": "test"}, "seed is 7 here and not set there", "seed is not set here and 7 there"),
        (
            {"name": "test", "seed": 7, "task.l2": 0.5},
            "task.l2 is not set here and 0.5 there",
            "task.l2 is 0.5 here and not set there",
        ),
        (
            {"name": "other", "seed": 7},
            'name is "test" here and "other" there',
            'name is "other" here and "test" there',
        ),
        (
            {"name": "test", "seed": "bl1-" + 86 * "k"},  # as long as a public key
            f'seed is 7 here and "bl1-{86 * "k"}" there',
            f'seed is "bl1-{86 * "k"}" here and 7 there',
        ),
        (
            {"name": "test", "seed": 200 * "k"},
            f'seed is 7 here and "{96 * "k"}... there',
            f'seed is "{96 * "k"}... here and 7 there',
        ),
    ],
)
def test_another_scenario_is_told_in_words_by_both(
    nobody_to_tell: None, facts: dict[str, Any], here: str, there: str
) -> None:
    found = errors(run(offers={"hospital_b": offer_of("hospital_b", facts=facts)}, absent={HELPER}))
    a, b = found["hospital_a"], found["hospital_b"]
    assert isinstance(a, DisagreementError) and isinstance(b, DisagreementError)
    assert a.message == f"the scenarios of hospital_a and hospital_b differ: {here}"
    assert b.message == f"the scenarios of hospital_b and hospital_a differ: {there}"
    assert (a.party, b.party) == ("hospital_b", "hospital_a")


@pytest.mark.parametrize("odd", ["hospital_b", HELPER])
@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (replace(PLAN, rounds=make_plan(opening, TWO, HELPER).rounds), "differ in the number of rounds: "),
        (replace(PLAN, kinds=(*PLAN.kinds, *PLAN.kinds)), "differ in the number of correlations: "),
        (replace(PLAN, constants="others"), "differ in the public constants: "),
        (replace(PLAN, kinds=(Uniform((Spec((4,)),)),)), "differ in the plan: "),
    ],
)
def test_another_plan_is_found_before_anything_secret_moves(odd: str, plan: Plan, words: str) -> None:
    make = {name: (lambda _rows, _columns, p=plan if name == odd else PLAN: p) for name in (*TWO, HELPER)}
    done = run(make=make)
    found = first_hand(done)
    assert found and all(isinstance(error, DisagreementError) for error in found.values())
    assert all(words in error.message for error in found.values())
    assert all(odd in (name, error.party) for name, error in found.items())
    assert all(error is not None for error in errors(done).values()), "nobody goes on"
    assert {sent.label for sent in done.frames} <= {"hello", "shapes", "columns", "agree", "seeds", ""}


def test_the_owners_compare_the_helpers_plan_too() -> None:
    done = meddled(HELPER, "agree", given("plan", "another"))
    for name in TWO:
        error = errors(done)[name]
        assert isinstance(error, DisagreementError)
        assert error.told_by is not None or f"{name} and {HELPER} differ in the plan" in error.message
    assert set(first_hand(done)) & set(TWO)


def test_the_helper_sees_owners_that_count_columns_differently() -> None:
    def claim(fields: dict[str, Any]) -> dict[str, Any]:
        return {**fields, "columns": fields["columns"] + 1}

    found = first_hand(meddled("hospital_b", "columns", claim, receiver=HELPER))
    assert "the owners disagree on how many columns they share" in found[HELPER].message


@pytest.mark.parametrize("rounds", [1, 40])
def test_others_are_given_time_for_a_plan_that_one_has_made(rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousandth of a second a round, for 250,000 steps minutes; whoever does not answer at all costs no more."""
    given: dict[tuple[str, str], float | None] = {}

    def noting(channel: Any, label: str, messages: Any, seconds: float | None, *rest: Any) -> Any:
        given[channel.me, label] = seconds
        return exchange(channel, label, messages, seconds, *rest)

    async def program(p: Party) -> None:
        share = p.input(p.owners[0], None if p.dry or p.index else np.zeros(1, np.uint64), (1,), 0)
        for _ in range(rounds):
            await p.reveal(share, what="x", why="test", label="x")

    for module in EXCHANGING:
        monkeypatch.setattr(f"mpc.links.meeting.{module}.exchange", noting)
    done = over_zmq(dict.fromkeys(TWO, program))
    assert errors(done) == dict.fromkeys((*TWO, HELPER))
    for name in (*TWO, HELPER):
        assert given[name, "agree"] == pytest.approx(LIMITS.deadline + 0.001 * rounds)
        assert given[name, "shapes"] is None, "the deadline of a round"


# What is not told


def test_only_shared_columns_are_used_in_the_first_owners_order() -> None:
    columns = {
        "hospital_a": ("age", "size", "weight", "only_a"),
        "hospital_b": ("only_b", "weight", "age", "smokes"),
        "hospital_c": ("weight", "smokes", "age"),
    }
    played = run(THREE, offers={name: offer_of(name, columns=c) for name, c in columns.items()}).played
    assert [played[name].agreement.columns for name in THREE] == [("age", "weight")] * 3
    assert played[HELPER].agreement.columns == ()


def test_no_column_name_is_sent_in_clear_or_guessable() -> None:
    names = ("height_of_tumour", "hiv_status", "only_hospital_a_has_this")
    offers = {
        "hospital_a": offer_of("hospital_a", columns=names),
        "hospital_b": offer_of("hospital_b", columns=names[:2]),
    }
    done = run(offers=offers)
    assert done.played["hospital_b"].agreement.columns == names[:2]
    for sent in done.frames:
        for name in names:
            text = name.encode()
            assert text not in sent.body
            for digest in (md5(text), sha1(text), sha256(text), sha512(text), blake2b(text)):
                assert digest.digest()[:8] not in sent.body
                assert digest.hexdigest()[:12].encode() not in sent.body
            assert str(crc32(text)).encode() not in sent.body
    for sent in done.frames:
        if sent.receiver == HELPER and sent.label in ("hello", "shapes"):
            fields = set(json.loads(sent.body))
            assert fields == ({"hellos", "rows"} if sent.label == "shapes" else {"version", "facts", "nonce", "part"})


def test_the_same_name_has_another_digest_in_another_session() -> None:
    def digests(seed: int) -> set[str]:
        from mpc.randomness.streams import insecure_entropy

        done = run(entropy={name: insecure_entropy(seed, name) for name in (*TWO, HELPER)})
        return {
            digest
            for sent in done.frames
            if sent.label == "shapes" and HELPER not in (sent.sender, sent.receiver)
            for digest in json.loads(sent.body)["names"]
        }

    first, second = digests(1), digests(2)
    assert len(first) == len(second) == 2 and not first & second


def test_no_shared_column_is_an_error_that_names_the_party_only() -> None:
    offers = {
        "hospital_a": offer_of("hospital_a", columns=("age",)),
        "hospital_b": offer_of("hospital_b", columns=("alter",)),
    }
    found = errors(run(offers=offers))
    for name in TWO:
        assert isinstance(found[name], DataError)
    own = first_hand(run(offers=offers))
    for name, error in own.items():
        assert error.message == f"{name}: no numeric column is shared by all owners" and error.party == name
    assert isinstance(found[HELPER], DataError) and found[HELPER].told_by in TWO


# What is refused


def meddled(sender: str, label: str, change: Callable[[dict[str, Any]], Any], *, receiver: str | None = None) -> Run:
    """A run in which one party says something else, properly sealed, in one round."""

    def patched(channel: Any, name: str, messages: Mapping[str, Mapping[str, Any]], *rest: Any) -> Any:
        if channel.me == sender and name == label:
            messages = {
                peer: change(dict(said)) if receiver in (None, peer) else said for peer, said in messages.items()
            }
        return genuine(channel, name, messages, *rest)

    def patched_tell(channel: Any, peer: str, name: str, said: Mapping[str, Any]) -> None:
        meddles = channel.me == sender and name == label and receiver in (None, peer)
        tell(channel, peer, name, change(dict(said)) if meddles else said)

    genuine = exchange
    with pytest.MonkeyPatch.context() as patch:
        for module in EXCHANGING:
            patch.setattr(f"mpc.links.meeting.{module}.exchange", patched)
        patch.setattr("mpc.links.meeting.shapes.tell", patched_tell)
        return run()


def without(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda fields: {name: value for name, value in fields.items() if name != key}


def given(key: str, value: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda fields: {**fields, key: value}


MISSING = [
    ("hospital_b", "hello", "version"),
    ("hospital_b", "hello", "facts"),
    ("hospital_b", "hello", "nonce"),
    ("hospital_b", "hello", "part"),
    ("hospital_b", "hello", "names"),
    ("hospital_b", "shapes", "rows"),
    ("hospital_b", "shapes", "names"),
    ("hospital_b", "columns", "columns"),
    ("hospital_a", "seeds", "seed"),
    (HELPER, "seeds", "seed"),
]


@pytest.mark.parametrize(("sender", "label", "key"), MISSING)
def test_a_missing_field_is_the_senders_fault(sender: str, label: str, key: str) -> None:
    check_blame(meddled(sender, label, without(key)), sender, f"left out '{key}' in '{label}'")


MALFORMED = [
    ("hospital_b", "hello", "facts", 7),
    ("hospital_b", "hello", "facts", None),
    ("hospital_b", "hello", "facts", ["seed"]),
    ("hospital_b", "hello", "nonce", 7),
    ("hospital_b", "hello", "nonce", "xyz"),
    ("hospital_b", "hello", "nonce", "00" * 31),
    ("hospital_b", "hello", "part", ["00"]),
    ("hospital_b", "hello", "part", ""),
    ("hospital_b", "hello", "names", {"a": 1}),
    ("hospital_b", "shapes", "rows", None),
    ("hospital_b", "shapes", "rows", 7),
    ("hospital_b", "shapes", "rows", [1]),
    ("hospital_b", "shapes", "rows", [1, 2, 3]),
    ("hospital_b", "shapes", "rows", ["1", "2"]),
    ("hospital_b", "shapes", "rows", [-1, 2]),
    ("hospital_b", "shapes", "rows", [1.5, 2]),
    ("hospital_b", "shapes", "rows", [True, 2]),
    ("hospital_b", "shapes", "rows", [10**30, 2]),
    ("hospital_b", "shapes", "rows", [2**62, 2]),
    ("hospital_b", "shapes", "names", ["a"] * 100_001),
    ("hospital_b", "shapes", "names", "abc"),
    ("hospital_b", "shapes", "names", [["a"]]),
    ("hospital_b", "columns", "columns", "2"),
    ("hospital_b", "columns", "columns", -1),
    ("hospital_b", "columns", "columns", 100_001),
    ("hospital_a", "seeds", "seed", "00"),
    (HELPER, "seeds", "seed", None),
]


@pytest.mark.parametrize(("sender", "label", "key", "value"), MALFORMED)
def test_a_malformed_field_is_the_senders_fault(sender: str, label: str, key: str, value: Any) -> None:
    check_blame(meddled(sender, label, given(key, value)), sender, f"sent a malformed '{key}' in '{label}'")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1, 2]", b'"text"', b"7", b"null", b"\xff\xfe", b"[" * 50_000], ids=lambda b: str(b[:8])
)
@pytest.mark.parametrize("label", ["hello", "seeds"])
def test_what_is_no_object_is_refused(body: bytes, label: str) -> None:
    done = resealed("hospital_b", label, lambda send: dict.fromkeys(send, body))
    check_blame(done, "hospital_b", f"sent something else than an object in '{label}'")


def check_blame(done: Run, liar: str, words: str) -> None:
    """Whoever found something by itself, and somebody did, says this of the liar."""
    blame = [error for name, error in first_hand(done).items() if name != liar]
    assert blame
    for error in blame:
        assert isinstance(error, ProtocolError) and (error.party, error.message) == (liar, f"{liar} {words}")


def resealed(
    sender: str, label: str, change: Callable[[Mapping[str, bytes]], Mapping[str, bytes]], owners: tuple[str, ...] = TWO
) -> Run:
    """A run in which one party sends its peers other bytes, properly sealed, in one round."""
    genuine = Channel.exchange

    def patched(self: Channel, one: Any, *rest: Any) -> Any:
        if self.me == sender and one.label == label:
            one = one._replace(send=change(one.send))
        return genuine(self, one, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Channel, "exchange", patched)
        return run(owners)


@pytest.mark.parametrize("owners", [TWO, THREE])
def test_who_says_two_hellos_is_named(owners: tuple[str, ...]) -> None:
    """The last owner says another nonce to the helper than to the others: nobody's tag is wrong for that."""
    liar = owners[-1]

    def two_hellos(send: Mapping[str, bytes]) -> Mapping[str, bytes]:
        return {**send, HELPER: json.dumps({**json.loads(send[HELPER]), "nonce": "00" * 32}).encode()}

    found = errors(resealed(liar, "hello", two_hellos, owners))
    honest = [error for name, error in found.items() if name != liar]
    # Whom a peer that lost contact with the first to end tells of it first, hears of that and not of the cause.
    honest = [error for error in honest if error is None or not (error.told_by and error.exit_code == 4)]
    assert honest and all(error is not None and error.exit_code in (5, 6) for error in honest), honest
    # Who stopped the run is no accusation, unless it is the liar: it may be the first to notice.
    blamed = {error.party for error in honest if error.told_by != error.party or error.party == liar}
    assert blamed == {liar}, honest


def test_a_message_that_is_too_long_is_refused() -> None:
    found = first_hand(resealed("hospital_b", "hello", lambda send: dict.fromkeys(send, b" " * (1 << 22) + b"{}")))
    for name in ("hospital_a", HELPER):
        if name in found:
            assert isinstance(found[name], ProtocolError) and found[name].party == "hospital_b"
            assert found[name].message == "hospital_b sends a message that is longer than any that is due from it"
    assert {"hospital_a", HELPER} & set(found)


def test_a_long_setting_is_told_in_short() -> None:
    facts = {"name": "x" * 10_000, "seed": 7}
    found = first_hand(run(offers={"hospital_b": offer_of("hospital_b", facts=facts)}))
    assert all(len(error.message) < 400 for error in found.values())


def test_who_has_more_columns_than_others_take_is_told_so_itself() -> None:
    names = tuple(f"{k:x>150}" for k in range(30_000))
    found = first_hand(run(offers=split_offers({TWO[0]: names, TWO[1]: ("b",)})))
    assert isinstance(found[TWO[0]], UsageError)
    assert "what hospital_a has to say of its columns is longer than others take (4,194,304 bytes)" in str(
        found[TWO[0]]
    )


@pytest.mark.parametrize("text", ["\x1b[2J", "\n2026-11-30 INFO approved", "\u202e", "\u2028", "\0", "x" * 100_000])
def test_no_text_of_a_peer_acts_on_a_terminal_or_fills_a_log(text: str) -> None:
    """Of the names and values of settings, and of the version."""
    facts = {"name": "test", "seed": 7}
    for offer in (
        offer_of("hospital_b", facts={**facts, text: 1}),
        offer_of("hospital_b", facts={**facts, "seed": [text]}),
        offer_of("hospital_b", facts={**facts, "seed": {text: text}}),
        offer_of("hospital_b", version=text),
    ):
        done = run(offers={"hospital_b": offer})
        assert first_hand(done)
        for error in errors(done).values():
            assert isinstance(error, DisagreementError) and str(error).isprintable() and len(str(error)) < 500
        assert all(line.isprintable() and len(line) < 500 for said in done.said.values() for line in said)


# Where columns are split


def split_offers(columns: Mapping[str, tuple[str, ...]], target: str = TWO[0]) -> dict[str, Any]:
    return {owner: offer_of(owner, columns=names, has_target=owner == target) for owner, names in columns.items()}


def test_who_has_more_columns_than_all_together_may_is_named() -> None:
    names = {TWO[0]: ("a",), TWO[1]: tuple(f"c{k}" for k in range(100_000))}
    _, error = first_hand(run(offers=split_offers(names))).popitem()
    assert isinstance(error, DisagreementError) and error.party == "hospital_b"
    assert error.message == "hospital_b says that it has 100,000 columns; all together may have 100,000"


def test_split_columns_are_told_to_owners_only() -> None:
    columns = {"hospital_a": ("age", "dose"), "hospital_b": (), "hospital_c": ("size",)}
    told = run(THREE, offers=split_offers(columns, "hospital_b"))
    agreements = {name: one.agreement for name, one in told.played.items()}
    for owner in THREE:
        split = agreements[owner].split
        assert split is not None and (split.target_owner, split.count) == ("hospital_b", 3)
        assert dict(split.columns) == columns
        assert agreements[owner].columns == columns[owner]
        assert agreements[owner].owners_key == agreements[THREE[0]].owners_key != b""
    assert agreements[HELPER].split is None and agreements[HELPER].owners_key == b""


@pytest.mark.parametrize("target", [(), TWO])
def test_exactly_one_owner_has_the_target(target: tuple[str, ...]) -> None:
    offers = {owner: offer_of(owner, columns=(f"x_{owner}",), has_target=owner in target) for owner in TWO}
    ended = run(offers=offers)
    assert all(errors(ended)[owner].code == DataError.code for owner in TWO)
    found = first_hand(ended)  # the other may have been told first
    assert found
    assert all("exactly one owner must have it" in error.message for error in found.values())


@pytest.mark.parametrize("names", [("a\x1b[2J",), ("a", "a"), ("x" * 201,)])
def test_names_that_cannot_be_printed_are_refused(names: tuple[str, ...]) -> None:
    found = first_hand(run(offers=split_offers({"hospital_a": ("age",), "hospital_b": names})))
    assert isinstance(found["hospital_a"], ProtocolError)
    assert "malformed 'names'" in found["hospital_a"].message
