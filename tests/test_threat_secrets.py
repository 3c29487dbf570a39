# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Rows 22 and 24: secrets are compared in a time that tells nothing, and are whole."""

from __future__ import annotations

import ast
import contextlib
import gc
import hmac
import statistics
import time
from collections.abc import Callable
from random import Random

from twisted.internet import reactor as global_reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatmux.broker.local import LocalBroker
from chatmux.errors import PeerError
from chatmux.passwords import Argon2Passwords
from chatmux.protocols import multichat
from chatmux.settings import Secret
from tests.documents import ROOT
from tests.doubles import MemoryConnection
from tests.webtalk_doubles import Browser, Webtalk

SAMPLES = 20_000
MOST_T = 4.5
"""Welch's t, above which two means are taken for different."""
SECRETS = ("secret", "salt", "password", "token", "signature", "digest", "admin")
NO_SECRETS = [
    # Where the server starts, and nobody waits for an answer.
    "chatmux/exposure.py: value in EXAMPLE_SECRETS",
    # The names of keys, and of types.
    "chatmux/exposure.py: field.name in door.secrets",
    "chatmux/exposure.py: field.name in door.secrets",
    "chatmux/secrecy.py: Secret in (field.type, *get_args(field.type))",
    "chatmux/secrecy.py: path in secrets",
    # The name under which the store keeps one.
    "chatmux/store/sql.py: SECRET.c.name == name",
    # What every header of the PROXY protocol begins with.
    "chatmux/transports/proxy_header.py: data.startswith(_SIGNATURE)",
    "chatmux/transports/proxy_header.py: _SIGNATURE.startswith(data)",
]
"""What is called like a secret, and is compared as if it were none."""


def names_in(node: ast.AST) -> set[str]:
    """Return the names and attributes of an expression, in lower case."""
    found = set()
    for one in ast.walk(node):
        if isinstance(one, ast.Name):
            found.add(one.id.lower())
        elif isinstance(one, ast.Attribute):
            found.add(one.attr.lower())
    return found


ORDERS = ast.Eq | ast.NotEq | ast.In | ast.NotIn | ast.Lt | ast.LtE | ast.Gt | ast.GtE
METHODS = ("startswith", "endswith", "find", "index", "removeprefix", "__eq__")


def compared(node: ast.AST) -> list[ast.expr]:
    """Return what an expression compares by its letters, if it does so."""
    if isinstance(node, ast.Compare):
        if any(isinstance(op, ORDERS) for op in node.ops):
            sides = [node.left, *node.comparators]
            # Whether it is empty, or how long it is, is no secret.
            if not any(map(is_no_value, sides)):
                return sides
    elif isinstance(node, ast.Match):
        return [node.subject]
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        constant = all(isinstance(one, ast.Constant) for one in node.args)
        if node.func.attr in METHODS and not constant:
            return [node.func.value, *node.args]
    return []


def is_no_value(side: ast.expr) -> bool:
    """Say whether one side of a comparison is a constant, or a length."""
    is_length = isinstance(side, ast.Call) and ast.unparse(side.func) == "len"
    return is_length or isinstance(side, ast.Constant)


