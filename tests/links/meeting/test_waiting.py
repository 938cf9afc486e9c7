"""How long a party waits, in virtual time, and whom it names in the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

import mpc.randomness.dealing
from mpc.errors import BeaverlodgeError, DataError, PeerLostError, ProtocolError
from mpc.faults.wires import Sent
from mpc.links.abort import last_words
from mpc.links.channel import Channel, Limits
from mpc.links.session import Link
from mpc.links.waiting import Sign, Wait, cause, lost_behind, read_sign, sign_body
from mpc.links.wire import ABORT, DATA, SIGN, label_code
from mpc.runtime.party import Party
from mpc.runtime.round import Round
from mpc.runtime.trace import Trace
from mpc.sharing.share import Share
from mpc.testing import reals
from mpc.testing.cases.inputs import complete
from mpc.testing.cases.programs import Case, taken_case
from mpc.testing.faults.check import play
from mpc.testing.faults.member import take_part
from mpc.testing.faults.virtual import End, Smooth, Trouble, VirtualNetwork, VirtualWires
from protocols.core.beaver import multiply
from protocols.core.truncation import truncate
from tests.links.pairs import KEY, ONE_WORD

LIMITS = Limits(connect=15.0, deadline=15.0, patience=60.0)
UNHEARD = 10 * LIMITS.deadline + LIMITS.patience
HORIZON = 1000.0
X = reals((2,), scale=14, largest=1.0)


async def many(p: Party, x: Share, y: Share) -> Share:
    for _ in range(6):
        x = await truncate(p, await multiply(p, x, y), 14)
    return x


@pytest.fixture(params=[2, 3])
def case(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    """With a window for every correlation, so that the last owner waits for the helper, and the helper for credits."""
    monkeypatch.setattr(mpc.randomness.dealing, "WINDOW_BYTES", 8)
    return taken_case(many, [X, X], request.param, complete([X, X], None, 2), "waiting")


def run(case: Case, trouble: Trouble) -> tuple[dict[str, End], VirtualNetwork]:
    ends, net = play(case, trouble, case.entropy(1), LIMITS, HORIZON)
    assert not net.hanging
    return ends, net


def errors(ends: Mapping[str, End]) -> dict[str, BeaverlodgeError]:
    found = {name: end.error for name, end in ends.items() if end.error is not None}
    assert all(isinstance(error, BeaverlodgeError) for error in found.values()), found
    return found  # type: ignore[return-value]


def labelled(sent: Sent, label: str) -> bool:
    return sent.frame.head[3] == DATA and sent.frame.head[4:8] == label_code(label).to_bytes(4, "little")


# Pauses


class CutOnce:
    """A connection breaks at the n-th frame of a label, for so many seconds."""

    def __init__(self, label: str, place: int, seconds: float) -> None:
        self.label, self.place, self.seconds = label, place, seconds
        self.ends: tuple[str, str] | None = None

    def disturb(self, sent: Sent, net: VirtualWires) -> bool:
        if self.ends is None and labelled(sent, self.label):
            self.place -= 1
            if not self.place:
                self.ends = sent.sender, sent.receiver
                net.cut(*self.ends, self.seconds)
                return True
        return False


PLACES = [("multiply", 1), ("multiply", 4), ("multiply", 5), ("deal", 3), ("deal", 8), ("credit", 2), ("seeds", 1)]


@pytest.mark.parametrize(("label", "place"), PLACES)
def test_a_cut_shorter_than_the_patience_costs_time_only(case: Case, label: str, place: int) -> None:
    for seconds in (30.0, 59.0):
        trouble = CutOnce(label, place, seconds)
        ends, net = run(case, trouble)
        assert errors(ends) == {} and trouble.ends is not None
        assert seconds < net.time < seconds + LIMITS.deadline


@pytest.mark.parametrize(("label", "place"), PLACES)
def test_a_cut_longer_than_the_patience_names_whom_it_cut_off(case: Case, label: str, place: int) -> None:
    trouble = CutOnce(label, place, 61.0)
    ends, net = run(case, trouble)
    assert trouble.ends is not None and net.time < LIMITS.patience + LIMITS.deadline
    found = errors(ends)
    assert set(found) == set(ends)
    for name, error in found.items():
        assert isinstance(error, PeerLostError) and error.party in trouble.ends, (name, error)
    assert any("for more than 60 s" in found[name].message for name in trouble.ends)


class Flapping:
    """Two parties' connection breaks again and again, and nothing of one kind ever comes."""

    def __init__(self, one: str, other: str) -> None:
        self.ends = {one, other}

    def disturb(self, sent: Sent, net: VirtualWires) -> bool:
        if {sent.sender, sent.receiver} != self.ends or sent.frame.head[3] == ABORT:
            return False
        if labelled(sent, "multiply"):
            return True
        net.cut(sent.sender, sent.receiver, 5.0)
        return True


