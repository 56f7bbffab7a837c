"""Attacks on grants: forged, extended, cut, spliced and oversized tokens; each is refused, none is a crash."""

from __future__ import annotations

from collections.abc import Callable

import biscuit_auth as biscuit
import pytest

from interlock.artifact.action import Effect
from interlock.artifact.errors import GrantError
from interlock.artifact.grant import (
    MAX_TOKEN,
    GrantClaims,
    GrantedStep,
    GrantRequest,
    attenuate,
    authorise,
    mint,
    public_key,
)
from interlock.artifact.resources import Touched

SEED, ATTACKER = bytes(range(32)), bytes(range(7, 39))
PUBLIC = public_key(SEED)
PLAN, MANIFEST = "1" * 64, "2" * 64
GRANTED = Touched(kind="file", name="/w/a", access=Effect.READ)
WANTED = Touched(kind="file", name="/etc/shadow", access=Effect.READ)
CLAIMS = GrantClaims(
    plan=PLAN,
    task="t",
    steps=(GrantedStep(step="s1", iterations=1, action="a@1", manifest=MANIFEST, resources=(GRANTED,)),),
    not_before=1000,
    expires_at=2000,
)
TOKEN = mint(SEED, CLAIMS)
HONEST = GrantRequest(plan=PLAN, step="s1", iteration=0, action="a@1", manifest=MANIFEST, resources=(GRANTED,))
GREEDY = GrantRequest(plan=PLAN, step="s1", iteration=0, action="a@1", manifest=MANIFEST, resources=(WANTED,))


def appended(*sources: str) -> bytes:
    token = biscuit.Biscuit.from_bytes(TOKEN, biscuit.PublicKey(f"ed25519/{PUBLIC.hex()}"))
    for source in sources:
        token = token.append(biscuit.BlockBuilder(source))
    return bytes(token.to_bytes())


def third_party() -> bytes:
    token = biscuit.Biscuit.from_bytes(TOKEN, biscuit.PublicKey(f"ed25519/{PUBLIC.hex()}"))
    key = biscuit.PrivateKey(f"ed25519-private/{ATTACKER.hex()}")
    block = token.third_party_request().create_block(
        key, biscuit.BlockBuilder('resource("s1", "file", "/etc/shadow", "read")')
    )
    return bytes(token.append_third_party(biscuit.KeyPair.from_private_key(key).public_key, block).to_bytes())


TOKENS: dict[str, Callable[[], bytes]] = {
    "a fact for the resource": lambda: appended('resource("s1", "file", "/etc/shadow", "read")'),
    "a fact for any resource": lambda: appended('any_resource("s1", "file", "read")'),
    "a rule that derives the resource": lambda: appended(
        'resource("s1", "file", "/etc/shadow", "read") <- step("s1", $n, $a, $m)'
    ),
    "a rule in the authority's name": lambda: appended(
        'resource("s1", "file", "/etc/shadow", "read") <- step("s1", $n, $a, $m) trusting authority'
    ),
    "a longer validity": lambda: appended("valid(0, 9000000000000)"),
    "a third party's block": third_party,
    "minted under the attacker's key": lambda: mint(ATTACKER, CLAIMS),
    "nothing at all": lambda: b"",
    "the tail cut off": lambda: TOKEN[:-1],
    "half of it": lambda: TOKEN[: len(TOKEN) // 2],
    "a byte more": lambda: TOKEN + b"\0",
    "two tokens": lambda: TOKEN + TOKEN,
    "another encoding": lambda: TOKEN.hex().encode(),
    "too many blocks": lambda: appended("check if true", "check if true", "check if true", "check if true"),
    "too large": lambda: b"\x12" * (MAX_TOKEN + 1),
}


@pytest.mark.parametrize("name", TOKENS)
def test_no_token_of_an_attacker_grants_more(name: str) -> None:
    with pytest.raises(GrantError):
        authorise(TOKENS[name](), PUBLIC, GREEDY, 1500)
    with pytest.raises(GrantError):
        authorise(TOKENS[name](), PUBLIC, GREEDY, 5000)


def test_the_attacks_are_refused_for_what_they_add_and_not_by_accident() -> None:
    authorise(appended('resource("s1", "file", "/etc/shadow", "read")'), PUBLIC, HONEST, 1500)
    authorise(third_party(), PUBLIC, HONEST, 1500)
    with pytest.raises(GrantError, match=r"grant\.resource"):
        authorise(third_party(), PUBLIC, GREEDY, 1500)


def test_a_token_does_not_verify_under_the_key_that_it_brings() -> None:
    """The trap: the verifier takes the public key from the token."""
    forged = mint(ATTACKER, CLAIMS)
    authorise(forged, public_key(ATTACKER), HONEST, 1500)
    with pytest.raises(GrantError, match=r"grant\.untrusted"):
        authorise(forged, PUBLIC, HONEST, 1500)


def test_a_block_that_computes_without_end_is_refused() -> None:
    many = "; ".join(f"n({number})" for number in range(90))
    with pytest.raises(GrantError):
        authorise(appended(f"{many}; p($a, $b, $c) <- n($a), n($b), n($c)"), PUBLIC, HONEST, 1500)


def test_a_later_block_cannot_lift_an_earlier_one() -> None:
    narrow = attenuate(TOKEN, PUBLIC, "s1", 0, ())
    parsed = biscuit.Biscuit.from_bytes(narrow, biscuit.PublicKey(f"ed25519/{PUBLIC.hex()}"))
    lifted = bytes(parsed.append(biscuit.BlockBuilder('request("s1", 0); requested("file read /w/a")')).to_bytes())
    with pytest.raises(GrantError, match=r"grant\.attenuated"):
        authorise(lifted, PUBLIC, HONEST, 1500)


def test_no_flipped_bit_passes_or_crashes() -> None:
    for position in range(0, len(TOKEN), 3):
        flipped = bytearray(TOKEN)
        flipped[position] ^= 1 << (position % 8)
        with pytest.raises(GrantError):
            authorise(bytes(flipped), PUBLIC, GREEDY, 1500)
