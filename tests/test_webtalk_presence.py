# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's users on the channels of bridges: who sees them come and go."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from chatmux.model import Member, Publication
from chatmux.protocols.webtalk.messages import encode
from tests.doubles import MemoryConnection
from tests.presence_contract import said, told
from tests.webtalk_doubles import Webtalk

CAME = b"webtalk 1:,event=join;"
WENT = b"webtalk 1:,event=leave;"


class PresenceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.begin()

    def begin(self, absent_seconds: float = 0) -> None:
        self.webtalk = Webtalk(
            bridges=[["multichat", "webtalk/1"], ["machat/a", "webtalk/2"]],
            absent_seconds=absent_seconds,
        )
        self.broker = self.webtalk.broker
        self.watcher = MemoryConnection()
        self.broker.subscribe("multichat", self.watcher, told, presence=True)

    def names(self, channel: str = "multichat") -> list[str]:
        return [member.name for member in self.broker.members(channel)]

    def heard(self) -> bytes:
        """Return what the watcher was told since the last call."""
        self.webtalk.turn()
        return self.watcher.take()

    def test_a_user_is_present_while_connected(self) -> None:
        (user,) = self.webtalk.new_users(1)
        self.assertEqual((self.names(), self.heard()), ([], b""))
        browser = self.webtalk.login(user)
        self.assertEqual((self.names(), self.heard()), (["webtalk 1"], CAME))
        browser.close()
        self.assertEqual((self.names(), self.heard()), ([], WENT))
        self.webtalk.login(user)
        self.assertEqual((self.names(), self.heard()), (["webtalk 1"], CAME))

    def test_users_are_told_apart_and_named_as_the_sender_is(self) -> None:
        webtalk = Webtalk(bridges=[["multichat", "webtalk/1"]], sender="the site")
        for _ in range(2):
            webtalk.new_browser()
        members = webtalk.broker.members("webtalk/1")
        self.assertEqual(
            [(member.name, member.origin) for member in members],
            [("the site 1", "webtalk"), ("the site 2", "webtalk")],
        )

    def test_nobody_is_told_of_a_login_that_takes_over(self) -> None:
        user, first = self.webtalk.new_browser()
        self.assertEqual(self.heard(), CAME)
        second = self.webtalk.login(user)
        self.assertIsNotNone(first.connection.closed_for)
        first.close()
        self.assertEqual((self.names(), self.heard()), (["webtalk 1"], b""))
        second.close()
        self.assertEqual((self.names(), self.heard()), ([], WENT))

    def test_a_wrong_salt_is_nobodys_coming(self) -> None:
        user, _ = self.webtalk.new_browser()
        self.heard()
        self.webtalk.salts[user] = b"7"
        self.webtalk.login(user)
        self.assertEqual((self.names(), self.heard()), (["webtalk 1"], b""))

    def test_who_is_killed_goes(self) -> None:
        user, browser = self.webtalk.new_browser()
        self.webtalk.say(b"[killuser] %d" % user)
        self.assertEqual((self.names(), self.heard()), ([], CAME + WENT))
        browser.close()
        self.assertEqual(self.heard(), b"")

    def test_who_leaves_goes_and_comes_back(self) -> None:
        self.webtalk.new_browser()
        self.webtalk.say(b"[leave] 1!1")
        self.assertEqual((self.names(), self.heard()), ([], CAME + WENT))
        self.webtalk.say(b"[leave] 1!1", b"[join] 1!1", b"[join] 1!1")
        self.assertEqual((self.names(), self.heard()), (["webtalk 1"], CAME))

    def test_all_go_with_their_channel(self) -> None:
        for _ in range(2):
            self.webtalk.new_browser()
        self.heard()
        self.webtalk.say(b"[killchannel] 1")
        self.assertEqual(self.names(), [])
        self.assertEqual(self.heard(), WENT + WENT.replace(b"1", b"2"))

    def test_each_channel_is_told_of_its_own(self) -> None:
        room = MemoryConnection()
        self.broker.subscribe("machat/a", room, told, presence=True)
        user, browser = self.webtalk.new_browser()
        self.webtalk.turn()
        self.assertEqual(room.take(), b"")
        self.assertEqual(self.webtalk.new_channel(user), 2)
        self.webtalk.turn()
        self.assertEqual(room.take(), CAME)
        self.assertEqual(self.names("machat/a"), ["webtalk 1"])
        browser.close()
        self.webtalk.turn()
        self.assertEqual((room.take(), self.heard()), (WENT, CAME + WENT))

    def test_an_absent_user_who_is_killed_in_time_was_gone_before(self) -> None:
        self.begin(absent_seconds=5)
        _, browser = self.webtalk.new_browser()
        browser.close()
        self.assertEqual(self.heard(), CAME + WENT)
        self.webtalk.clock.advance(6)
        self.webtalk.new_users(1)
        self.assertEqual((self.names(), self.heard()), ([], b""))

    def test_a_channel_without_a_bridge_has_nobody_on_it(self) -> None:
        webtalk = Webtalk()
        watcher = MemoryConnection()
        webtalk.broker.subscribe("webtalk/1", watcher, told, presence=True)
        user, browser = webtalk.new_browser()
        self.assertEqual(webtalk.broker.members("webtalk/1"), [])
        browser = webtalk.login(user)
        webtalk.say(b"[leave] 1!1", b"[join] 1!1")
        browser.close()
        webtalk.turn()
        self.assertEqual(watcher.written, b"")


class EventTests(SynchronousTestCase):
    """Who comes and goes is nothing that browsers are sent."""

    def setUp(self) -> None:
        self.webtalk = Webtalk(bridges=[["multichat", "webtalk/1"]])
        self.broker = self.webtalk.broker
        self.user, self.browser = self.webtalk.new_browser()
        self.broker.subscribe("multichat", MemoryConnection(), said, presence=True)

    def come_and_go(self) -> None:
        """Let somebody come, speak and go."""
        self.broker.join("multichat", Member("ann", "globes", 901, color="red"))
        self.broker.publish("multichat", "ann", "hi", origin="globes", source=901)
        self.broker.leave("multichat", 901)

    def test_an_event_makes_no_message(self) -> None:
        for origin in "webtalk", "globes":
            for ext in {"event": "join"}, {"event": "leave", "color": "red"}:
                event = Publication("webtalk/1", 1, "ann", "", origin, 1, 0.0, ext)
                self.assertEqual(encode(event), ())
            spoken = Publication(
                "webtalk/1", 1, "ann", "", origin, 1, 0.0, {"color": "red"}
            )
            self.assertEqual(len(encode(spoken)), 1)

    def test_who_is_there_hears_what_was_said_alone(self) -> None:
        self.come_and_go()
        self.webtalk.new_browser()
        self.assertEqual(self.browser.take(), [b"ann:hi"])

    def test_for_the_absent_what_was_said_is_kept_alone(self) -> None:
        self.browser.close()
        self.come_and_go()
        self.webtalk.new_browser()[1].close()
        self.webtalk.say(b"[whisper] 1!psst")
        self.assertEqual(self.webtalk.login(self.user).take(), [b"ann:hi", b"psst"])

    def test_a_slow_browser_hears_what_was_said_alone(self) -> None:
        slow = self.webtalk.login(self.user, room=0)
        for _ in range(3):
            self.come_and_go()
            self.webtalk.turn()
        for _ in range(3):
            slow.connection.read()
        self.assertEqual(slow.take(), [b"ann:hi"] * 3)
