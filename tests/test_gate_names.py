# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Nobody passes for a member of a bridge by a name that looks like the member's."""

from __future__ import annotations

import json
import re
import socket
import unicodedata
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from chatmux.broker.presence import Presence
from chatmux.errors import NameTakenError, PeerError
from chatmux.model import Member
from chatmux.protocols import machat, multichat
from chatmux.protocols.globes.rooms import LiveRoom
from chatmux.protocols.globes.session import Session
from chatmux.settings import Secret
from chatmux.text import likeness, name_fault
from tests.doors import MachatSocket, Relay, Terminal
from tests.doubles import MemoryConnection
from tests.globes_doubles import ROOM, Peer, new_lock
from tests.globes_server import CONFIG, GlobesTestCase
from tests.webtalk_doubles import Webtalk

NAME = "Jacob"
ALIKE = {
    "the same": "Jacob",
    "another case": "jACOB",
    "wide letters": "\uff2a\uff41\uff43\uff4f\uff42",
    "a letter of no width": "Ja\u200bcob",
    "a joiner": "Jaco\u200db",
    "a soft hyphen": "Ja\u00adcob",
    "a selector": "Jacob\ufe0f",
    "a tag": "Jacob\U000e0041",
    "Cyrillic letters": "\u0408\u0430\u0441\u043e\u0432",
    "a Greek letter": "Jac\u03bfb",
    "a bold Greek letter": "J\U0001d6c2cob",
    "a blank behind": "Jacob ",
    "blanks": "  Jacob  ",
    "a blank that does not break": "Jacob\u00a0",
    "a blank of Braille": "Jacob\u2800",
}
FORGED = {
    "an override": "Jacob\u202e",
    "a mark of direction": "\u200eJacob",
    "a line break": "Jacob\n",
}
"""Names that nobody may have."""

_LETTERS = "a A \u0430 \uff41 e\u0301 \u00e9 \u03ac \u00e1 i \u0131 b"
_MARKS = "\u200b \ufe0f \u2800 \u0307 \u0301 \u00a0"
pieces = st.sampled_from([*_LETTERS.split(" "), *_MARKS.split(" "), " "])
names = st.lists(pieces, max_size=4).map("".join)


class NamesCase(SynchronousTestCase):
    """A bridge of all protocols."""

    def setUp(self) -> None:
        self.begin()

    def begin(self) -> None:
        self.webtalk = Webtalk(
            bridges=[["multichat", "machat/a", "webtalk/1", "globes/7"]], sender=NAME
        )
        self.clock, self.broker = self.webtalk.clock, self.webtalk.broker

    def globes(self, name: str, with_token: bool = False) -> str | None:
        """Join by Globes; return why it cannot be."""
        room = LiveRoom(ROOM if with_token else replace(ROOM, password=""), new_lock())
        entry = self.broker.enter("globes/7", "globes")
        username = name if with_token else None
        self.peer = Peer(
            lambda connection: Session(
                connection, self.broker, entry, room, username, self.clock, None
            ),
            self.clock,
        )
        self.peer.say("join", "anything" if with_token else name)
        answers = [one for one in self.peer.hear() if one["event_type"] == "error"]
        return answers[0]["msg"] if answers else None

    def by_token(self, name: str) -> str | None:
        return self.globes(name, with_token=True)

    def machat(self, name: str) -> str | None:
        connection = MemoryConnection()
        session = machat.Session(connection, self.broker, "machat/")
        try:
            session.opening(json.dumps({"name": name, "room": "a"}).encode())
        except PeerError as error:
            # What is raised is the close; the line says the same.
            self.assertEqual(error.close.code, 1008)
            self.assertEqual(connection.take().decode(), f"error: {error}\n")
            session.closed()
            return str(error)
        return None

    def multichat(self, name: str) -> multichat.Session:
        session = multichat.Session(MemoryConnection(), self.broker, Secret("s3cret"))
        packet = {"action": "register", "client-name": name, "secret-key": "s3cret"}
        session.received(json.dumps(packet).encode(), False)
        return session

    def owners(self) -> list[str]:
        present = self.broker.present("globes/7", "globes")
        return [one.name for one in present if one.origin in ("machat", "globes")]


