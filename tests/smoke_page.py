# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A page of webtalk's example back-end without a browser, for smoke.sh.

Logs in with the ticket in the page, has the back-end say standard input, and prints
what comes for three seconds. Needs the standard library only.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import time
from urllib.parse import urlsplit
from urllib.request import urlopen

HEARING_SECONDS = 3
HANDSHAKE = (
    "GET {0.path} HTTP/1.1\r\nHost: {0.netloc}\r\nConnection: Upgrade\r\n"
    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def main(url: str) -> None:
    with urlopen(url) as answer:
        page = answer.read().decode()
    (settings,) = map(json.loads, re.findall(r'/json">(.*)</script>', page))
    server = urlsplit(settings["server"])
    with socket.create_connection((server.hostname, server.port)) as connection:
        connection.sendall(HANDSHAKE.format(server).encode())
        ticket: bytes = settings["ticket"].encode()
        # A text frame of less than 126 bytes, masked with zeros.
        connection.sendall(bytes((0x81, 0x80 | len(ticket), 0, 0, 0, 0)) + ticket)
        with urlopen(url + "say", sys.stdin.buffer.read().strip()) as answer:
            assert answer.status == 204, answer.status
        end = time.monotonic() + HEARING_SECONDS
        while (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            try:
                data = connection.recv(65536)
            except TimeoutError:
                break
            assert data, "the server has closed the connection"
            # Frames that are not masked: their texts can be read as they are.
            sys.stdout.buffer.write(data)


if __name__ == "__main__":
    main(sys.argv[1])
