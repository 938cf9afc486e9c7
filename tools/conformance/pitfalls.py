"""The pitfalls that mpcsec.org collects (rot256/mpc-pitfalls): what each is here and what finds it, or why nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SOURCE: Final = "https://github.com/rot256/mpc-pitfalls/blob/main/content"


@dataclass(frozen=True)
class Pitfall:
    """A pitfall, by its page's name.

    Args:
        here: what it would be in additive sharing with a helper, a secure sum or a session; or why it cannot be.
        planted: keys of `PLANTED`, which the kit catches.
        mutants: names of bugs in `tests/mutants.diff`, each with the test that finds it.
    """

    slug: str
    here: str
    planted: tuple[str, ...] = ()
    mutants: tuple[str, ...] = ()

    @property
    def applies(self) -> bool:
        return bool(self.planted or self.mutants)


PITFALLS: Final = (
    # -- what applies
    Pitfall("presignature-reuse", "a mask that covers two values", ("mask reused", "mask of another session")),
    Pitfall(
        "low-entropy-randomness",
        "masks with fewer random bits than they cover",
        ("32-bit mask", "one bit in eight"),
        ("mask-top-bit", "zero-sign", "low-half-mask"),
    ),
    Pitfall(
        "multicast-as-broadcast", "peers that are told different values", ("two stories",), ("consistency-threshold",)
    ),
    Pitfall(
        "wrong-length-sequence",
        "a message longer or shorter than planned",
        ("length follows data",),
        ("correction-not-last", "blob-limit", "lengths-unchecked"),
    ),
    Pitfall(
        "selective-abort-attacks-ot",
        "a run whose end, or the text of it, tells a secret",
        ("ends for some", "text follows data"),
        ("value-in-error",),
    ),
    Pitfall("unpropagated-abort", "a party that goes on after a peer gave up", (), ("abort-swallowed",)),
    Pitfall(
        "unauthenticated-p2p-channel",
        "a link that takes anyone's frames",
        (),
        ("any-key-admitted", "route-id", "tag-truncated-compare"),
    ),
    Pitfall(
        "missing-ssid-and-pid",
        "keys that hold in another session, or for another party",
        (),
        ("attempt-unbound", "same-tag-key-both-ways"),
    ),
    Pitfall(
        "missing-ssid-in-challenge",
        "masks or digests that are those of another session",
        (),
        ("pair-mask-context", "names-unkeyed"),
    ),
    Pitfall(
        "missing-pid-in-challenge", "a frame that can be turned back on its sender", (), ("same-tag-key-both-ways",)
    ),
    Pitfall(
        "late-ssid-mismatch",
        "parties with other plans that find out late",
        (),
        ("helper-plan-unchecked", "constants-unchecked", "plan-digest-without-reveals"),
    ),
    Pitfall("missing-signing-context-tag", "a signature that is of another attempt's keys", (), ("attempt-unbound",)),
    Pitfall("hash-reuse-without-ds", "one key for two purposes", (), ("hash-key-separation",)),
    Pitfall("ambiguous-hash-encoding", "two lists with one digest", (), ("session-id-unprefixed", "digest-order")),
    Pitfall("unprefixed-list-hash", "names and nonces that run into each other", (), ("session-id-unprefixed",)),
    Pitfall(
        "low-entropy-witness", "digests of names that can be guessed", (), ("names-unkeyed", "names-key-to-helper")
    ),
    Pitfall(
        "commitment-copying",
        "a commitment (to a self mask's seed, the attempt and the client's key) that is not opened",
        (),
        ("seed-commitment",),
    ),
    Pitfall(
        "missing-on-curve-check", "a point that is none of the curve (small sums, on Curve25519)", (), ("twist-points",)
    ),
    Pitfall(
        "missing-subgroup-check",
        "a key of small order, with which every key gives one secret",
        (),
        ("small-order-key",),
    ),
    Pitfall(
        "duplicate-indices", "a client that is named twice, with Shamir's shares of a secure sum", (), ("named-twice",)
    ),
    Pitfall(
        "vacuous-empty-list",
        "too few answers that pass as enough",
        (),
        ("consistency-threshold", "quorum", "range-check-last-chunk"),
    ),
    Pitfall(
        "unchecked-commitment-length",
        "a polynomial of another degree than agreed",
        (),
        ("shamir-degree", "shamir-degree-from-3"),
    ),
    Pitfall("unreduced-input", "a coefficient that is drawn outside the field", (), ("shamir-no-rejection",)),
    Pitfall("reduced-iteration-count", "fewer holders than the bound of security asks for", (), ("security-bound",)),
    # -- what does not
    Pitfall("concurrent-blind-schnorr-ros", "No blind signatures are made."),
    Pitfall("concurrent-spdz-mac-check", "No shares carry MACs: parties follow the protocol."),
    Pitfall(
        "hash-length-extension", "No secret is hashed before a message: keys come from HKDF, tags from keyed functions."
    ),
    Pitfall("low-order-dln-bases", "No discrete logarithms modulo a composite are proved."),
    Pitfall("missing-generator-order-check", "No group has a generator that a party chooses."),
    Pitfall("non-safe-prime-modulus", "No group modulo a prime that a party chooses."),
    Pitfall(
        "panic-instead-of-abort",
        "A peer's wrong message ends in a `ProtocolError` that names the peer: `tests/links/hostile/test_listed.py`.",
    ),
    Pitfall(
        "party-index-non-zero-and-duplicate",
        "Shamir's points are places in the settings' list plus 1, not numbers that a party sends.",
    ),
    Pitfall("party-index-zero-mod-q", "As above: fewer clients than the prime, counted from 1."),
    Pitfall("wrong-domain-zero-check", "As above: no point is read from a message."),
    Pitfall("rogue-key-attack", "Keys are not added up: each pair agrees on a secret of its own."),
    Pitfall(
        "opaque-ot-abort", "As for `panic-instead-of-abort`: errors have classes, exit codes and the party's name."
    ),
    Pitfall("small-d-wiener-bound", "No RSA."),
    Pitfall("smooth-paillier-modulus", "No Paillier encryption."),
    Pitfall(
        "try-and-increment-hash-to-curve",
        "It applies, and no test finds it: the rule for small sums hashes so, in a time that depends on the"
        " number, and goes into that of a batch of cells.",
    ),
    Pitfall("uncleared-cofactor", "X25519's exponents are multiples of the cofactor."),
    Pitfall("unvalidated-generator", "The base point is the standard's."),
    Pitfall("weak-fiat-shamir-transcript", "No proofs are made."),
)

BUGS: Final[dict[str, str]] = {
    "mp-spdz-fkos15-randomization": "`one bit in eight`",
    "blockdaemon-builder-vault-presignature": "`mask reused`",
    "gg18-resharing-split-view": "`two stories`; in a secure sum, `consistency-threshold`",
    "axelar-tofnd-from-field": "`route-id`",
    "coinbase-kryptology-gg20-dkg": "`any-key-admitted`",
    "wsts-threshold-raise": "`lengths-unchecked`",
    "tss-lib-shamir-validation": "`named-twice`",
    "lindell17-abort-handling": "`ends for some`",
}
"""Of the bugs that the same pages collect, those that have their like here, and what finds it."""