class NamesTests(NamesCase):
    def test_a_name_that_looks_like_a_members_is_taken_at_every_door(self) -> None:
        doors = self.machat, self.globes, self.by_token
        for first in doors:
            for how, name in ALIKE.items():
                self.begin()
                self.assertIsNone(first(NAME))
                for second in doors:
                    why = second(name)
                    self.assertEqual(why, f"the name {NAME} is taken", how)
                self.assertEqual(self.owners(), [NAME])

    def test_it_is_the_first_who_has_it_however_it_is_written(self) -> None:
        for how, name in ALIKE.items():
            self.begin()
            self.assertIsNone(self.machat(name))
            self.assertEqual(self.globes(NAME), f"the name {name} is taken", how)
            self.assertIsNone(self.globes("Esau"))

    def test_names_that_could_forge_are_nobodys(self) -> None:
        for how, name in FORGED.items():
            for door in self.machat, self.globes:
                self.assertIn("must not have a control", str(door(name)), how)
        self.assertEqual(self.owners(), [])

    def test_a_free_name_is_shown_as_another_while_a_member_has_it(self) -> None:
        for how, name in ALIKE.items():
            self.begin()
            self.globes(NAME)
            self.multichat(name).received(
                b'{"action":"client-message","content":"it is me"}', False
            )
            [joined, said] = self.peer.words()
            for _, shown, _ in joined, said:
                self.assertEqual(shown, f"{name} (multichat)", how)
                self.assertNotEqual(likeness(shown), likeness(NAME))

    def test_the_back_end_of_webtalk_passes_for_no_member(self) -> None:
        self.globes(ALIKE["Cyrillic letters"])
        self.webtalk.new_browser()
        self.webtalk.say(b"[shout] 1!it is me")
        heard = [(name, text) for _, name, text in self.peer.words()]
        self.assertEqual(heard[-1], ("Jacob (webtalk)", "it is me"))

    def test_nobody_passes_for_the_line_that_says_no(self) -> None:
        for name in (
            "error",
            "ERROR",
            "err\u043er",
            "e\u200brror",
            " error",
            "error\u2800",
        ):
            self.assertRegex(str(self.machat(name)), "the name must not be")
        self.globes("watch")
        self.multichat("\u0435rror")
        connection = MemoryConnection()
        session = machat.Session(connection, self.broker, "machat/")
        session.opening(b'{"name":"x","room":"a"}')
        self.multichat("err\u043er").received(
            b'{"action":"client-message","content":"the name x is taken"}', False
        )
        self.clock.advance(0)
        line = connection.take().decode()
        self.assertNotEqual(likeness(line.partition(":")[0]), "error")

    def test_a_name_is_free_again_when_its_owner_has_left(self) -> None:
        self.globes(NAME)
        first = self.peer
        self.assertIsNotNone(self.machat(ALIKE["a joiner"]))
        first.lose()
        self.assertIsNone(self.machat(ALIKE["a joiner"]))
        self.assertIsNotNone(self.globes(NAME))


