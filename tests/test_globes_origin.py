# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The extension by which Globes says of which protocol somebody is."""

from __future__ import annotations

import json
from typing import Any

from chatmux.door import Request, Upgrade
from chatmux.model import Member, Publication
from chatmux.protocols.globes.api import _wants_origin
from chatmux.protocols.globes.events import encoding_for
from tests.doubles import MemoryConnection
from tests.globes_doubles import GlobesCase

ASKING = (
    "extensions=origin",
    "extensions=history,origin",
    "extensions=origin,history",
    "extensions=history&extensions=origin",
    "x=y&extensions=origin&z",
    "extensions=%6Frigin",
)
NOT_ASKING = (
    "",
    "extensions",
    "extensions=",
    "extensions=Origin",
    "extensions=origins",
    "extensions=no-origin",
    "extension=origin",
    "Extensions=origin",
    "origin",
    "extensions=%ff%00,&&==;",
    "x=" + "y" * 2000 + "&extensions=origin",
)


class OriginTests(GlobesCase):
    async def get(self, path: str, query: str) -> bytes:
        plain = self.request("GET", path)
        answer = await self.globes.respond(_with(plain, query))
        self.assertEqual(answer.status, 200)
        return answer.body

    def listen(self, query: str) -> MemoryConnection:
        """Connect to room 1."""
        upgrade = self.globes.upgrade(_with(self.request("GET", "/chats/1/ws"), query))
        assert isinstance(upgrade, Upgrade), upgrade
        connection = MemoryConnection(lambda message: message + b"\n")
        upgrade.new_session(connection)
        return connection

    async def test_it_is_told_where_it_is_asked_for(self) -> None:
        for query in ASKING:
            self.assertTrue(_wants_origin(_with(None, query)), query)
        for query in NOT_ASKING:
            self.assertFalse(_wants_origin(_with(None, query)), query)

    async def test_without_it_no_byte_is_another_one(self) -> None:
        await self.start(bridges=[["machat/lounge", "globes/1"]])
        old = self.listen("")
        await self.bridge()
        for path in "/chats", "/chats/1":
            plain = await self.get(path, "")
            for query in NOT_ASKING:
                self.assertEqual(await self.get(path, query), plain)
            asked = await self.get(path, ASKING[0])
            shorter = asked.replace(b',"origin":"machat"', b"")
            self.assertEqual(shorter, plain)
            self.assertEqual(len(asked) - len(plain), len(b',"origin":"machat"'))
        for query in NOT_ASKING[1:]:
            other = self.listen(query)
            self.broker.publish("machat/lounge", "bob", "again", origin="machat")
            self.clock.advance(0)
            (event,) = other.take().splitlines()
            self.assertEqual(event, old.take().splitlines()[-1])
            self.assertNotIn(b"origin", event)

    async def bridge(self) -> None:
        bob = Member("bob", "machat", self.broker.new_number())
        self.broker.join("machat/lounge", bob)
        self.clock.advance(0)

    async def test_events_have_it_behind_the_recorded_keys(self) -> None:
        await self.start(bridges=[["machat/lounge", "globes/1"]])
        asking, old = self.listen(ASKING[0]), self.listen("")
        await self.bridge()
        self.broker.publish("machat/lounge", "bob", "hello", origin="machat")
        self.clock.advance(0)
        told = asking.take().splitlines()
        for new, plain in zip(told, old.take().splitlines(), strict=True):
            self.assertEqual(new, plain.removesuffix(b"}") + b',"origin":"machat"}')
        kinds = [json.loads(event)["event_type"] for event in told]
        self.assertEqual(kinds, ["join", "send"])

    def test_all_protocols_are_called_by_their_names(self) -> None:
        encode = encoding_for(1, with_origin=True)
        for origin in "multichat", "machat", "globes", "webtalk":
            said = Publication("globes/1", 1, "ann", "hi", origin, 7, 1e9)
            (event,) = encode(said)
            self.assertEqual(json.loads(event)["origin"], origin)
            self.assertEqual(list(json.loads(event))[-1], "origin")


def _with(request: Request | None, query: str) -> Any:
    """Return a request with a query."""
    if request is None:
        return Request("GET", "/chats", query, {}, b"", "192.0.2.1")
    return Request(
        request.method, request.path, query, request.headers, b"", request.host
    )
