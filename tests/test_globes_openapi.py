# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The OpenAPI document says what the server does: neither more nor less."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.checks import CHECKS, load_all_checks
from twisted.trial.unittest import SynchronousTestCase

from chatmux.door import Answer
from chatmux.protocols.globes import Section, content, faults
from chatmux.protocols.globes.api import _ROUTES
from chatmux.protocols.globes.faults import FaultError
from chatmux.protocols.globes.openapi import DOCUMENT
from tests.globes_server import ADMIN, GLOBES, PASSWORD, GlobesTestCase, Rest
from tests.server import BINARIES, DEADLINE_SECONDS

Outcomes = set[tuple[str, int]]
"""Operations' ids, and the statuses of their answers."""

document = json.loads(DOCUMENT)
operations = {
    (method.upper(), path): operation
    for path, item in document["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}
documented: Outcomes = {
    (operation["operationId"], int(status))
    for operation in operations.values()
    for status in operation["responses"]
}

SEED = "1"
SETTINGS = """
warnings = false
[generation]
database = "none"
codec = "ascii"
allow-x00 = false
no-shrink = true
[dictionaries.rooms]
values = {rooms}
[dictionaries.names]
values = ["ann", "bob"]
[dictionaries.visibilities]
values = {visibilities}
[dictionaries.passwords]
values = ["", "{password}"]
[parameters]
"path.room" = {{ dictionary = "rooms", probability = 0.9 }}
"body.name" = {{ dictionary = "names", probability = 0.8 }}
"body.visibility" = {{ dictionary = "visibilities", probability = 0.8 }}
"body.password" = {{ dictionary = "passwords", probability = 0.8 }}
"body.secret" = {{ dictionary = "passwords", probability = 0.9 }}

# That a title is short enough in bytes, or another room's, no schema says.
[[operations]]
include-operation-id = ["addRoom", "changeRoom"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404]

# A public room has no token, whatever the body, and a private one wants a name, too.
[[operations]]
include-operation-id = ["makeToken"]
checks.negative_data_rejection.expected-statuses = ["4xx", 200]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 404, 429]

# No request that schemathesis makes is a handshake.
[[operations]]
include-operation-id = ["openSocket"]
checks.positive_data_acceptance.expected-statuses = [400, 403, 404]
"""
ONE_BY_ONE = "--phases=examples,coverage,fuzzing"
EXAMPLES_STAY = """
[[operations]]
include-operation-id = ["removeRoom"]
phases.examples.enabled = false
phases.coverage.enabled = false
"""
ALWAYS = """
[[operations]]
include-path-regex = "room"
parameters."path.room" = "{}"
"""
PUBLIC_ONLY = """
[[operations]]
include-operation-id = ["changeRoom", "removeRoom"]
parameters."path.room" = "1"
"""


class DocumentTests(SynchronousTestCase):
    def test_it_is_openapi(self) -> None:
        schemathesis.openapi.from_dict(document).validate()

    def test_it_refers_to_what_is_in_it(self) -> None:
        names = set(re.findall(r'"#/components/schemas/(\w+)"', DOCUMENT.decode()))
        self.assertEqual(names, set(document["components"]["schemas"]))
        ids = [operation["operationId"] for operation in operations.values()]
        self.assertEqual(len(set(ids)), len(ids))
        for operation in operations.values():
            for answer in operation["responses"].values():
                for link in answer.get("links", {}).values():
                    self.assertIn(link["operationId"], ids)

    def test_it_has_the_routes(self) -> None:
        routes = {
            (method, pattern.pattern.replace("([^/]+)", "{room}").replace("\\", ""))
            for pattern, methods in _ROUTES
            for method in methods
        }
        self.assertEqual(set(operations), routes)

    @given(
        st.text(st.sampled_from("07a_ \t\n\x00\x85\u0663\u2028\xe9\u6f22"), max_size=4)
    )
    def test_it_allows_every_title_that_can_be(self, title: str) -> None:
        schema = document["components"]["schemas"]["Wish"]["properties"]["title"]
        wish = content.Wish(title=title, visibility="public")
        try:
            content.check(wish, None, may_have_password=False)
        except FaultError:
            return
        self.assertRegex(title, schema["pattern"])

    def test_it_has_every_status_that_a_fault_has(self) -> None:
        anywhere = document["info"]["description"]
        known = {status for _, status in documented}
        known |= {int(number) for number in re.findall(r"\b\d{3}\b", anywhere)}
        made = [faults.refuse(status, "why") for status in (400, 403, 408, 431)]
        for name, make in inspect.getmembers(faults, inspect.isfunction):
            if make.__module__ != faults.__name__ or name == "refuse":
                continue
            samples = {"key": "x", "field": "title", "seconds": 3, "allowed": ["GET"]}
            wanted = inspect.signature(make).parameters
            fault = make(**{key: samples[key] for key in wanted})
            made.append(fault.answer if isinstance(fault, FaultError) else fault)
        for answer in made:
            assert isinstance(answer, Answer)
            self.assertIn(answer.status, known)


class ServedTestCase(GlobesTestCase):
    port: int

    def setUp(self) -> None:
        # No proxy of the environment is asked for what is here.
        direct = patch.dict(os.environ, NO_PROXY="*")
        direct.start()
        self.addCleanup(direct.stop)

    def open(self, **more: Any) -> Rest:
        """Start a server; return a client of its."""
        config = {
            "globes": {**GLOBES, **more},
            "store": "sqlite:///rooms.db",
            "trusted-proxies": ["127.0.0.1"],
        }
        (self.port,) = self.serve(config).ports("globes.address")
        return self.rest(self.port)


class ConformanceTests(ServedTestCase):
    """Schemathesis asks for what the document lets it, and for what it does not."""

    def explore(
        self,
        rooms: list[str],
        *options: str,
        settings: str = "",
        password: str = PASSWORD,
        visibilities: Sequence[str] = ("public", "Public", "PRIVATE", "hidden"),
        examples: int = 6,
    ) -> Outcomes:
        """Fail unless the answers are as documented; return which there were.

        Args:
            rooms: Which to ask for most often.
            options: Of schemathesis.
            settings: What its configuration has besides `SETTINGS`.
            password: To be sent often, as none is.
            visibilities: To be sent often.
            examples: Most for an operation.
        """
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        config = SETTINGS.format(
            rooms=json.dumps(rooms),
            password=password,
            visibilities=json.dumps(visibilities),
        )
        (directory / "schemathesis.toml").write_text(config + settings)
        done = subprocess.run(
            [
                *(str(BINARIES / "schemathesis"), "run", "--checks=all", *options),
                *(f"--seed={SEED}", f"--max-examples={examples}", "--no-color"),
                *("--workers=1", "--report=har", "--report-har-path=seen.har"),
                f"http://127.0.0.1:{self.port}/openapi.json",
            ],
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=4 * DEADLINE_SECONDS,
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return self.seen(directory / "seen.har")

    def seen(self, har: Path) -> Outcomes:
        """Return which answers a record has, none of which has a password."""
        found: Outcomes = set()
        for entry in json.loads(har.read_text())["log"]["entries"]:
            method, url = entry["request"]["method"], entry["request"]["url"]
            path = re.sub("/chats/[^/]+", "/chats/{room}", re.split("[?#]", url)[0])
            operation = operations.get((method, path.partition(f":{self.port}")[2]))
            if operation is not None:
                found.add((operation["operationId"], entry["response"]["status"]))
            text = entry["response"]["content"].get("text", "")
            self.assertNotIn("argon2", text)
            self.assertNotIn('"password":', text)
        self.assertLessEqual(found, documented)
        return found

    def test_by_default_with_a_private_rooms_token(self) -> None:
        rest = self.open()
        room = rest.add("den", PASSWORD)
        token = rest.token(room, "ann")
        seen = self.explore(
            ["1", "PUBLIC chat", "nowhere", str(room), "Den", str(room), "den"],
            ONE_BY_ONE,
            f"--header=Authorization: Bearer {token}",
            settings=PUBLIC_ONLY,
        )
        expected = {("addRoom", 400), ("openSocket", 400)}
        expected |= {("changeRoom", 403), ("removeRoom", 403)}
        for operation in "listRooms", "getRoom", "renewToken", "makeToken":
            expected.add((operation, 200))
        for operation in "addRoom", "renewToken":
            expected.add((operation, 201))
        for operation in "getRoom", "renewToken", "makeToken", "openSocket":
            expected.add((operation, 404))
        self.assertEqual(expected - seen, set())

    def test_where_anybody_may_change_and_delete(self) -> None:
        rest = self.open(**{"open-public-rooms": True})
        rooms = [str(rest.add(f"room {number}")) for number in range(40)]
        seen = self.explore(
            ["1", *rooms], ONE_BY_ONE, settings=EXAMPLES_STAY, examples=10
        )
        for operation in "changeRoom", "removeRoom", "getRoom":
            self.assertLessEqual({(operation, 200), (operation, 404)}, seen)
        self.assertLessEqual({("addRoom", 201), ("changeRoom", 400)}, seen)

    def test_a_room_is_there_from_its_making_to_its_deletion(self) -> None:
        self.open(**{"open-public-rooms": True})
        seen = self.explore(
            ["1"],
            *("--phases=stateful", "--mode=positive"),
            "--include-operation-id-regex=addRoom|getRoom|changeRoom|removeRoom",
            password="",
            visibilities=["public"],
            examples=12,
        )
        expected = {("addRoom", 201), ("removeRoom", 200), ("getRoom", 404)}
        self.assertEqual(expected - seen, set())

    def test_where_hidden_rooms_are_concealed(self) -> None:
        rest = self.open(**{"conceal-hidden-rooms": True})
        room = rest.add("cave", PASSWORD, visibility="hidden")
        token = rest.token(room, "ann")
        seen = self.explore(
            ["cave"],
            "--phases=examples,fuzzing",
            "--include-path-regex=room",
            settings=ALWAYS.format("cave"),
            password="open onions",
        )
        # Too many wrong passwords are as many for a room that is not there.
        self.assertEqual({status for _, status in seen} - {429}, {404})
        seen = self.explore(
            [str(room)],
            "--phases=examples,fuzzing",
            "--include-operation-id-regex=getRoom|renewToken|openSocket",
            f"--header=Authorization: Bearer {token}",
            settings=ALWAYS.format(room),
        )
        expected = {("getRoom", 200), ("renewToken", 201), ("openSocket", 400)}
        self.assertEqual(seen, expected)


class AnswerTests(ServedTestCase):
    """Every answer in the document is given, and is as it has it."""

    def setUp(self) -> None:
        super().setUp()
        load_all_checks()
        self.open(**{"wrong-passwords": 1, "new-rooms-per-hour": 1})
        url = f"http://127.0.0.1:{self.port}/openapi.json"
        self.schema = schemathesis.openapi.from_url(url)
        self.given: Outcomes = set()

    def expect(
        self,
        status: int,
        operation_id: str,
        room: int | str | None = None,
        body: Any = None,
        token: str | None = None,
        **headers: str,
    ) -> Any:
        """Ask for something; return what the answer says."""
        operation = self.schema.find_operation_by_id(operation_id)
        more: dict[str, Any] = {}
        if body is not None:
            more = {"body": body, "media_type": "application/json"}
        parameters = {} if room is None else {"room": str(room)}
        case = operation.Case(path_parameters=parameters, **more)
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        response = case.call(headers=headers)
        checks: list[Any] = CHECKS.get_by_names(
            [
                "status_code_conformance",
                "content_type_conformance",
                "response_headers_conformance",
                "response_schema_conformance",
            ]
        )
        case.validate_response(response, checks=checks, headers=headers)
        self.assertEqual(response.status_code, status, response.text)
        self.given.add((operation_id, status))
        kind = response.headers["content-type"][0]
        return response.json() if kind == "application/json" else response.text

    def test_each_is_given(self) -> None:
        expect = self.expect
        public = {"title": "hall", "description": "large", "visibility": "public"}
        private = {"title": "den", "visibility": "private", "password": PASSWORD}
        too_long = {"title": "x" * Section().body_bytes}
        login = {"name": "ann", "secret": PASSWORD}

        hall = expect(201, "addRoom", body=public)["id"]
        den = expect(201, "addRoom", body=private)["id"]
        expect(400, "addRoom", body=public)
        expect(413, "addRoom", body=too_long)
        # Whoever is on this machine may make any number.
        client = {"X-Forwarded-For": "192.0.2.1"}
        expect(201, "addRoom", body={**public, "title": "attic"}, **client)
        expect(429, "addRoom", body={**public, "title": "roof"}, **client)

        expect(200, "listRooms")
        expect(200, "listRooms", Accept="text/html")
        expect(200, "describe")
        expect(200, "makeToken", hall, login)
        token = expect(201, "makeToken", den, login)["token"]
        expect(400, "makeToken", den, {**login, "name": ""})
        expect(401, "makeToken", den, {**login, "secret": "open onions"})
        expect(429, "makeToken", den, login)
        expect(413, "makeToken", den, too_long)
        expect(404, "makeToken", "nowhere", {})
        expect(200, "renewToken", hall)
        expect(201, "renewToken", den, token=token)
        expect(403, "renewToken", den, token=ADMIN)
        expect(404, "renewToken", "nowhere")

        expect(400, "openSocket", hall)
        expect(403, "openSocket", den)
        expect(404, "openSocket", "nowhere")
        self.member(self.port, den, token, "ann")
        self.given.add(("openSocket", 101))
        self.assertEqual(len(expect(200, "getRoom", den)["users"]), 1)
        expect(404, "getRoom", "nowhere")

        expect(200, "changeRoom", den, {**private, "title": "cave"}, token)
        expect(400, "changeRoom", hall, {**public, "title": "CAVE"}, ADMIN)
        expect(403, "changeRoom", hall, public, token)
        expect(404, "changeRoom", "den", private, token)
        expect(413, "changeRoom", hall, too_long, ADMIN)
        expect(200, "removeRoom", hall, token=ADMIN)
        expect(403, "removeRoom", 1, token=ADMIN)
        expect(404, "removeRoom", hall, token=ADMIN)
        expect(403, "changeRoom", 1, public, "not the admin's")
        expect(429, "changeRoom", 1, public, ADMIN)
        expect(429, "removeRoom", 1, token=ADMIN)

        expect_busy = {one for one in documented if one[1] == 503}
        self.assertEqual(documented - self.given, expect_busy)
