# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The page's files, and how they are served."""

from __future__ import annotations

import json
import re
from configparser import ConfigParser

from twisted.trial.unittest import SynchronousTestCase

from chatmux import web
from chatmux.door import Answer, Request
from chatmux.model import Asset
from chatmux.protocols.globes.page import list_of
from chatmux.protocols.globes.site import SECURITY, Site
from tests.test_imports import ROOT

FILES = web.load()
CHAT = {path for path in FILES if not path.startswith("admin/")}
ELSEWHERE = re.compile(rb"""https?://(?!www\.w3\.org/2000/svg)[\w.]+""")


def get(path: str, method: str = "GET", **headers: str) -> Answer | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = Request(method, path, "", named, b"", "192.0.2.1")
    return Site(FILES, 4096).respond(request)


class SiteTests(SynchronousTestCase):
    def answer(self, path: str, **headers: str) -> Answer:
        answer = get(path, **headers)
        assert answer is not None, path
        return answer

    def test_the_page_and_its_files(self) -> None:
        self.assertEqual(self.answer("/").body, FILES["index.html"].body)
        for path, asset in FILES.items():
            answer = self.answer(f"/web/{path}")
            headers = dict(answer.headers)
            self.assertEqual((answer.status, answer.body), (200, asset.body))
            self.assertEqual(headers["Content-Type"], asset.content_type)
            self.assertEqual(headers["Cache-Control"], "no-cache")
            self.assertEqual(headers["ETag"], asset.tag)
            self.assertLessEqual(set(SECURITY), set(answer.headers))

    def test_what_a_browser_has_is_not_sent_again(self) -> None:
        tag = FILES["chat.css"].tag
        for known in tag, f"W/{tag}", f'"other", {tag}', "*":
            answer = self.answer("/web/chat.css", if_none_match=known)
            self.assertEqual((answer.status, answer.body), (304, b""))
            self.assertEqual(dict(answer.headers)["ETag"], tag)
        for known in '"other"', tag[:-2] + '"', "":
            answer = self.answer("/web/chat.css", if_none_match=known)
            self.assertEqual(answer.status, 200)

    def test_nothing_but_the_files_is_there(self) -> None:
        for path in (
            "/web",
            "/web/",
            "/web/chat",
            "/web/chat/",
            "/web//chat.css",
            "/web/__init__.py",
            "/web/../web/chat.css",
            "/web/%2e%2e/model.py",
            "/web/web/chat.css",
            "/index.html",
            "/chat.css",
            "//",
            "",
            "/web/chat.css/",
        ):
            self.assertIsNone(get(path), path)

    def test_other_methods_are_not_allowed(self) -> None:
        for path in "/", "/web/chat.css", "/chats/1/entrance", "/web/limits.json":
            expected = Answer(405, b"", (("Allow", "GET"),))
            self.assertEqual(get(path, "POST"), expected)
            self.assertEqual(get(path, "HEAD"), expected)

    def test_old_addresses_lead_to_the_room(self) -> None:
        for old, new in (
            ("1/entrance", "1"),
            ("1/chatbox", "1"),
            ("Public%20Chat/entrance", "Public%20Chat"),
            ("a%2Fb%0d%0aX:y%ff/chatbox", "a%2Fb%0D%0AX%3Ay%EF%BF%BD"),
            ("<script>/chatbox", "%3Cscript%3E"),
        ):
            answer = self.answer(f"/chats/{old}")
            location = dict(answer.headers)["Location"]
            self.assertEqual((answer.status, location), (302, f"/#/room/{new}"))
        for path in "/chats/1/entrance/", "/chats//entrance", "/chats/1/x/chatbox":
            self.assertIsNone(get(path), path)

    def test_the_page_is_told_the_limits(self) -> None:
        answer = self.answer("/web/limits.json")
        self.assertEqual(json.loads(answer.body), {"event_bytes": 4096})

    def test_without_files_there_is_no_page(self) -> None:
        site = Site({}, 4096)
        for path in "/", "/web/chat.css", "/chats/1/entrance", "/web/limits.json":
            request = Request("GET", path, "", {}, b"", "192.0.2.1")
            self.assertIsNone(site.respond(request))

    def test_nothing_comes_from_elsewhere_and_nothing_stands_in_line(self) -> None:
        policy = dict(SECURITY)["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        self.assertNotIn("*", policy)
        self.assertEqual(SECURITY, list_of([]).headers[1:])
        for path in CHAT:
            body = FILES[path].body
            self.assertEqual(ELSEWHERE.findall(body), [], path)
            if path.endswith(".js"):
                for word in b"innerHTML", b"outerHTML", b"insertAdjacent", b"eval(":
                    self.assertNotIn(word, body, path)
        page = FILES["index.html"].body
        self.assertIsNone(re.search(rb"<style|\sstyle=|\son\w+=|javascript:", page))
        self.assertEqual(re.findall(rb"<script[^>]*>(?!</script>)", page), [])

    def test_the_page_names_every_module_that_it_loads(self) -> None:
        page = FILES["index.html"].body.decode()
        named = set(re.findall(r'(?:src|href)="/web/([^"]+)"', page))
        self.assertEqual(named, CHAT - {"index.html"})

    def test_it_is_small(self) -> None:
        self.assertLess(sum(len(FILES[path].body) for path in CHAT), 100_000)


class LoadTests(SynchronousTestCase):
    def test_each_file_has_a_type_and_a_tag(self) -> None:
        tags = {asset.tag for asset in FILES.values()}
        self.assertEqual(len(tags), len(FILES))
        for path, asset in FILES.items():
            self.assertIsInstance(asset, Asset)
            self.assertRegex(asset.tag, '^"[0-9a-f]{32}"$')
            self.assertEqual(asset.body, (ROOT / "chatmux/web" / path).read_bytes())
        self.assertNotIn("__init__.py", FILES)

    def test_a_package_has_all_of_them(self) -> None:
        config = ConfigParser()
        config.read(ROOT / "setup.cfg")
        packed = {
            path.relative_to(ROOT / "chatmux/web").as_posix()
            for pattern in config["options.package_data"]["chatmux.web"].split()
            for path in (ROOT / "chatmux/web").glob(pattern)
        }
        self.assertEqual(packed, set(FILES))
