"""A party's contact with its peers: who is missing, since when, and the likely reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

from mpc.errors import DisagreementError, PeerLostError, ProtocolError
from mpc.links.network import (
    Connected,
    Disconnected,
    Event,
    Overfull,
    Overlong,
    Refused,
    Stranger,
    Unanswered,
    Unshaken,
)
from mpc.links.refusals import Refusals
from mpc.links.waiting import Sign, Wait, cause, lost_behind

Say = Callable[[str], None]

_NOTICE_SECONDS = 5.0
_LOST_LOOK_SECONDS = 0.25
_SUSPICIOUS = 3  # handshakes that failed one after another


class Contact:
    """The state of the connections with all peers. No socket, no clock: each call takes the time.

    Args:
        me: this party's name.
        peers: the others.
        patience: seconds for which a lost contact may last.
        started: now.
        say: takes lines for the log.
    """

    def __init__(self, me: str, peers: Iterable[str], patience: float, started: float, say: Say) -> None:
        self._me = me
        self._peers = set(peers)
        self._patience = patience
        self._say = say
        self._met: set[str] = set()
        self.down: dict[str, float] = {}  # with whom contact is lost, and since when
        self._done: set[str] = set()
        self._signs: dict[str, Sign] = {}  # what each peer said last of whom it waits for
        self._said: dict[str, float] = {}  # when it did
        self._some_lost = False  # whether one of them has lost contact
        self._went_on: dict[str, float] = {}  # when it was last heard to be in a later round than before
        self._refusals = Refusals()
        self._broken_off: Counter[str | None] = Counter()  # handshakes that failed, by whom we dialled
        self._unanswered: set[str] = set()  # peers at whose address nobody answers
        self._told_broken: set[str] = set()
        self._started = self._noticed = started

    def met(self, peer: str) -> None:
        """Note that a frame of the peer's, of this run, came."""
        self._met.add(peer)

    @property
    def complete(self) -> bool:
        """Whether all peers have been met."""
        return self._met >= self._peers

    def dismiss(self, peer: str) -> None:
        """Note that the peer's leaving is no loss from now on."""
        self._done.add(peer)
        self.down.pop(peer, None)

    def is_dismissed(self, peer: str) -> bool:
        """Whether the peer needs nothing more."""
        return peer in self._done

    def down_among(self, peers: Iterable[str]) -> frozenset[str]:
        """The ones of these peers with which contact is lost."""
        return frozenset(self.down).intersection(peers)

    def take_sign(self, peer: str, sign: Sign, now: float, most_rounds: int) -> None:
        """Take a peer's sign, which says whom it waits for; a round beyond the last possible one is not believed."""
        last = self._signs.get(peer, Sign())
        if last.rounds < sign.rounds <= most_rounds:
            self._went_on[peer] = now
        self._signs[peer], self._said[peer] = sign, now
        self._some_lost = any(sign.lost for sign in self._signs.values())

    def hear(self, event: Event, now: float) -> None:
        """Take news of a connection.

        Raises:
            DisagreementError: a peer does not admit this party's key.
            ProtocolError: a peer sends a longer message than it may.
        """
        match event:
            case Connected(peer):
                self._broken_off.pop(peer, None)
                self._unanswered.discard(peer)
                if self.down.pop(peer, None) is not None:
                    self._say(f"in contact with {peer} again")
            case Disconnected(peer):
                if peer in self._met and peer not in self.down and peer not in self._done:
                    self.down[peer] = now
                    self._say(f"lost contact with {peer}; waiting up to {self._patience:g} s")
            case Refused(peer):
                raise DisagreementError(
                    f"{peer} refuses this party's key, or is not the one the scenario names",
                    f"compare the public keys of {self._me} and {peer} in both scenario files",
                    party=peer,
                )
            case Overlong(peer):
                raise ProtocolError(
                    f"{peer} sends a message that is longer than any that is due from it",
                    "the parties may run different versions",
                    party=peer,
                )
            case Overfull(peer):
                raise ProtocolError(
                    f"{peer} sends more than is taken, and its connection was shut",
                    f"no run needs so much: see what runs as {peer}",
                    party=peer,
                )
            case Unanswered(peer):
                self._unanswered.add(peer)
            case Unshaken(None, address):
                self._broken_off[None] += 1
                self._say_if_new(self._refusals.broken(address))
            case Unshaken(str(peer)):
                self._unanswered.discard(peer)
                self._broken_off[peer] += 1
                if peer not in self._told_broken:
                    self._told_broken.add(peer)
                    self._say(f"the handshake with {peer} broke off, and nothing of it was taken in")
            case Stranger(key, address):
                self._say_if_new(self._refusals.stranger(key, address))

    def _say_if_new(self, text: str) -> None:
        if text:
            self._say(text)

    def check(self, now: float, wait: Wait, missing: set[str]) -> float:
        """Check whether to go on waiting for these; says now and then who has not come yet.

        Returns:
            In how many seconds, at most, to call this again.

        Raises:
            PeerLostError: a peer was lost for longer than the patience, or the deadline is over.
        """
        for peer, since in self.down.items():
            if now - since > self._patience:
                raise self._lost(peer, wait.label)
        paused = (bool(self.down) and not self.down.keys().isdisjoint(missing)) or (
            self._some_lost and lost_behind(missing, self._signs)
        )
        if not wait.look(now, paused=paused):
            raise self._late(missing, wait)
        if now - self._noticed > _NOTICE_SECONDS and (unmet := sorted(missing - self._met)):
            self._noticed = now
            why = self._suspicion()
            self._say(f"waiting for {', '.join(unmet)} since {now - self._started:.0f} s{'; ' if why else ''}{why}")
        return min(wait.end - now, _LOST_LOOK_SECONDS if self.down else _NOTICE_SECONDS)

    def check_progress(self, now: float, wait: Wait, missing: set[str], seconds: float) -> None:
        """Check that all of these made progress within so many seconds, or that this wait began less long ago.

        Raises:
            PeerLostError: one did not.
        """
        for peer in sorted(missing):
            if now - max(wait.began, self._went_on.get(peer, 0.0)) > seconds:
                raise PeerLostError(
                    f"{peer} did not go on for {seconds:g} s, and is waited for in '{wait.label}'",
                    f"see the log of {peer}; a longer `deadline` gives all owners more time to compute",
                    party=peer,
                )

    def _lost(self, peer: str, label: str) -> PeerLostError:
        down = ", ".join(sorted(self.down))
        return PeerLostError(
            f"lost contact with {down} for more than {self._patience:g} s, in '{label}'",
            f"see whether {down} still runs, and its log"
            if len(self.down) == 1
            else "see whether they still run, and whether this machine's own network does",
            party=peer,
        )

    def _late(self, missing: set[str], wait: Wait) -> PeerLostError:
        if missing <= self._met:
            return self.kept_waiting(missing, wait)
        peer = min(missing - self._met)
        return PeerLostError(
            f"{', '.join(sorted(missing - self._met))} did not connect in time",
            self._suspicion() or "start every party, and check their addresses and firewalls",
            party=peer,
        )

    def kept_waiting(self, missing: set[str], wait: Wait, given_up_by: str | None = None) -> PeerLostError:
        """The error where these did not answer; it names the party that keeps them waiting, as far as they say.

        Args:
            given_up_by: the peer that gave up waiting for this party, where that ends the wait.
        """
        fresh = {peer: sign for peer, sign in self._signs.items() if self._said[peer] >= wait.began}
        peer, says = cause(missing, fresh, self._me)
        until = "in time" if given_up_by is None else f"until {given_up_by} said that it gave up waiting for {self._me}"
        if says is None:
            return PeerLostError(
                f"{peer} did not answer in '{wait.label}' {until}",
                f"see the log of {peer}" if given_up_by is None else f"see the logs of {peer} and {given_up_by}",
                party=peer,
                told_by=given_up_by,
            )
        late = ", ".join(sorted(missing))
        return PeerLostError(
            f"{late} did not answer in '{wait.label}' {until}: {says} says that it waits for {peer}",
            f"see the logs of {peer} and {says}",
            party=peer,
            told_by=says,
        )

    def _suspicion(self) -> str:
        """The likely reason where peers cannot be reached, or handshakes fail again and again; else empty."""
        if self._unanswered - self._met:
            absent = ", ".join(sorted(self._unanswered - self._met))
            return (
                f"nobody answers at the address of {absent}: see whether it is started and its address is right, and "
                f"let {self._me} in through its firewall"
            )
        for peer, count in self._broken_off.items():
            if count < _SUSPICIOUS or peer in self._met:
                continue
            if peer is None:
                return (
                    "connections to this party's port end before they are authenticated: they are of strangers, or of "
                    f"a peer whose scenario has another public_key of {self._me}"
                )
            return (
                f"what listens at the address of {peer} breaks off every handshake: see whether it is {peer}, and "
                f"compare its public_key in both scenario files"
            )
        return ""
