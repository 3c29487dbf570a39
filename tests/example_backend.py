# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The example back-end of webtalk as its users run it: a process of its own."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from twisted.trial.unittest import SynchronousTestCase

from tests.server import DEADLINE_SECONDS, Server, waiting

EXAMPLE = Path(__file__).parent.parent / "examples" / "webtalk_site.py"


class Backend:
    """The example back-end, a process of its own.

    Args:
        directory: Where what it prints goes.
        private: The private port that it talks to.
        public: Where its page is to find the WebSocket.
        secret: Of the private port.
    """

    def __init__(
        self, directory: Path, private: int, public: str, secret: str = ""
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.log_file = directory / "backend.log"
        options = ["--listen", "127.0.0.1:0", "--private", f"127.0.0.1:{private}"]
        options += ["--public", public]
        with self.log_file.open("wb") as log:
            # Without site: there is the standard library only.
            self.process = subprocess.Popen(
                [sys.executable, "-S", str(EXAMPLE), *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={"WEBTALK_SECRET": secret},
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @property
    def url(self) -> str:
        """The page's, as soon as it is served."""
        for _ in waiting():
            printed = re.match(r"(http://127\.0\.0\.1:\d+/)\n", self.log)
            if printed is not None:
                return printed[1]
            if self.process.poll() is not None:
                break
        raise AssertionError(f"the back-end does not serve:\n{self.log}")

    @property
    def port(self) -> int:
        """The page's."""
        return int(self.url.strip("/").rpartition(":")[2])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def get(self, path: str = "") -> tuple[int, str]:
        """Return the status and the body of an answer."""
        return self._request(Request(self.url + path))

    def say(self, text: str | bytes, path: str = "say", **headers: str) -> int:
        """Return the status of the answer."""
        data = text.encode() if isinstance(text, str) else text
        return self._request(Request(self.url + path, data, headers))[0]

    def settings(self) -> dict[str, str]:
        """Return what a new page is given."""
        status, page = self.get()
        assert status == 200, page
        return settings_of(page)

    def _request(self, request: Request) -> tuple[int, str]:
        try:
            with urlopen(request, timeout=DEADLINE_SECONDS) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


def settings_of(page: str) -> dict[str, str]:
    """Return what is in a page's data block."""
    pattern = r'<script id="settings" type="application/json">(.*?)</script>'
    (data,) = re.findall(pattern, page, re.DOTALL)
    settings: dict[str, str] = json.loads(data)
    return settings


def command(private: int, frame: bytes) -> bytes:
    """Give the server a command; return its answer."""
    with socket.create_connection(("127.0.0.1", private), DEADLINE_SECONDS) as back_end:
        back_end.sendall(b"%05d" % len(frame) + frame)
        with back_end.makefile("rb") as stream:
            return stream.read(int(stream.read(5)))


class WebtalkTestCase(SynchronousTestCase):
    """Starts servers and back-ends, and ends them."""

    def serve(self, private: int = 0, public: int = 0, **keys: Any) -> Server:
        ports = {"private": f"127.0.0.1:{private}", "public": f"127.0.0.1:{public}"}
        server = Server(Path(self.mktemp()), {"webtalk": {**ports, **keys}})
        self.addCleanup(server.kill)
        return server

    def back(self, private: int, public: int | str, secret: str = "") -> Backend:
        if isinstance(public, int):
            public = f"ws://127.0.0.1:{public}/webtalk"
        backend = Backend(Path(self.mktemp()), private, public, secret)
        self.addCleanup(backend.kill)
        return backend

    def serve_with_backend(self) -> Backend:
        private, public = self.serve().ports("webtalk.private", "webtalk.public")
        return self.back(private, public)