def test_pauses_add_up_to_the_patience_at_most(case: Case) -> None:
    _, net = run(case, Flapping(*case.owners[:2]))
    assert net.time < LIMITS.deadline + LIMITS.patience + 10


def test_a_wait_counts_while_nobody_is_lost() -> None:
    wait = Wait("x", 100.0, 15.0, 60.0)
    assert wait.look(110.0, paused=True) and wait.look(140.0, paused=False)  # 30 of these were paused
    assert wait.end == 145.0
    assert wait.look(144.0, paused=True) and not wait.look(200.0, paused=True)
    assert wait.end == 175.0


# A peer that says things


def pair(
    play_b: Callable[[Link, Any], None], seconds: float | None = None, to: str = "b"
) -> tuple[End, VirtualNetwork]:
    """a waits for one of two, of which b has said hello and now does what it likes; how and when a ends."""
    net = VirtualNetwork(("a", "b", "c"), Smooth(), HORIZON)

    def a() -> Any:
        channel = Channel("a", ["b", "c"], net.end_of("a"), LIMITS, Trace(lambda *_: None), lambda _: None)
        for peer in ("b", "c"):
            channel.push(peer, "hello", b"hello")
            channel.pull(peer, "hello")
            channel.rekey(peer, KEY)
        return channel.exchange(Round({}, {to: ONE_WORD}, "matmul"), seconds)

    def other(name: str) -> Callable[[], None]:
        def play() -> None:
            end, link = net.end_of(name), Link(name, "a")
            end.poll(1)
            end.send("a", link.data(label_code("hello"), b"hello"))
            link.rekey(KEY)
            if name == "b":
                play_b(link, end)
            while end.now() < HORIZON - 20:
                end.poll(10)

        return play

    ends = net.run({"a": a, "b": other("b"), "c": other("c")})
    assert net.hanging == []
    return ends["a"], net


def says(sign: Sign | bytes, every: float = 2.0) -> Callable[[Link, Any], None]:
    def play(link: Link, end: Any) -> None:
        while end.now() < HORIZON - 10:
            end.send("a", link.sign(sign if isinstance(sign, bytes) else sign_body(sign)))
            end.poll(every)

    return play


def test_who_says_that_it_lost_another_has_the_patience_at_most() -> None:
    ended, _ = pair(says(Sign(5, frozenset({"c"}), frozenset({"c"}))))
    error = ended.error
    assert isinstance(error, PeerLostError)
    assert LIMITS.deadline + LIMITS.patience - 5 < ended.at < LIMITS.deadline + LIMITS.patience + 2
    assert error.message == "b did not answer in 'matmul' in time: b says that it waits for c"
    assert error.party == "c" and error.told_by == "b"


def test_who_waits_for_this_party_is_who_did_not_answer() -> None:
    ended, _ = pair(says(Sign(5, frozenset({"a"}))))
    error = ended.error
    assert isinstance(error, PeerLostError) and error.party == "b" and error.told_by is None
    assert ended.at < LIMITS.deadline + 2


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"7",
        b"[" * 10_000,
        b"[1,[],[],[]]",
        b'[1,["b","z"],[]]',
        b"[-1,[],[]]",
        b'[1,"b",[]]',
        b"[1,{},[]]",
        b"[true,[],[]]",
        b"[1,[[]],[]]",
        b"[1,[],[]" + b" " * 20_000 + b"]",
    ],
    ids=lambda body: str(body[:16]),
)
def test_a_malformed_sign_is_its_senders_fault(body: bytes) -> None:
    with pytest.raises(ProtocolError, match="b sent a malformed sign") as caught:
        read_sign("b", body, {"a", "b", "c"})
    assert caught.value.party == "b"
    error = pair(says(body))[0].error
    assert isinstance(error, ProtocolError) and error.message == "b sent a malformed sign of whom it waits for"


def test_a_sign_is_read_as_it_was_written() -> None:
    sign = Sign(7, frozenset({"a", "c"}), frozenset({"c"}))
    assert read_sign("b", sign_body(sign), {"a", "b", "c"}) == sign


