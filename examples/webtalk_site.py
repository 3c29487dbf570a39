# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A webtalk back-end that is a web site: its readers hear what any of them says.

Needs the standard library only; the private port's protocol is in
``webtalk_backend.py``. ``GET /`` makes a user, and answers with
``webtalk.html`` and the ticket in it with which the page logs in at the server;
``POST /say`` shouts its body to all. If the private port has a secret, it is in the
environment, as WEBTALK_SECRET. Prints the page's address. Exits with 1 and the reason
where the server does not let it in.
"""

from __future__ import annotations

import json
import os
from argparse import ArgumentParser
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from urllib.parse import urlsplit

from webtalk_backend import Webtalk

PAGE = Path(__file__).with_name("webtalk.html")
LONGEST_FRAME = 99_999


class SharedWebtalk:
    """The private port, for threads; connected anew where it has to be."""

    def __init__(self, address: str, secret: str | None) -> None:
        self.turn, self.arguments = Lock(), (address, secret)
        self.webtalk = Webtalk(address, secret)

    def ask(self, command: bytes) -> bytes:
        with self.turn:
            try:
                return self.webtalk.ask(command)
            except OSError:  # The server was restarted, perhaps.
                self.webtalk = Webtalk(*self.arguments)
                return self.webtalk.ask(command)


def site(webtalk: SharedWebtalk, public: str) -> type[BaseHTTPRequestHandler]:
    """Make what answers browsers."""

    class Site(BaseHTTPRequestHandler):
        timeout = 60

        def do_GET(self) -> None:
            if self.path != "/":
                self.send_error(404)
            elif (ticket := self.ask(b"[newuser]")) is not None:
                settings = json.dumps({"server": public, "ticket": ticket.decode()})
                # In HTML, no text must be able to end the script element.
                settings = settings.replace("<", "\\u003c")
                self.answer(200, PAGE.read_text("utf-8").replace("SETTINGS", settings))

        def do_POST(self) -> None:
            origin, length = self.headers["Origin"], self.headers["Content-Length"]
            if self.path != "/say":
                self.send_error(404)
            elif origin and urlsplit(origin).netloc != self.headers["Host"]:
                self.send_error(403)  # The page of another site.
            elif not (length and length.isdecimal()):
                self.send_error(411)
            else:
                # Most of what is too long is read, too: who still sends hears no 413.
                wanted = min(int(length), 10 * LONGEST_FRAME)
                text = self.rfile.read(wanted)
                command = b"[shout] 1!" + text
                if len(command) > LONGEST_FRAME:
                    self.send_error(413)
                elif len(text) == wanted and self.ask(command) is not None:
                    self.answer(204)

        def ask(self, command: bytes) -> bytes | None:
            try:
                return webtalk.ask(command)
            except (OSError, RuntimeError) as error:
                self.send_error(502, explain=str(error))
                return None

        def answer(self, status: int, page: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Cache-Control", "no-store")  # A ticket is for one page.
            self.end_headers()
            self.wfile.write(page.encode())

    return Site


class HTTPServer(ThreadingHTTPServer):
    request_queue_size = 128  # With Python's 5, many at once would be reset.


if __name__ == "__main__":
    parser = ArgumentParser(description="Serve a page whose readers talk.")
    parser.add_argument("--listen", default="127.0.0.1:8000", help="HOST:PORT")
    parser.add_argument("--private", default="127.0.0.1:12344", help="HOST:PORT")
    parser.add_argument("--public", default="ws://127.0.0.1:12345/webtalk", help="URL")
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    try:
        webtalk = SharedWebtalk(options.private, os.environ.get("WEBTALK_SECRET"))
        server = HTTPServer((host, int(port)), site(webtalk, options.public))
    except (OSError, RuntimeError) as error:
        raise SystemExit(str(error)) from None
    print(f"http://{host}:{server.server_port}/", flush=True)
    with suppress(KeyboardInterrupt):
        server.serve_forever()
