# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What is sent for an entry of the corpus, and whether its outcome came of it."""

from __future__ import annotations

import json
import re
import string
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any

from tests.attack import Target
from tests.corpus import NAME, make_json, make_tokens
from tests.corpus_sender import Exchange, cut
from tests.http_doubles import heard
from tests.pulse import SECRET
from tests.websocket_doubles import CLOSE, TEXT, masked

_PLACES = {"multichat": "multichat", "machat": "mychat", "globes": "globes"}
_PLACES["webtalk"] = "public"
_LETTERS = string.digits + string.ascii_lowercase
_LONG = re.compile(r"(.*)\*(\d*)", re.DOTALL)
_GOODBYE = masked(CLOSE, b"\x03\xe8")
_names = count()


def fresh_name() -> bytes:
    """Return a name that nobody else has, as long as what stands for it."""
    number, letters = next(_names), ""
    for _ in range(3):
        number, digit = divmod(number, 36)
        letters += _LETTERS[digit]
    return f"n{letters}".encode()


@dataclass
class Trial:
    """One entry, sent once.

    Attributes:
        words: Tells which entry, for who reads of its failure.
        exchange: How it is sent.
        name: By which what it says is carried.
        fault: Given what was carried by the name, says what is wrong, or None.
    """

    words: str
    exchange: Exchange
    name: str
    fault: Callable[[list[str]], str | None]


class Judge:
    """Makes trials of entries.

    Args:
        target: To which they are sent.
        way: How they are cut.
        known: What is known of the protected room of the tokens.
    """

    def __init__(self, target: Target, way: str, known: dict[str, int]) -> None:
        self._target = target
        self._way = way
        self._known = known
        self._random = Random(way)
        self._path = f"/chats/{known['ROOM']}/token/renew"

    def trials(self, kind: str, entry: dict[str, Any]) -> Iterator[Trial]:
        """Return what there is to be done with an entry."""
        make: Callable[..., Iterator[Trial]] = getattr(self, f"_{kind}")
        yield from make(entry, f"{kind}: {entry['name']} ({self._way})")

    def _send(
        self, place: str, data: bytes, before: bytes = b"", after: bytes | None = None
    ) -> Exchange:
        pieces = [before, *cut(data, self._way, self._random), after or b""]
        if self._way == "whole":
            pieces = [b"".join(pieces)]
        return Exchange(self._target.port[place], pieces, waits=after is not None)

    def _webtalk(self, entry: dict[str, Any], words: str) -> Iterator[Trial]:
        exchange = self._send("private", entry["bytes"])

        def fault(carried: list[str]) -> str | None:
            found = [body.decode("latin-1") for body in _decimal5(bytes(exchange.came))]
            wanted = entry["outcome"]
            if len(found) == len(wanted) and all(map(is_answer, found, wanted)):
                return None
            return f"{_short(found)} and not {_short(wanted)}"

        yield Trial(words, exchange, "", fault)

    def _machat(self, entry: dict[str, Any], words: str) -> Iterator[Trial]:
        name, outcome = fresh_name(), entry["outcome"]
        exchange = self._send("machat", entry["bytes"].replace(NAME, name))

        def fault(carried: list[str]) -> str | None:
            error = _has_error(exchange)
            if error != outcome["error"]:
                return f"an error line: {error}: {_short(exchange.came)}"
            return _other(carried, outcome["carried"], name)

        yield Trial(words, exchange, name.decode(), fault)

    def _websocket(self, entry: dict[str, Any], words: str) -> Iterator[Trial]:
        name, outcome = fresh_name(), entry["outcome"]
        place, before = _PLACES[entry["door"]], b""
        if not entry.get("raw"):
            before = self._target.handshake(place)
        if entry.get("known"):
            before += masked(TEXT, self._target.opening(place, name.decode()))
        waits = not (entry.get("raw") or entry.get("unfinished"))
        exchange = self._send(
            place, entry["bytes"], before, _GOODBYE if waits else None
        )

        def fault(carried: list[str]) -> str | None:
            if entry.get("raw"):
                is_right = exchange.status == outcome["status"]
                return None if is_right else f"answered {_short(exchange.came)}"
            if exchange.status != 101 or exchange.close_code() != outcome["close"]:
                return f"closed with {exchange.close_code()}: {_short(exchange.came)}"
            return _other(carried, outcome["carried"], name)

        yield Trial(words, exchange, name.decode(), fault)

    def _http(self, entry: dict[str, Any], words: str) -> Iterator[Trial]:
        exchange = self._send("globes", entry["bytes"])

        def fault(carried: list[str]) -> str | None:
            found = [answer.status for answer in heard(bytes(exchange.came))]
            if found == entry["outcome"]:
                return None
            return f"{found} and not {entry['outcome']}"

        yield Trial(words, exchange, "", fault)

    def _tokens(self, entry: dict[str, Any], words: str) -> Iterator[Trial]:
        token = make_tokens.assembled(entry, self._known)
        head = (
            f"GET {self._path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ".encode()
        )
        shown = token.encode("latin-1")
        exchange = self._send("globes", shown, head, None)
        exchange.pieces.append(b"\r\n\r\n")

        def fault(carried: list[str]) -> str | None:
            (answer,) = heard(bytes(exchange.came))
            right = answer.status == entry["outcome"]
            return None if right else f"{answer.status} and not {entry['outcome']}"

        yield Trial(words, exchange, "", fault)

    def _json(self, entry: dict[str, Any], words: str) -> Iterator[Trial]:
        for entrance, outcome in entry["outcome"].items():
            name = fresh_name()
            text = make_json.filled(entry["bytes"], entrance).replace(NAME, name)
            yield self._entrance(entrance, text, outcome, name, f"{entrance}: {words}")

    def _entrance(
        self, entrance: str, text: bytes, outcome: Any, name: bytes, words: str
    ) -> Trial:
        place = {"multichat": "multichat", "machat": "machat", "globes": "globes"}[
            entrance.partition(" ")[0]
        ]
        if entrance == "machat hello":
            exchange = self._send(place, text, after=None)
            exchange.pieces.append(b"\nafter\n")
        elif entrance == "globes body":
            head = "POST /chats HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n"
            exchange = self._send(place, text, head.format(len(text)).encode())
        else:
            before = self._target.handshake(place)
            if entrance != "multichat first":
                before += masked(TEXT, self._target.opening(place, name.decode()))
            exchange = self._send(place, masked(TEXT, text), before, _GOODBYE)

        def fault(carried: list[str]) -> str | None:
            return _entrance_fault(entrance, exchange, outcome, carried, name)

        return Trial(words, exchange, name.decode(), fault)