def plain_comparisons(source: str) -> list[str]:
    """List where something that is called like a secret is compared by its letters."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = {name for side in compared(node) for name in names_in(side)}
        if any(word in name for name in names for word in SECRETS):
            found.append(ast.unparse(node))
    return found


def welch(one: list[int], other: list[int]) -> float:
    """Return Welch's t of two samples, without their slowest fifth."""
    one, other = (sorted(some)[: len(some) * 4 // 5] for some in (one, other))
    spread = statistics.variance(one) / len(one) + statistics.variance(other) / len(
        other
    )
    return (statistics.fmean(one) - statistics.fmean(other)) / (spread or 1) ** 0.5


Try = tuple[list[bytes], Callable[[bytes], None]]
"""Wrong guesses, of which every other one has a right beginning; and what shows one."""


def times(tried: Try) -> float:
    """Try wrong guesses of both kinds; return Welch's t."""
    shown, try_it = tried
    taken: tuple[list[int], list[int]] = ([], [])
    # In no order that anything could learn.
    numbers = [number % (2 * len(LETTERS)) for number in range(2 * SAMPLES)]
    Random(0).shuffle(numbers)
    gc.collect()
    gc.disable()
    try:
        for number in numbers:
            # A copy, as where one lies in memory is no difference that is meant.
            guess = bytes(memoryview(shown[number]))
            began = time.perf_counter_ns()
            try_it(guess)
            taken[number % 2].append(time.perf_counter_ns() - began)
    finally:
        gc.enable()
    return welch(*taken)


SECRET = "0123456789abcdef" * 4
LETTERS = "ghijklmnopqrstuvwxyz"


def guesses(secret: str) -> list[str]:
    """Return many of each kind."""
    return [
        guess
        for letter in LETTERS
        for guess in (secret[:-1] + letter, letter + secret[1:])
    ]


def multichat_try() -> Try:
    """Return how a wrong secret is shown to multichat."""
    session = multichat.Session(
        MemoryConnection(), LocalBroker(Clock()), Secret(SECRET)
    )
    packets = [
        b'{"action":"register","client-name":"n","secret-key":"%s"}' % guess.encode()
        for guess in guesses(SECRET)
    ]

    def try_it(guess: bytes) -> None:
        with contextlib.suppress(PeerError):
            session.received(guess, False)

    return packets, try_it


def back_end_try() -> Try:
    """Return how it is to webtalk's private port."""
    session = Webtalk(secret=SECRET).new_backend().session
    frames = [b"[auth] " + guess.encode() for guess in guesses(SECRET)]

    def try_it(guess: bytes) -> None:
        with contextlib.suppress(PeerError):
            session.received(guess, True)

    return frames, try_it


def salt_try() -> Try:
    """Return how a wrong salt is to its public one."""
    webtalk = Webtalk()
    user = webtalk.new_users(1)[0]
    session = Browser(webtalk).session
    salt = webtalk.salts[user].decode()
    logins = [b"%d!%s" % (user, guess.encode()) for guess in guesses(salt)]

    def try_it(guess: bytes) -> None:
        with contextlib.suppress(PeerError):
            session.received(guess, False)

    return logins, try_it


TRIES = multichat_try, back_end_try, salt_try


def by_letters(one: bytes, other: bytes) -> bool:
    """Compare as is not to be done."""
    return len(one) == len(other) and all(map(int.__eq__, one, other))


class ComparingTests(SynchronousTestCase):
    def test_no_secret_is_compared_by_its_letters(self) -> None:
        found = [
            f"{file.relative_to(ROOT)}: {place}"
            for file in sorted((ROOT / "chatmux").rglob("*.py"))
            for place in plain_comparisons(file.read_text())
        ]
        self.assertEqual(found, NO_SECRETS)

    def test_comparisons_by_letters_are_seen(self) -> None:
        for source in (
            "guess == self._secret",
            "secret.encode() != shown",
            "token in tokens",
            "shown not in self._salts",
            "password.startswith(guess)",
            "guess.find(user.salt)",
            "admin_token.__eq__(shown)",
            "a < digest < b",
            "match password:\n    case x: pass",
        ):
            self.assertEqual(len(plain_comparisons(source)), 1, source)
        for source in (
            "hmac.compare_digest(guess, secret)",
            "secret is None",
            "len(secret) < least",
            "secret == ''",
            "name == other",
        ):
            self.assertEqual(plain_comparisons(source), [], source)

    def assert_tells_nothing(self, made: Callable[[], Try]) -> None:
        found = []
        for _ in range(5):
            # All anew, so that it lies elsewhere in memory.
            found.append(times(made()))
            if abs(found[-1]) < MOST_T:
                return
        self.fail(f"{made.__name__}: the time tells what of a guess is right: {found}")

    def test_a_right_beginning_takes_as_long_as_a_wrong_one(self) -> None:
        for made in TRIES:
            self.assert_tells_nothing(made)

    def test_a_comparison_by_letters_would_be_found_out(self) -> None:
        self.patch(hmac, "compare_digest", by_letters)
        for made in TRIES:
            self.assertGreater(times(made()), MOST_T, made.__name__)


class PasswordTests(TestCase):
    async def test_every_byte_of_a_password_counts(self) -> None:
        """Behind the 72nd, and behind a NUL, too."""
        passwords = Argon2Passwords(global_reactor, passes=1, memory_kib=64)
        long = "x" * 72
        for right, wrong in (
            (long + "a", long + "b"),
            (long + "a", long),
            ("x" * 1000 + "a", "x" * 1000 + "b"),
            ("half\0one", "half\0two"),
            ("half\0one", "half"),
        ):
            kept = await passwords.hash(right)
            self.assertTrue(await passwords.verify(kept, right))
            self.assertFalse(await passwords.verify(kept, wrong))
        kept = await passwords.hash("caf\u00e9 of eight")
        self.assertTrue(await passwords.verify(kept, "cafe\u0301 of eight"))
        await passwords.close()
