# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A back-end of webtalk, blocking; as a program, one that measures.

``python -m tests.webtalk_backend PORT COUNT TEXT`` shouts a text to channel 1, with its
number before it, and prints how many seconds each answer took, as JSON.
"""

from __future__ import annotations

import json
import socket
import sys
import time


class BackEnd:
    """A connection to the private port."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self.socket.makefile("rb")

    def say(self, *commands: bytes) -> None:
        """Send commands, in one piece."""
        self.socket.sendall(b"".join(b"%05d%s" % (len(c), c) for c in commands))

    def hear(self) -> bytes:
        """Return the next answer; nothing at the end."""
        return self._reader.read(int(self._reader.read(5) or b"0"))

    def do(self, command: bytes) -> bytes:
        """Send a command and return its answer."""
        self.say(command)
        return self.hear()

    def close(self) -> None:
        self._reader.close()
        self.socket.close()


def main(port: str, count: str, text: str) -> None:
    """Shout, and print how long each answer took."""
    back_end = BackEnd(int(port))
    seconds = []
    for number in range(int(count)):
        began = time.perf_counter()
        answer = back_end.do(f"[shout] 1!{number:04} {text}".encode())
        seconds.append(time.perf_counter() - began)
        assert answer == b"[ok] message sent", answer
    back_end.close()
    print(json.dumps(seconds))


if __name__ == "__main__":
    main(*sys.argv[1:])