def _entrance_fault(
    entrance: str, exchange: Exchange, outcome: Any, carried: list[str], name: bytes
) -> str | None:
    if entrance == "machat hello":
        found: Any = "error" if _has_error(exchange) else "joined"
        return None if found == outcome else f"{found}: {_short(exchange.came)}"
    if entrance == "globes body":
        (answer,) = heard(bytes(exchange.came))
        error = json.loads(answer.body).get("error", {"code": 0})
        found = [answer.status, error["code"]]
        return None if found == outcome else f"{found} and not {outcome}"
    code = exchange.close_code()
    if type(outcome) is int:
        return None if code == outcome else f"closed with {code} and not {outcome}"
    if code != 1000:
        return f"closed with {code}, not {outcome!r}"
    if entrance == "multichat first":
        acked = any(b"register-ack" in frame.payload for frame in exchange.frames())
        return None if acked else "no ack"
    own = [f.payload for f in exchange.frames() if b'"event_type":"error"' in f.payload]
    if bool(own) != (outcome is True):
        return f"an error event: {_short(own)}"
    return _other(carried, [outcome] if isinstance(outcome, str) else [], name)


def _has_error(exchange: Exchange) -> bool:
    lines = exchange.came.split(b"\n")
    return any(line.startswith(b"error: ") for line in lines)


def _decimal5(data: bytes) -> Iterator[bytes]:
    while data:
        length = int(data[:5])
        body, data = data[5 : 5 + length], data[5 + length :]
        if len(body) != length:
            raise AssertionError(f"half a frame: {body[:50]!r}")
        yield body


def is_answer(found: str, wanted: str) -> bool:
    if wanted == "[ok] ID!SALT":
        return re.fullmatch(r"\[ok\] \d+!\d{39}", found) is not None
    if wanted == "[ok] ID":
        return re.fullmatch(r"\[ok\] \d+", found) is not None
    return _is_text(found, wanted)


def _is_text(found: str, wanted: str) -> bool:
    """Compare with a text that may be shortened, ``BEGINNING*LENGTH``."""
    long = _LONG.fullmatch(wanted)
    if found == wanted or long is None:
        return found == wanted
    right_length = not long[2] or len(found) == int(long[2])
    return found.startswith(long[1]) and right_length


def _other(carried: list[str], wanted: list[str], name: bytes) -> str | None:
    """Say what was carried, if that is not what is wanted."""
    wanted = [one.replace(NAME.decode(), name.decode()) for one in wanted]
    found, expected = map(_visible, carried), map(_visible, wanted)
    if len(carried) == len(wanted) and all(map(_is_text, found, expected)):
        return None
    return f"carried {_short(carried)} and not {_short(wanted)}"


def _visible(text: str) -> str:
    """Return of a text what a reader sees: that no control is left is for others."""
    return "".join(one for one in text if one.isprintable() and not one.isspace())


def _short(what: object) -> str:
    return repr(what)[:200]


class Heard:
    """What is carried to a client of multichat, by names."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._socket = target.enter("multichat", "watcher")
        self.texts: dict[str, list[str]] = defaultdict(list)

    def listen(self) -> None:
        """Take what comes, until the socket is closed by `Heard.end`."""
        buffer = b""
        while not self.texts["the end"]:
            part = self._socket.recv(1 << 16)
            if not part:
                raise AssertionError("the watcher was closed")
            buffer = self._take(buffer + part)

    def _take(self, buffer: bytes) -> bytes:
        """Take whole messages; return the rest."""
        at = 0
        while len(buffer) - at >= 2:
            length, start = buffer[at + 1], at + 2
            if length >= 126:
                start += 2 if length == 126 else 8
                length = int.from_bytes(buffer[at + 2 : start], "big")
            if len(buffer) < start + length:
                break
            payload = buffer[start : start + length]
            at = start + length
            if payload.startswith(b'{"action":"forwarding'):
                said = json.loads(payload)
                self.texts[said["source-client-name"]].append(said["content"])
        return buffer[at:]

    def end(self) -> None:
        """Say, behind all that was sent, that this was all."""
        speaker = self._target.enter("multichat", "the end")
        end = {"action": "client-message", "content": SECRET}
        speaker.sendall(masked(TEXT, json.dumps(end).encode()))
        speaker.close()
