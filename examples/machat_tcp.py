# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A MaChat client over TCP: says what it reads on standard input, prints what comes.

Needs the standard library only. At the end of input it listens on for ``--wait``
seconds, then ends its sending; what the server still has for it, it prints. Exits with
0, or with 1 and the reason on standard error where the server ends the conversation.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import sys
import time

STDIN = 0


def main() -> int:
    """Run the client and return its exit status."""
    parser = argparse.ArgumentParser(description="Talk in a MaChat room over TCP.")
    parser.add_argument("--client", required=True, help="the name to speak under")
    parser.add_argument("--room", default="", help="the room; default: the room ''")
    parser.add_argument("--address", default="localhost:8989", help="HOST:PORT")
    parser.add_argument("--wait", type=float, default=0.5, metavar="SECONDS")
    options = parser.parse_args()
    host, _, port = options.address.rpartition(":")
    hello = json.dumps({"name": options.client, "room": options.room})
    try:
        with socket.create_connection((host.strip("[]"), int(port))) as connection:
            connection.sendall(hello.encode() + b"\n")
            reason = talk(connection, options.wait)
    except OSError as error:
        reason = str(error)
    if reason:
        print(reason, file=sys.stderr)
    return int(bool(reason))


def talk(connection: socket.socket, wait_seconds: float) -> str:
    """Carry lines both ways; return why the server ended it, or nothing."""
    sources: list[socket.socket | int] = [connection, STDIN]
    leave_at: float | None = None
    left = False
    unfinished = last = b""
    while True:
        timeout = None
        if leave_at is not None and not left:
            timeout = leave_at - time.monotonic()
            if timeout <= 0:
                # The server answers the end of sending with all that it owes.
                connection.shutdown(socket.SHUT_WR)
                left, timeout = True, None
        ready, _, _ = select.select(sources, [], [], timeout)
        if connection in ready:
            data = connection.recv(65536)
            if not data:
                break
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
            *lines, unfinished = (unfinished + data).split(b"\n")
            last = lines[-1] if lines else last
        elif STDIN in ready:
            data = os.read(STDIN, 65536)
            if data:
                connection.sendall(data)
            else:
                sources.remove(STDIN)
                leave_at = time.monotonic() + wait_seconds
    if last.startswith(b"error: "):
        return last.decode()
    return "" if left else "the server closed the connection"


if __name__ == "__main__":
    sys.exit(main())
