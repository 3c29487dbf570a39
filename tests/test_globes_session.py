# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A connection to a room of Globes: what it says and hears, without a reactor."""

from __future__ import annotations

from dataclasses import replace

from chatmux.protocols.globes.events import COLOR_LENGTH
from chatmux.protocols.globes.rooms import ROOM_GONE, LiveRoom
from chatmux.protocols.globes.session import TOKEN_EXPIRED
from tests.globes_doubles import ROOM, RoomCase, new_lock

TIME = "2027-01-15T08:00:00.250000Z"


class TalkingTests(RoomCase):
    def test_what_is_heard_is_as_recorded(self) -> None:
        ann, bob = self.peer(), self.peer()
        ann.say("join", "ann", color="red")
        ann.say("send", "ann", msg="<hi> \u00e9", color="blue")
        ann.say("send", "ann", msg="ho")
        ann.say("leave", "ann", color="green")
        expected = [
            f'{{"event_type":"join","name":"ann","room_id":7,"color":"red",'
            f'"msg":"ann entered the room.","time":"{TIME}"}}',
            f'{{"event_type":"send","name":"ann","room_id":7,"color":"blue",'
            f'"msg":"<hi> \u00e9","time":"{TIME}"}}',
            f'{{"event_type":"send","name":"ann","room_id":7,"msg":"ho",'
            f'"time":"{TIME}"}}',
            f'{{"event_type":"leave","name":"ann","room_id":7,"color":"red",'
            f'"msg":"ann has left the room.","time":"{TIME}"}}',
        ]
        # Everybody hears it: who speaks, and who has not joined.
        for peer in ann, bob:
            self.assertEqual([line.decode() for line in peer.lines()], expected)

    def test_each_event_has_its_own_time(self) -> None:
        ann = self.joined("ann")
        for second in 1, 2:
            self.clock.advance(1)
            ann.say("send", "ann", msg="hi")
            [event] = ann.hear()
            self.assertEqual(event["time"], f"2027-01-15T08:00:0{second}.250000Z")

    def test_nothing_that_a_client_makes_up_is_passed_on(self) -> None:
        ann = self.peer()
        made_up = {"time": "x", "room_id": 9, "secret": "hunter22", "code": 1, "x": 1}
        for event_type in "join", "send", "leave":
            ann.say(event_type, "ann", msg="mine", color="", **made_up)
        for event, msg in zip(
            ann.hear(),
            ("ann entered the room.", "mine", "ann has left the room."),
            strict=True,
        ):
            self.assertEqual(
                list(event), ["event_type", "name", "room_id", "msg", "time"]
            )
            self.assertEqual(
                (event["msg"], event["room_id"], event["time"]), (msg, 7, TIME)
            )

    def test_the_connection_is_known_to_the_transport_at_once(self) -> None:
        peer = self.peer()
        self.assertTrue(peer.connection.is_opened)
        self.assertEqual(peer.lines(), [])

    def test_a_color_that_is_none_is_left_out(self) -> None:
        ann = self.peer()
        for color in "", None, "x" * (COLOR_LENGTH + 1), "a\n", "\0", "\u202e":
            for event_type in "join", "send", "leave":
                ann.say(event_type, "ann", msg="hi", color=color)
            self.assertEqual([e.get("color") for e in ann.hear()], [None] * 3, color)
        for color in "x" * COLOR_LENGTH, "#ff0000", "rgb(1, 2, 3)", "\u00e9":
            for event_type in "join", "send", "leave":
                ann.say(event_type, "ann", msg="hi", color=color)
            self.assertEqual([e["color"] for e in ann.hear()], [color] * 3)

    def test_any_text_is_carried(self) -> None:
        ann = self.joined("ann")
        for text in (
            " ",
            "a\nb\r\n",
            "\0\x1b[2J",
            "\u2028",
            "\U0001f600",
            '"\\',
            "x" * 60_000,
        ):
            ann.say("send", "ann", msg=text)
            self.assertEqual(ann.words(), [("send", "ann", text)])

    def test_a_name_is_shown_as_it_was_joined_by(self) -> None:
        ann = self.joined("Ann \u00c9")
        for written in "ann \u00e9", "ANN \u00c9", "Ann E\u0301", " Ann \u00c9 ":
            ann.say("send", written, msg="hi")
            self.assertEqual(ann.words(), [("send", "Ann \u00c9", "hi")], written)
        ann.say("leave", "aNN \u00e9")
        self.assertEqual(
            ann.words(), [("leave", "Ann \u00c9", "Ann \u00c9 has left the room.")]
        )

    def test_whoever_has_left_may_come_back_by_another_name(self) -> None:
        ann = self.joined("ann")
        ann.say("leave", "ann")
        ann.say("send", "ann", msg="hi")
        ann.say("join", "bob")
        ann.say("send", "bob", msg="hi")
        self.assertEqual(
            [(kind, name) for kind, name, _ in ann.words()],
            # A refusal does not wait for what is still to be carried.
            [("error", "ann"), ("leave", "ann"), ("join", "bob"), ("send", "bob")],
        )

    def test_somebody_else_hears_of_each_once(self) -> None:
        bob = self.joined("bob")
        ann = self.joined("ann")
        ann.say("send", "ann", msg="hi")
        ann.lose()
        self.assertEqual(
            bob.words(),
            [
                ("join", "ann", "ann entered the room."),
                ("send", "ann", "hi"),
                ("leave", "ann", "ann has left the room."),
            ],
        )

    def test_two_rooms_do_not_hear_each_other(self) -> None:
        ann = self.joined("ann")
        self.room = LiveRoom(replace(ROOM, id=8), new_lock())
        other = self.joined("ann")
        other.say("send", "ann", msg="hi")
        self.assertEqual([event["room_id"] for event in other.hear()], [8])
        self.assertEqual(ann.lines(), [])