@pytest.mark.parametrize(
    ("missing", "signs", "found"),
    [
        ("b", {}, ("b", None)),
        ("bc", {"b": "c"}, ("c", None)),
        ("bc", {"b": "ch", "c": "h"}, ("h", "b")),
        ("b", {"b": "c", "c": "h"}, ("h", "c")),
        ("b", {"b": "c", "c": "a"}, ("c", "b")),
        ("b", {"b": "a"}, ("b", None)),
        ("bc", {"b": "c", "c": "b"}, ("b", "c")),  # one of them does not say the truth
        ("b", {"b": "h", "h": "b"}, ("b", "h")),
        ("b", {"b": "c", "c": "hd", "d": "h"}, ("h", "c")),
    ],
)
def test_the_cause_is_who_waits_for_nobody(missing: str, signs: dict[str, str], found: tuple[str, str | None]) -> None:
    said = {peer: Sign(1, frozenset(waits)) for peer, waits in signs.items()}
    assert cause(set(missing), said, "a") == found


def test_who_is_lost_further_behind_pauses_a_deadline_too() -> None:
    signs = {"b": Sign(1, frozenset("c")), "c": Sign(1, frozenset("h"), frozenset("h"))}
    assert lost_behind({"b"}, signs)
    assert not lost_behind({"b"}, {"b": Sign(1, frozenset("c"))})
    assert not lost_behind({"b"}, {"d": signs["c"]})


def gives_up(when: float, origin: str, **more: str) -> Callable[[Link, Any], None]:
    """It says after so many seconds that it gave up."""

    def play(link: Link, end: Any) -> None:
        while end.now() < when:
            end.poll(when - end.now())
        body = {"code": "peer-lost", "stage": "running", "origin": origin, **more}
        end.send("a", link.abort(json.dumps(body).encode()))

    return play


@pytest.mark.parametrize(
    ("after", "more", "party", "told_by"),
    [
        (1.0, {}, "b", "b"),  # nobody gives up so soon: it is its word alone
        (14.0, {}, "c", "b"),
        (14.0, {"by": "c"}, "c", "b"),
        (1.0, {"by": "c"}, "c", "b"),
        (1.0, {"by": "b"}, "b", "b"),
        (1.0, {"by": "curl x | sh"}, "b", "b"),
    ],
)
def test_who_gave_up_on_this_party_is_told_of_with_the_cause(
    after: float, more: dict[str, str], party: str, told_by: str
) -> None:
    ended, _ = pair(gives_up(after, "a", **more), to="c")
    error = ended.error
    assert isinstance(error, PeerLostError) and (error.party, error.told_by) == (party, told_by)
    assert "curl" not in str(error) and "b" in error.message.split()


def test_what_was_hearsay_is_passed_on_as_such() -> None:
    told = PeerLostError("b says that it lost contact with c", party="c", told_by="b")
    assert json.loads(last_words(told, "running", "a")) == {
        "code": "peer-lost",
        "stage": "running",
        "origin": "c",
        "by": "b",
    }


# A silent helper


class Silent:
    """From some frame on nothing comes from a party, though its connections stand."""

    def __init__(self, sender: str, label: str, place: int) -> None:
        self.sender, self.label, self.place = sender, label, place

    def disturb(self, sent: Sent, net: VirtualWires) -> bool:
        if sent.sender == self.sender and labelled(sent, self.label):
            self.place -= 1
        return sent.sender == self.sender and self.place <= 0


def test_a_helper_that_falls_silent_is_named_by_every_owner(case: Case) -> None:
    for place in (1, 4):
        ends, net = run(case, Silent("helper", "deal", place))
        found = errors(ends)
        for owner in case.owners:
            assert isinstance(found[owner], PeerLostError) and found[owner].party == "helper", (owner, found[owner])
        assert net.time < 3 * LIMITS.deadline


def test_an_owner_that_falls_silent_is_named_by_all_others(case: Case) -> None:
    silent = case.owners[0]
    ends, _ = run(case, Silent(silent, "multiply", 3))
    found = errors(ends)
    for name in set(ends) - {silent}:
        assert isinstance(found[name], PeerLostError) and found[name].party == silent, (name, found[name])


# The helper's patience


def never_done(case: Case, after: Callable[[Any, Channel], None]) -> tuple[dict[str, End], VirtualNetwork]:
    """The last owner tells all but the helper that it is done, and stays."""
    last = case.owners[-1]

    class Withheld:
        def disturb(self, sent: Sent, net: VirtualWires) -> bool:
            return (sent.sender, sent.receiver) == (last, "helper") and (
                labelled(sent, "done") or labelled(sent, "bye")
            )

    net = VirtualNetwork((*case.owners, "helper"), Withheld(), 50 * HORIZON)

    def job(name: str) -> Callable[[], Any]:
        def play() -> Any:
            end = net.end_of(name)
            try:
                return take_part(case, name, end, LIMITS, case.entropy(1))
            finally:
                if name == last:
                    after(end, links[0])

        return play

    links: list[Any] = []
    plain = Link.__init__

    def init(link: Link, me: str, peer: str) -> None:
        plain(link, me, peer)
        if (me, peer) == (last, "helper"):
            links.append(link)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Link, "__init__", init)
        ends = net.run({name: job(name) for name in (*case.owners, "helper")})
    return ends, net