class LikenessTests(SynchronousTestCase):
    def test_accents_do_not_tell_look_alikes_apart(self) -> None:
        for one, other in (
            ("\u00eb", "\u0451"),
            ("\u00e1", "\u03ac"),
            ("\u00ef", "\u0457"),
            ("i", "i\u0307"),
            ("I", "\u0130"),
            ("j", "\u0237\u0307"),
            ("g", "\u0261"),
        ):
            self.assertEqual(likeness(one), likeness(other), ascii((one, other)))
        for one, other in ("\u0439", "\u0438"), ("\u00e9", "e"), ("i", "\u00ec"):
            self.assertNotEqual(likeness(one), likeness(other), ascii((one, other)))

    def test_what_is_not_to_be_seen_tells_nobody_apart(self) -> None:
        # But for marks before numbers, which are seen, and for direction, which is
        # nothing that a name may have.
        visible = "ARABIC|SYRIAC|KAITHI|EMBEDDING|OVERRIDE|POP DIRECTIONAL FORMATTING"
        for character in map(chr, range(0x110000)):
            if unicodedata.category(character) != "Cf":
                continue
            if re.match(f"(.* )?({visible})", unicodedata.name(character, "")):
                continue
            self.assertEqual(likeness(f"a{character}b"), "ab", ascii(character))

    @given(names)
    def test_a_likeness_is_its_own(self, name: str) -> None:
        self.assertEqual(likeness(likeness(name)), likeness(name))

    @given(
        st.lists(
            st.tuples(st.integers(1, 8), st.none() | st.tuples(names, st.booleans())),
            max_size=40,
        )
    )
    def test_no_two_owners_ever_look_alike(
        self, steps: list[tuple[int, tuple[str, bool] | None]]
    ) -> None:
        """Whoever joins and leaves; and who shares a name is shown as no owner is."""
        presence = Presence()
        for source, coming in steps:
            if coming is None:
                presence.leave(source)
                continue
            name, owns = coming
            if name_fault(name) is not None:
                continue
            member = Member(name, "machat" if owns else "multichat", source, owns)
            owners = [one for one in presence.members() if one.origin == "machat"]
            try:
                presence.join(member, 0.0)
            except NameTakenError as error:
                self.assertTrue(owns)
                self.assertEqual(likeness(error.holder.name), likeness(name))
                self.assertIn(error.holder.name, [one.name for one in owners])
            here = presence.members()
            likes = [likeness(one.name) for one in here if one.origin == "machat"]
            self.assertEqual(len(likes), len(set(likes)))
            for one in here:
                if one.origin == "multichat":
                    self.assertNotIn(likeness(one.name), likes)
        for source in range(1, 9):
            presence.leave(source)
        self.assertEqual(presence.members(), [])
        presence.join(Member("a", "machat", 1), 0.0)


class SocketTests(GlobesTestCase):
    def test_machat_closes_who_comes_by_a_name_that_looks_like_anothers(self) -> None:
        server = self.serve(
            {
                **CONFIG,
                "multichat": {"host": "127.0.0.1:0", "secret-key": "s3cret"},
                "machat": {"tcp": "127.0.0.1:0", "ws": "127.0.0.1:0"},
                "bridges": [["globes/1", "machat/a", "multichat"]],
            }
        )
        globes, lines, messages, relays = server.ports(
            "globes.address", "machat.tcp", "machat.ws", "multichat.host"
        )
        self.member(globes, 1, name=NAME)
        relay = Relay(relays, NAME, "s3cret")
        self.addCleanup(relay.close)
        relay.settle()
        for how, name in ALIKE.items():
            hello = {"name": name, "room": "a"}
            terminal = Terminal(lines, hello)
            refusal = f"error: the name {NAME} is taken\n"
            # To its end, which the server makes.
            self.assertEqual(terminal.heard("\0"), refusal, how)
            self.assertEqual(self.rest_of(terminal.socket), b"")
            terminal.close()
            browser = MachatSocket(messages, hello)
            self.assertEqual(browser.heard("\0"), refusal + "\n", how)
            self.assertEqual(browser.close_code, 1008)
            browser.close()
        users = self.rest(server).ask("GET", "/chats/1").json["users"]
        names = [user["username"] for user in users]
        self.assertEqual(names, [NAME, f"{NAME} (multichat)"])

    def rest_of(self, one: socket.socket) -> bytes:
        try:
            return one.recv(1)
        except ConnectionError:
            return b""