class RefusalTests(RoomCase):
    def test_a_refusal_is_as_recorded_and_its_senders_alone(self) -> None:
        ann, bob = self.peer(), self.peer()
        ann.say("send", "ann", msg="hi", color="red", secret="x")
        self.assertEqual(
            ann.lines(),
            [
                b'{"event_type":"error","name":"ann","room_id":7,"code":202,'
                b'"msg":"join first"}'
            ],
        )
        self.assertEqual(bob.lines(), [])

    def test_a_name_is_held_once(self) -> None:
        ann, bob = self.joined("Ann \u00c9"), self.peer()
        for name in (
            "Ann \u00c9",
            "ANN \u00e9",
            "ann E\u0301",
            " ann \u00e9",
            "\uff21nn \u00c9",
        ):
            bob.say("join", name)
            self.assert_refused(bob, name, "the name Ann \u00c9 is taken")
            bob.say("send", name, msg="I am ann")
            self.assert_refused(bob, name, "join first")
        self.assertEqual(ann.lines(), [])
        self.assertEqual(self.names(), ["Ann \u00c9"])
        bob.say("join", "bob")
        self.assertEqual(bob.words(), [("join", "bob", "bob entered the room.")])

    def test_a_name_is_free_again_when_its_holder_has_left(self) -> None:
        for way in "leave", "lose":
            ann, bob = self.joined("ann"), self.peer()
            if way == "leave":
                ann.say("leave", "ann")
            else:
                ann.lose()
            bob.say("join", "ANN")
            self.assertEqual(bob.words()[-1], ("join", "ANN", "ANN entered the room."))
            bob.lose()
            ann.lines()

    def test_a_refused_duplicate_that_goes_takes_nobody_along(self) -> None:
        ann, bob = self.joined("ann"), self.peer()
        bob.say("join", "ann")
        bob.say("leave", "ann")
        bob.lose()
        self.assertEqual(ann.lines(), [])
        self.assertEqual(self.names(), ["ann"])
        ann.say("send", "ann", msg="hi")
        self.assertEqual(ann.words(), [("send", "ann", "hi")])

    def test_nobody_speaks_or_leaves_for_another(self) -> None:
        ann, bob = self.joined("ann"), self.joined("bob")
        ann.lines()
        for event_type in "send", "leave":
            bob.say(event_type, "ann", msg="x")
            self.assert_refused(bob, "ann", "this connection has joined as bob")
        self.assertEqual(ann.lines(), [])
        self.assertEqual(self.names(), ["ann", "bob"])

    def test_nobody_leaves_before_the_join_or_twice(self) -> None:
        ann = self.peer()
        ann.say("leave", "ann")
        self.assert_refused(ann, "ann", "join first")
        ann.say("join", "ann")
        ann.say("leave", "ann")
        ann.lines()
        ann.say("leave", "ann")
        self.assert_refused(ann, "ann", "join first")

    def test_a_second_join_by_another_name_is_refused(self) -> None:
        ann = self.joined("ann")
        ann.say("join", "bob")
        self.assert_refused(ann, "bob", "this connection has joined as ann")
        self.assertEqual(self.names(), ["ann"])

    def test_a_second_join_by_the_same_name_is_nothing(self) -> None:
        ann = self.joined("ann")
        for name in "ann", "ANN", " ann":
            ann.say("join", name, color="red")
        self.assertEqual(ann.lines(), [])
        ann.say("leave", "ann")
        self.assertEqual(len(ann.lines()), 1)

    def test_some_names_are_none(self) -> None:
        peer = self.peer()
        for name, why in (
            (" ", "the name must not be empty"),
            ("\u3000", "the name must not be empty"),
            ("a:b", "the name must not have a colon in it"),
            ("a\nb", "the name must not have a control character in it"),
            ("a\0", "the name must not have a control character in it"),
            ("\x1b[2J", "the name must not have a control character in it"),
            ("\u202ea", "the name must not have a control character in it"),
            ("a\u2028b", "the name must not have a control character in it"),
        ):
            peer.say("join", name)
            self.assert_refused(peer, name, why)
        self.assertEqual(self.names(), [])

    def test_a_name_has_a_longest_length_in_answers_too(self) -> None:
        peer = self.peer()
        peer.say("join", "x" * 256)
        why = "the name must not be longer than 255 characters"
        self.assert_refused(peer, "x" * 255, why)
        peer.say("join", "x" * 255)
        self.assertEqual(self.names(), ["x" * 255])
        peer.lines()
        peer.say("send", "y" * 60_000, msg="hi")
        why = "this connection has joined as " + "x" * 255
        self.assert_refused(peer, "y" * 255, why)

    def test_whoever_does_not_read_gets_no_refusals(self) -> None:
        peer = self.peer()
        peer.connection.fill()
        for _ in range(3):
            peer.say("send", "ann", msg="hi")
        peer.connection.read()
        self.assertEqual(peer.lines(), [])
        self.assertEqual(peer.connection.ignored_for, ["join first"] * 3)