def stay(end: Any, link: Any) -> None:
    while end.now() < 40 * HORIZON:
        end.poll(100)


def stay_with_signs(rounds: Iterator[int]) -> Callable[[Any, Any], None]:
    def after(end: Any, link: Any) -> None:
        while end.now() < 40 * HORIZON:
            end.send("helper", link.sign(sign_body(Sign(next(rounds)))))
            end.poll(100)

    return after


def same() -> Iterator[int]:
    while True:
        yield 3


def rising() -> Iterator[int]:
    yield from range(1, 1 << 30)


@pytest.mark.parametrize("signs", [None, same, rising])
def test_an_owner_that_never_says_done_is_given_up(case: Case, signs: Callable[[], Iterator[int]] | None) -> None:
    ends, net = never_done(case, stay if signs is None else stay_with_signs(signs()))
    error = ends["helper"].error
    assert isinstance(error, PeerLostError) and error.exit_code == 4 and error.party == case.owners[-1]
    assert error.message == f"{case.owners[-1]} did not go on for 210 s, and is waited for in 'done'"
    bound = UNHEARD + 110  # the first sign is one of progress
    if signs is rising:  # who pretends to go on is in its last round one day
        bound += 100 * (len(case.plan.rounds) + 10)
    assert ends["helper"].at < bound
    assert "helper" not in net.hanging


class Slow:
    """Every round of the program takes longer than anything else may, but for the deadline."""

    def disturb(self, sent: Sent, net: VirtualWires) -> bool:
        if labelled(sent, "multiply") or labelled(sent, "truncate"):
            net.carry(sent, later=LIMITS.deadline * 0.9)
            return True
        return False


def test_the_helper_waits_for_owners_that_go_on(case: Case) -> None:
    """For much longer than it would wait for one that does not."""
    ends, net = run(case, Slow())
    assert errors(ends) == {}
    assert net.time > 10 * LIMITS.deadline
    assert {sent.sender for sent in net.sent if sent.frame.head[3] == SIGN} >= set(case.owners)


# The first cause


class Late:
    """What one party sends another comes half a second late."""

    def disturb(self, sent: Sent, net: VirtualWires) -> bool:
        if (sent.sender, sent.receiver) == ("c", "b") and sent.frame.head[3] == ABORT:
            net.carry(sent, later=0.5)
            return True
        return False


@pytest.mark.parametrize("lost", [False, True])
def test_of_who_gave_up_its_own_words_are_waited_for(lost: bool) -> None:
    class LostWords(Late):
        def disturb(self, sent: Sent, net: VirtualWires) -> bool:
            return (sent.sender, sent.receiver) == ("c", "b") and sent.frame.head[3] == ABORT

    net = VirtualNetwork(("a", "b", "c"), LostWords() if lost else Late(), HORIZON)

    def job(name: str) -> Callable[[], Any]:
        def play() -> Any:
            peers = sorted({"a", "b", "c"} - {name})
            end = net.end_of(name)
            channel = Channel(name, peers, end, LIMITS, Trace(lambda *_: None), lambda _: None)
            try:
                for peer in peers:
                    channel.push(peer, "hello", b"hello")
                for peer in peers:
                    channel.pull(peer, "hello")
                    channel.rekey(peer, KEY)
                if name == "c":
                    raise DataError("row 7 of c.csv is odd", party="c")
                return channel.exchange(Round({}, {"c": ONE_WORD}, "matmul"))
            except BeaverlodgeError as error:
                channel.abort(error, "running")
                while name == "c" and end.now() < 20:  # its process takes a while to end
                    end.poll(1)
                raise

        return play

    ends = net.run({name: job(name) for name in "abc"})
    a, b = ends["a"].error, ends["b"].error
    assert isinstance(a, DataError) and a.party == a.told_by == "c"
    if lost:
        assert isinstance(b, PeerLostError) and b.party == "c" and b.told_by == "a"
        assert b.message == "a says that it lost contact with c, in stage 'running' (peer-lost)"
    else:
        assert isinstance(b, DataError) and b.party == b.told_by == "c"
