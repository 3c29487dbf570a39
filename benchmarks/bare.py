# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""One ``send`` a delivery and nothing else, to compare with.

What a light load costs at the least: a message comes alone, so every receiver takes a
system call of its own, whatever the server is written in. It takes MaChat's lines as
they are, without names, rooms, checks, or care for who reads slowly. Run as
``python -m benchmarks.bare PORT``.
"""

from __future__ import annotations

import select
import socket
import sys

from benchmarks.generator import raise_descriptor_limit

_READ_BYTES = 64 * 1024


def main(port: int) -> None:
    """Serve on loopback until the process is ended."""
    raise_descriptor_limit()
    door = socket.create_server(("127.0.0.1", port), backlog=1024)
    epoll = select.epoll()
    epoll.register(door, select.EPOLLIN)
    clients: dict[int, socket.socket] = {}
    greeted: set[int] = set()
    while True:
        for number, _ in epoll.poll():
            if number == door.fileno():
                client = door.accept()[0]
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[client.fileno()] = client
                epoll.register(client, select.EPOLLIN)
                continue
            try:
                data = clients[number].recv(_READ_BYTES)
            except ConnectionError:
                data = b""
            if not data:
                greeted.discard(number)
                clients.pop(number).close()
                continue
            if number not in greeted:
                greeted.add(number)
                _, _, data = data.partition(b"\n")
            for line in data.splitlines(keepends=True):
                _send_to_all(clients, line)


def _send_to_all(clients: dict[int, socket.socket], line: bytes) -> None:
    for client in clients.values():
        try:
            client.send(line)
        except OSError:
            continue  # Its own turn takes it off the list.


if __name__ == "__main__":
    main(int(sys.argv[1]))
