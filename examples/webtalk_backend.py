# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A webtalk back-end: makes a user, and shouts what it reads from standard input.

Prints the user's ticket, with which a browser logs in at the server. If the private
port has a secret, it is in the environment, as WEBTALK_SECRET: a command line is for
all to read. Needs the standard library only, and nothing of WebSockets: that is the
server's part.
"""

import os
import socket
import sys
from argparse import ArgumentParser


class Webtalk:
    """The private port: a command, and its answer."""

    def __init__(self, address: str, secret: str | None = None) -> None:
        host, _, port = address.rpartition(":")
        connection = socket.create_connection((host.strip("[]"), int(port)), 10)
        self.stream = connection.makefile("rwb")
        if secret:
            self.ask(f"[auth] {secret}".encode())

    def ask(self, command: bytes) -> bytes:
        self.stream.write(b"%05d" % len(command) + command)  # In bytes, not characters.
        self.stream.flush()
        length = self.stream.read(5)
        answer = self.stream.read(int(length)) if length.isdigit() else b""
        if not answer or len(answer) < int(length):
            raise ConnectionError("the private port closed the connection")
        if not answer.startswith(b"[ok] "):
            raise RuntimeError(answer.decode(errors="replace"))
        return answer.removeprefix(b"[ok] ")


if __name__ == "__main__":
    parser = ArgumentParser(description="Shout what is read to all browsers.")
    parser.add_argument("--private", default="127.0.0.1:12344", help="HOST:PORT")
    options = parser.parse_args()
    webtalk = Webtalk(options.private, os.environ.get("WEBTALK_SECRET"))
    print(webtalk.ask(b"[newuser]").decode(), flush=True)
    for line in sys.stdin.buffer:
        webtalk.ask(b"[shout] 1!" + line.rstrip(b"\n"))