class TokenTests(RoomCase):
    def test_the_name_is_the_tokens(self) -> None:
        peer = self.peer("Ann")
        peer.say("join", "bob", color="red")
        self.assertEqual(peer.words(), [("join", "Ann", "Ann entered the room.")])
        peer.say("join", "eve")
        self.assertEqual(peer.lines(), [])
        peer.say("send", "bob", msg="hi")
        self.assert_refused(peer, "bob", "this connection has joined as Ann")
        peer.say("leave", "bob")
        self.assert_refused(peer, "bob", "this connection has joined as Ann")
        peer.say("send", "ann", msg="hi")
        self.assertEqual(peer.words(), [("send", "Ann", "hi")])

    def test_a_join_by_a_name_that_is_none_is_the_tokens(self) -> None:
        peer = self.peer("ann")
        peer.say("join", "a:b\n")
        self.assertEqual(self.names(), ["ann"])

    def test_a_token_shown_twice_is_one_member(self) -> None:
        ann, again = self.peer("ann"), self.peer("ANN")
        ann.say("join", "ann")
        ann.lines()
        again.lines()
        again.say("join", "somebody")
        self.assert_refused(again, "ANN", "the name ann is taken")
        self.assertEqual(ann.lines(), [])

    def test_the_end_of_a_token_ends_the_connection(self) -> None:
        ann, bob = self.peer("ann", 60.0), self.joined("bob")
        self.clock.advance(59.9)
        self.assertIsNone(ann.closed_for)
        ann.say("join", "ann")
        self.clock.advance(0.1)
        self.assertEqual(ann.closed_for, TOKEN_EXPIRED)
        self.assertEqual((TOKEN_EXPIRED.code, bool(TOKEN_EXPIRED.reason)), (1008, True))
        ann.lose()
        self.assertEqual([name for _, name, _ in bob.words()], ["ann", "ann"])
        self.assertIsNone(bob.closed_for)

    def test_whoever_goes_before_leaves_no_timer(self) -> None:
        self.peer("ann", 60.0).lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class LeavingTests(RoomCase):
    def test_the_end_of_a_connection_is_one_leave(self) -> None:
        ann, bob = self.peer(), self.peer()
        ann.say("join", "ann", color="red")
        bob.lines()
        ann.lose()
        [event] = bob.hear()
        self.assertEqual(
            event,
            {
                "event_type": "leave",
                "name": "ann",
                "room_id": 7,
                "color": "red",
                "msg": "ann has left the room.",
                "time": TIME,
            },
        )
        self.assertEqual(self.names(), [])

    def test_a_leave_before_the_end_is_not_told_twice(self) -> None:
        ann, bob = self.joined("ann"), self.peer()
        ann.say("leave", "ann")
        ann.lose()
        self.assertEqual([kind for kind, _, _ in bob.words()], ["leave"])

    def test_the_end_of_one_who_has_not_joined_is_not_told(self) -> None:
        bob = self.joined("bob")
        self.peer().lose()
        self.assertEqual(bob.lines(), [])

    def test_nothing_stays_behind(self) -> None:
        peers = [self.joined(name) for name in ("ann", "bob")]
        self.assertEqual(len(self.room.connected), 2)
        for peer in peers:
            peer.lose()
            self.assertEqual(peer.connection.subscriptions, set())
        self.clock.advance(0)
        self.assertEqual(self.room.connected, set())
        self.assertEqual(len(self.broker), 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_room_that_goes_closes_all_its_connections(self) -> None:
        peers = [self.joined("ann"), self.peer(), self.peer("bob", 60.0)]
        self.room.close_all(ROOM_GONE)
        for peer in peers:
            self.assertEqual(peer.closed_for, ROOM_GONE)
            peer.lose()
        self.assertEqual(self.room.connected, set())
