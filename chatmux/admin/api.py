# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The operator's requests become answers. No I/O."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Coroutine
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from chatmux.address import network_of
from chatmux.admin.events import EventSession
from chatmux.admin.page import Page, answer_with
from chatmux.admin.sampler import Sampler
from chatmux.admin.watch import Watch
from chatmux.door import Answer, Request, Upgrade
from chatmux.interfaces import Connection
from chatmux.logtext import field
from chatmux.settings import Secret
from chatmux.text import plain_lines, plain_text
from chatmux.tries import Tries

_HEADERS = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
)
REASON_BYTES = 123
"""So much fits in a WebSocket's close (RFC 6455, section 5.5)."""
NOTICE_LENGTH = 2000
"""In characters."""
MOST = 5000
"""Of a list, at most."""


class ProblemError(Exception):
    """A request cannot be done; raised to be answered."""

    def __init__(
        self, status: int, words: str, headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(words)
        self.answer = problem(status, words, headers)


class Closing(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request that closes."""

    reason: str = ""


class ClosingChannel(Closing, forbid_unknown_fields=True, kw_only=True):
    """The body of one that closes all who are somewhere."""

    channel: str


class Notice(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a request that tells everybody something."""

    text: str
    channel: str | None = None


Body = TypeVar("Body", Closing, ClosingChannel, Notice)


def problem(
    status: int, words: str, headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """Make the answer to what is wrong."""
    return Answer(status, msgspec.json.encode({"error": words}), (*_HEADERS, *headers))


class AdminAPI:
    """Answers the operator.

    Args:
        watch: Sees the node, and acts on it.
        sampler: Remembers.
        token: What has to be shown; None for nothing.
        hosts: What the address may be asked for by; None for anything.
        page: The files that are no JSON.
        tries: Counts wrong tokens.
        note: Told, for the log, what an operator has done.
    """

    def __init__(
        self,
        watch: Watch,
        sampler: Sampler,
        token: Secret | None,
        hosts: tuple[str, ...] | None,
        page: Page,
        tries: Tries,
        note: Callable[[str], None],
    ) -> None:
        self._watch = watch
        self._sampler = sampler
        self._token = token
        self._hosts = hosts
        self._page = page
        self._tries = tries
        self._note = note

    async def respond(self, request: Request) -> Answer:
        """Answer a request; what is wrong with it is an answer, too."""
        try:
            self._check_host(request)
            file = self._page.get(request.path)
            if file is not None and request.method in ("GET", "HEAD"):
                # Also from a link on another page: there is nothing in it to steal.
                return answer_with(file, request)
            self._check_origin(request)
            self._check_token(request)
            return await self._respond(request)
        except ProblemError as error:
            return error.answer

    def upgrade(self, request: Request) -> Upgrade | Answer:
        """Say whether somebody may listen to what happens."""
        try:
            self._check_host(request)
            self._check_origin(request)
            if request.path != "/api/events":
                raise ProblemError(404, "there is no such path")
            self._check_token(request)
        except ProblemError as error:
            return error.answer
        offered = request.headers.get("sec-websocket-protocol", "").split(",")[0]

        def new_session(connection: Connection) -> EventSession:
            return EventSession(connection, self._sampler, self._watch)

        return Upgrade(new_session, offered.strip() or None)

    def _check_host(self, request: Request) -> None:
        """Refuse pages of others that have given themselves this address by DNS."""
        try:
            name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
        except ValueError:
            name = ""
        if self._hosts is not None and name not in self._hosts:
            raise ProblemError(403, f"this is not {name}: see admin.hosts")

    def _check_origin(self, request: Request) -> None:
        """Refuse pages of others, which a browser lets ask in the operator's name."""
        host = request.headers.get("host", "").lower()
        origin = request.headers.get("origin")
        if origin is not None and origin.lower().partition("://")[2] != host:
            raise ProblemError(403, "this origin is not welcome")
        if request.headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            raise ProblemError(403, "this origin is not welcome")

    def _check_token(self, request: Request) -> None:
        if self._token is None:
            return
        shown = request.headers.get("authorization", "").split()[-1:]
        shown += [request.headers.get("sec-websocket-protocol", "").split(",")[0]]
        guesses = [one.strip() for one in shown if one.strip()]
        bearer = ("WWW-Authenticate", "Bearer")
        if not guesses:
            raise ProblemError(401, "a token is needed", (bearer,))
        right = self._token.encode()
        if any(hmac.compare_digest(one.encode(), right) for one in guesses):
            # In any case: others behind the same address must not keep it out, and
            # nobody guesses what is so long.
            return
        who = network_of(request.host)
        seconds = self._tries.wait(who)
        if seconds:
            later = ("Retry-After", str(seconds))
            raise ProblemError(429, "too many wrong tokens", (later,))
        self._tries.note_wrong(who)
        raise ProblemError(401, "the token is wrong", (bearer,))

    async def _respond(self, request: Request) -> Answer:
        method = "GET" if request.method == "HEAD" else request.method
        for pattern, methods in _ROUTES:
            match = pattern.fullmatch(request.path)
            if match is not None:
                answer = methods.get(method)
                if answer is None:
                    allow = ("Allow", ", ".join(methods))
                    raise ProblemError(405, "no such method", (allow,))
                told = answer(self, request, *match.groups())
                if isinstance(told, Coroutine):
                    told = await told
                return Answer(200, msgspec.json.encode(told), _HEADERS)
        raise ProblemError(404, "there is no such path")

    def server(self, request: Request) -> object:
        return self._watch.about

    def samples(self, request: Request) -> object:
        return [sample._asdict() for sample in self._sampler.samples]

    async def connections(self, request: Request) -> object:
        asked = _asked(request)
        door, channel, find = (asked.get(k, "") for k in ("door", "channel", "find"))
        return await self._watch.connections(door, channel, find, _limit(asked))

    def channels(self, request: Request) -> object:
        return self._watch.channels(_limit(_asked(request)))

    def members(self, request: Request) -> object:
        asked = _asked(request)
        return self._watch.members(asked.get("channel", ""), _limit(asked))

    def refusals(self, request: Request) -> object:
        return self._watch.refusals()

    def close_connection(self, request: Request, number: str) -> object:
        reason = _reason(_read(request, Closing))
        closed = self._watch.close_connection(int(number), reason)
        if closed is None:
            raise ProblemError(404, "there is no such connection")
        self._log(request, f"closed {closed}: {reason}")
        return {"closed": 1}

    async def close_channel(self, request: Request) -> object:
        wish = _read(request, ClosingChannel)
        reason = _reason(wish)
        closed = await self._watch.close_channel(wish.channel, reason)
        if not closed:
            raise ProblemError(404, "there is nobody on such a channel")
        self._log(request, f"closed {closed} on {wish.channel}: {reason}")
        return {"closed": closed}

    async def notice(self, request: Request) -> object:
        wish = _read(request, Notice)
        text = "\n".join(plain_lines(wish.text.strip()))
        if not text or len(text) > NOTICE_LENGTH:
            raise ProblemError(400, f"text: 1 to {NOTICE_LENGTH} characters")
        told = await self._watch.notice(text, wish.channel)
        if not told:
            raise ProblemError(404, "there is nobody to tell")
        where = "all channels" if wish.channel is None else wish.channel
        self._log(request, f"told {told} on {where} something")
        return {"told": told}

    def _log(self, request: Request, words: str) -> None:
        # Only the name of a channel and a reason may be of any length and kind.
        self._note(field(f"the operator ({request.host}) {words}"))


_Answer = Callable[..., object]
_ROUTES: tuple[tuple[re.Pattern[str], dict[str, _Answer]], ...] = (
    (re.compile("/api/server"), {"GET": AdminAPI.server}),
    (re.compile("/api/samples"), {"GET": AdminAPI.samples}),
    (re.compile("/api/connections"), {"GET": AdminAPI.connections}),
    (
        re.compile("/api/connections/([0-9]{1,18})/close"),
        {"POST": AdminAPI.close_connection},
    ),
    (re.compile("/api/channels"), {"GET": AdminAPI.channels}),
    (re.compile("/api/channels/close"), {"POST": AdminAPI.close_channel}),
    (re.compile("/api/members"), {"GET": AdminAPI.members}),
    (re.compile("/api/refusals"), {"GET": AdminAPI.refusals}),
    (re.compile("/api/notice"), {"POST": AdminAPI.notice}),
)


def _asked(request: Request) -> dict[str, str]:
    """Read a query, of which only the last of each key counts."""
    return dict(parse_qsl(request.query, keep_blank_values=True))


def _limit(asked: dict[str, str]) -> int:
    given = asked.get("limit", "500")
    if re.fullmatch("[0-9]{1,5}", given) is None:
        raise ProblemError(400, "limit: a number")
    return min(int(given), MOST)


def _read(request: Request, kind: type[Body]) -> Body:
    """Read a body, whose type of content a form of another page cannot have."""
    content_type = request.headers.get("content-type", "").partition(";")[0]
    if content_type.strip().lower() != "application/json":
        raise ProblemError(415, "application/json is expected")
    try:
        return msgspec.json.decode(request.body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProblemError(400, str(error)) from None


def _reason(wish: Closing) -> str:
    reason = plain_text(wish.reason).strip() or "closed by the operator"
    if len(reason.encode()) > REASON_BYTES:
        raise ProblemError(400, f"reason: {REASON_BYTES} bytes at most")
    return reason
