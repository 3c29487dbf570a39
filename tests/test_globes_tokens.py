# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Globes' tokens, and the attacks on such that are known."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.protocols.globes.tokens import Claims, TokenError, Tokens, shown_tokens
from chatmux.text import NAME_LENGTH
from tests.globes_doubles import ROOM

KEY = b"0123456789abcdef0123456789abcdef"
NOW = 1_800_000_000
HOUR, WEEK = 3600, 7 * 24 * 3600
HEAD = {"alg": "HS256", "typ": "JWT"}
CLAIMS = {
    "username": "ann",
    "room_id": 7,
    "exp": NOW + HOUR,
    "iat": NOW,
    "auth": NOW,
    "gen": 3,
}


def part(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(
    head: object = HEAD,
    claims: object = CLAIMS,
    key: bytes = KEY,
    digest: str = "sha256",
    signature: str | None = None,
) -> str:
    """Make a token by hand. Bytes are taken as they are, all else as JSON."""
    both = [
        part(one if isinstance(one, bytes) else json.dumps(one).encode())
        for one in (head, claims)
    ]
    text = ".".join(both)
    if signature is None:
        made = hmac.new(key, text.encode(), getattr(hashlib, digest))
        signature = part(made.digest())
    return f"{text}.{signature}"


def read_by_hand(token: str) -> Any:
    """Return the claims of a token, whatever it is worth."""
    return json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))


def with_head(**changes: object) -> dict[str, object]:
    return {**HEAD, **changes}


def with_claims(**changes: object) -> dict[str, object]:
    return {**CLAIMS, **changes}


def without(claim: str) -> dict[str, object]:
    return {key: value for key, value in CLAIMS.items() if key != claim}


def attacks() -> Iterator[tuple[str, str]]:
    """List tokens that must not be taken, each with what is wrong with it."""
    for none in "none", "None", "nOnE", "NONE", "":
        head = with_head(alg=none)
        yield f"alg {none!r}, no signature", forge(head, signature="")
        yield f"alg {none!r}, signed", forge(head)
    for name, digest in ("HS384", "sha384"), ("HS512", "sha512"):
        yield name, forge(with_head(alg=name), digest=digest)
    for name in "RS256", "ES256", "PS256", "EdDSA", "hs256", "HS256 ":
        yield f"{name}, by the key", forge(with_head(alg=name))
    yield "no alg", forge({"typ": "JWT"})
    for alg in None, ["HS256"], {"HS256": 1}, 256, True:
        yield f"alg {alg!r}", forge(with_head(alg=alg))

    mine = b"a key that the attacker has made"
    symmetric = {"kty": "oct", "k": part(mine), "alg": "HS256"}
    for what, head in (
        ("jwk", with_head(jwk=symmetric)),
        ("jku", with_head(jku="https://attacker.example/keys.json")),
        ("kid", with_head(kid="../../../../dev/null")),
        ("kid of SQL", with_head(kid="x' UNION SELECT 'a key")),
        ("x5u", with_head(x5u="https://attacker.example/chain.pem")),
        ("x5c", with_head(x5c=[part(mine)])),
    ):
        yield f"{what}, another's key", forge(head, key=mine)
        yield f"{what}, an empty key", forge(head, key=b"")
    yield "crit, unknown", forge(with_head(crit=["exam"], exam=1))
    yield "crit, not there", forge(with_head(crit=["exam"]))
    yield "a payload beside it", forge(with_head(b64=False, crit=["b64"]))

    good = forge()
    head_part, claims_part, signature = good.split(".")
    yield "empty signature", forge(signature="")
    yield "cut signature", good[:-2]
    yield "signature of zeros", forge(signature=part(bytes(32)))
    yield "two parts", f"{head_part}.{claims_part}"
    yield "four parts", f"{good}.{signature}"
    yield "five parts, as if encrypted", f"{good}.{signature}.{signature}"
    yield "two tokens", f"{good},{good}"
    yield "a word before it", f"Bearer {good}"
    yield "another key", forge(key=KEY[::-1])
    yield "no key", forge(key=b"")
    yield "head not JSON", forge(b"{")
    yield "head a list", forge([HEAD])
    yield "deep head", forge(b"[" * 2000)

    yield "claims not JSON", forge(claims=b"{")
    yield "claims a list", forge(claims=[CLAIMS])
    yield "claims null", forge(claims=None)
    yield "deep claims", forge(claims=b'{"a":' + b"[" * 2000)
    yield "claims not UTF-8", forge(claims=b"\xff\xfe")
    yield "nested", forge(with_head(cty="JWT"), good.encode())
    yield "nested in quotes", forge(with_head(cty="JWT"), good)
    yield "1 MB", forge(claims=with_claims(more="x" * 1_000_000))
    yield "1 MB of dots", "." * 1_000_000
    for claim in CLAIMS:
        yield f"no {claim}", forge(claims=without(claim))
        yield f"{claim} null", forge(claims=with_claims(**{claim: None}))
    later = NOW + HOUR
    numbers = (f"{later}", later + 0.5, float(later), True, [later], {"at": later}, "x")
    for claim in "room_id", "exp", "auth", "gen":
        for value in numbers:
            yield f"{claim} {value!r}", forge(claims=with_claims(**{claim: value}))
        for word in "NaN", "Infinity", "-Infinity", "1e400", "9" * 4400:
            text = json.dumps(with_claims(**{claim: "@"})).replace('"@"', word)
            yield f"{claim} {word[:9]}", forge(claims=text.encode())
    for who in 7, True, ["ann"], {"name": "ann"}:
        yield f"username {who!r}", forge(claims=with_claims(username=who))
    for exp in NOW, NOW - 1, 0, -1, -(10**20):
        yield f"exp {exp}", forge(claims=with_claims(exp=exp))
    for text in "", ".", "..", "...", "\0", "\u00e9", "\ud800", "x" * 6144, "a.b.c":
        yield f"the text {text[:9]!r}", text


class ReadingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.time = float(NOW)
        self.tokens = Tokens(KEY, lambda: self.time, WEEK)

    def is_good(self, token: str) -> bool:
        try:
            self.tokens.read(token)
        except TokenError:
            return False
        return True

    def test_a_token_says_what_it_was_made_of(self) -> None:
        claims = self.tokens.read(self.tokens.make(ROOM, "ann"))
        self.assertEqual(claims, Claims("ann", 7, NOW + HOUR, NOW, 3))
        self.assertTrue(claims.open(ROOM))

    def test_its_form_is_the_originals_and_what_it_says_more(self) -> None:
        token = self.tokens.make(ROOM, "ann")
        head = urlsafe_b64decode(token.partition(".")[0])
        self.assertEqual(head, b'{"alg":"HS256","typ":"JWT"}')
        self.assertEqual(read_by_hand(token), CLAIMS)

    def test_one_made_by_hand_is_good(self) -> None:
        # Or else the attacks, which are made so, would be refused for another reason.
        self.assertTrue(self.is_good(forge()))
        self.assertTrue(self.is_good(forge(claims=with_claims(more="x" * 1000))))

    def test_no_attack_is_taken(self) -> None:
        taken = [what for what, token in attacks() if self.is_good(token)]
        self.assertEqual(taken, [])

    def test_a_header_that_names_a_key_does_not_choose_it(self) -> None:
        # By the right key it is good, whatever stands there.
        for head in {"kid": "/dev/null"}, {"jwk": {"kty": "oct", "k": ""}}:
            self.assertTrue(self.is_good(forge(with_head(**head))))

    @given(st.text() | st.from_regex(r"\A[\w-]*\.[\w-]*\.[\w-]*\Z"))
    def test_no_text_does_more_than_be_refused(self, text: str) -> None:
        self.assertFalse(self.is_good(text))

    @given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
    def test_no_signed_value_does_more_than_be_refused(self, value: Any) -> None:
        self.assertFalse(self.is_good(forge(claims=value)))
        self.assertFalse(self.is_good(forge(value)))
        for claim in CLAIMS:
            token = forge(claims=with_claims(**{claim: value}))
            free = claim == "iat" or (claim == "username" and isinstance(value, str))
            if not free:
                self.assertFalse(self.is_good(token), claim)

    @given(st.data())
    def test_no_letter_of_what_is_signed_may_change(self, data: st.DataObject) -> None:
        good = self.tokens.make(ROOM, "ann")
        at = data.draw(st.integers(0, good.rindex(".") - 1))
        letter = data.draw(st.characters(max_codepoint=0x7F))
        if letter != good[at]:
            self.assertFalse(self.is_good(good[:at] + letter + good[at + 1 :]))

    def test_the_longest_name_fits(self) -> None:
        for name in (
            "a" * NAME_LENGTH,
            "\u00e9" * NAME_LENGTH,
            "\U0001f600" * NAME_LENGTH,
        ):
            token = self.tokens.make(ROOM, name)
            self.assertEqual(self.tokens.read(token).username, name)

    def test_it_is_for_one_room_and_one_password(self) -> None:
        claims = self.tokens.read(self.tokens.make(ROOM, "ann"))
        self.assertTrue(claims.open(replace(ROOM, title="x", password="y", updated=9)))
        self.assertFalse(claims.open(replace(ROOM, id=8)))
        self.assertFalse(claims.open(replace(ROOM, generation=4)))
        self.assertFalse(claims.open(replace(ROOM, generation=2)))
        self.assertFalse(claims.open(replace(ROOM, id=3, generation=7)))

    def test_another_server_does_not_take_it(self) -> None:
        other = Tokens(KEY[::-1], lambda: self.time, WEEK)
        self.assertRaises(TokenError, other.read, self.tokens.make(ROOM, "ann"))

    def test_a_short_key_is_none(self) -> None:
        self.assertRaises(ValueError, Tokens, KEY[:31], lambda: 0.0, WEEK)
        Tokens(KEY[:32], lambda: 0.0, WEEK)


class TimeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.time = float(NOW)
        self.tokens = Tokens(KEY, lambda: self.time, WEEK)

    def test_it_ends_after_an_hour_to_the_second(self) -> None:
        token = self.tokens.make(ROOM, "ann")
        self.time += HOUR - 0.001
        self.assertEqual(self.tokens.read(token).username, "ann")
        self.time = NOW + HOUR
        self.assertRaises(TokenError, self.tokens.read, token)

    def test_what_is_left_of_it_is_known(self) -> None:
        claims = self.tokens.read(self.tokens.make(ROOM, "ann"))
        self.time += 600.5
        self.assertEqual(self.tokens.seconds_left(claims), HOUR - 600.5)
        self.time += HOUR
        self.assertEqual(self.tokens.seconds_left(claims), 0)

    def test_parts_of_a_second_make_it_no_longer(self) -> None:
        self.time += 0.999
        claims = self.tokens.read(self.tokens.make(ROOM, "ann"))
        self.assertEqual((claims.authenticated, claims.expires), (NOW, NOW + HOUR))

    def test_a_renewal_keeps_the_time_of_the_password(self) -> None:
        self.time += 600
        token = self.tokens.make(ROOM, "ann", NOW)
        claims = self.tokens.read(token)
        self.assertEqual(claims.authenticated, NOW)
        self.assertEqual(claims.expires, NOW + 600 + HOUR)
        self.assertEqual(read_by_hand(token)["iat"], NOW + 600)

    def test_renewals_have_an_end(self) -> None:
        token = self.tokens.make(ROOM, "ann")
        ends = []
        while self.time < NOW + WEEK - HOUR:
            self.time += HOUR - 1
            claims = self.tokens.read(token)
            token = self.tokens.make(ROOM, "ann", claims.authenticated)
            ends.append(self.tokens.read(token).expires)
        self.assertEqual(max(ends), NOW + WEEK)
        self.assertEqual(ends[-1], NOW + WEEK)
        self.time = NOW + WEEK - 0.5
        self.tokens.read(token)
        self.time = NOW + WEEK
        self.assertRaises(TokenError, self.tokens.read, token)
        self.assertRaises(TokenError, self.tokens.make, ROOM, "ann", NOW)

    def test_a_login_may_be_shorter_than_a_token(self) -> None:
        tokens = Tokens(KEY, lambda: self.time, 10.5)
        claims = tokens.read(tokens.make(ROOM, "ann"))
        self.assertEqual(claims.expires, NOW + 10)


class ShowingTests(SynchronousTestCase):
    def test_it_stands_bare_or_behind_any_word(self) -> None:
        for text in "T", "Bearer T", "bearer T", "Token T", "JWT  T", " T ", "a b T":
            self.assertEqual(shown_tokens({"authorization": text}), ["T"], text)

    def test_it_may_be_a_subprotocol(self) -> None:
        for text, shown in (
            ("T", ["T"]),
            ("T, chat", ["T", "chat"]),
            (" a ,b,, c", ["a", "b"]),
            (",", []),
            ("a,b,c,d,e", ["a", "b", "c"]),
            ("a," * 100_000, ["a", "a", "a"]),
        ):
            headers = {"sec-websocket-protocol": text}
            self.assertEqual(shown_tokens(headers), shown, text[:20])

    def test_both_are_looked_at(self) -> None:
        both = {"authorization": "Bearer A", "sec-websocket-protocol": "B, C"}
        self.assertEqual(shown_tokens(both), ["A", "B", "C"])
        self.assertEqual(shown_tokens({**both, "authorization": " "}), ["B", "C"])

    def test_there_may_be_none(self) -> None:
        self.assertEqual(shown_tokens({}), [])
        self.assertEqual(shown_tokens({"cookie": "T", "token": "T"}), [])
