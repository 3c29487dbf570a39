# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
# mypy: allow-untyped-calls
"""The documents against the code: keys, defaults, examples, links."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase

from chatmux.broker.local import LocalBroker
from chatmux.config import Top, build
from chatmux.door import LineDoor
from chatmux.errors import PeerError
from chatmux.exposure import EXAMPLE_SECRETS
from chatmux.interfaces import Session, Subscription
from chatmux.model import Close
from chatmux.node import SECTIONS, Node
from chatmux.protocols import machat, multichat
from chatmux.settings import Limits, Secret, Settings, TLSFiles
from chatmux.transports import websocket, websocket_factory
from chatmux.transports.guard import Guard
from chatmux.transports.lines import LineFactory
from chatmux.values import Values
from tests.certificates import make_files

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
)
PROTOCOL_PAGES = {
    "multichat": ROOT / "docs/protocols/multichat.md",
    "machat": ROOT / "docs/protocols/machat.md",
}


def fenced(page: Path) -> Iterator[tuple[str, str]]:
    """Yield language and text of the fenced blocks of a page."""
    pattern = r"^```([\w-]*)\n(.*?)^```$"
    for match in re.finditer(pattern, page.read_text(), re.DOTALL | re.MULTILINE):
        yield match[1], match[2]


def section_of(page: Path, heading: str) -> str:
    """Return what stands between a heading and the next one of any level."""
    parts = re.split(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[heading]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the table rows that begin with something in backticks."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines]


def without_ticks(cell: str) -> str:
    return cell.strip().strip("`")


# The configuration

CONFIGURATION = ROOT / "docs/configuration.md"


def type_in_words(annotation: Any) -> str:
    """Return how the page says a field's type."""
    if isinstance(annotation, UnionType):
        return " or ".join(type_in_words(one) for one in get_args(annotation))
    if get_origin(annotation) is Annotated:
        return type_in_words(get_args(annotation)[0])
    if get_origin(annotation) is tuple:
        inner = type_in_words(get_args(annotation)[0])
        head, _, rest = inner.partition(" ")
        return "list of " + f"{head}s {rest}".strip()
    if get_origin(annotation) is Literal:
        return " or ".join(f'`"{one}"`' for one in get_args(annotation))
    words = {
        str: "string",
        Secret: "string",
        float: "number",
        int: "whole number",
        bool: "boolean",
        type(None): "null",
    }
    return words.get(annotation, "object")


def default_in_words(field: msgspec.structs.FieldInfo) -> str:
    """Return how the page says a field's default."""
    if field.required:
        return "required"
    if isinstance(field.default, Settings):
        return "`{}`"
    return f"`{json.dumps(msgspec.to_builtins(field.default))}`"


class ConfigurationTests(SynchronousTestCase):
    def check_section(self, heading: str, section: type[Settings]) -> None:
        expected = [
            [f"`{f.encode_name}`", type_in_words(f.type), default_in_words(f)]
            for f in msgspec.structs.fields(section)
        ]
        table = rows(section_of(CONFIGURATION, heading))
        self.assertEqual([row[:3] for row in table], expected)
        for field, row in zip(msgspec.structs.fields(section), table, strict=True):
            if get_origin(field.type) is Annotated and get_args(field.type)[1].ge:
                self.assertIn(f"At least {get_args(field.type)[1].ge}", row[3])

    def test_keys_types_and_defaults(self) -> None:
        sections: dict[str, type[Settings]] = {
            "Top level": Top,
            "limits": Limits,
            "multichat.wss": TLSFiles,
            **SECTIONS,
        }
        for heading, section in sections.items():
            self.check_section(heading, section)

    def test_sections(self) -> None:
        table = rows(section_of(CONFIGURATION, "Sections"))
        documented = [without_ticks(row[0]) for row in table]
        self.assertEqual(documented, [*SECTIONS, "limits"])

    def test_examples_can_be_served(self) -> None:
        directory = Path(self.mktemp())
        directory.mkdir()
        (directory / "multichat.secret").write_text("of a file\n")
        environ = {
            "MULTICHAT_SECRET": "of the environment",
            "MULTICHAT_HOST": "[::1]:6780",
        }
        examples = [
            text
            for page in PAGES
            for language, text in fenced(page)
            if language == "json"
        ]
        self.assertGreater(len(examples), 8)
        files = make_files(Path(self.mktemp()))
        for text in examples:
            text = text.replace("/etc/chatmux/key.pem", files.keyfile)
            text = text.replace("/etc/chatmux/cert.pem", files.certfile)
            raw = Values(directory, environ).resolve(json.loads(text))
            config = build(raw, SECTIONS)
            self.assertTrue(Node(config, MemoryReactorClock()).listeners)

    def test_addresses(self) -> None:
        for address in ("127.0.0.1:8989", "[::1]:8989", ":8989", "unix:/run/x.sock"):
            config = build({"machat": {"tcp": address, "ws": None}}, SECTIONS)
            reactor: Any = MemoryReactorClock()
            self.successResultOf(Node(config, reactor).listen())
            self.assertEqual(len(reactor.tcpServers + reactor.unixServers), 1)

    def test_error_line(self) -> None:
        with self.assertRaises(Exception) as raised:
            build({"machat": {"tpc": ""}}, SECTIONS)
        self.assertIn(f"chatmux: {raised.exception}\n", CONFIGURATION.read_text())

    def test_example_secrets_are_named(self) -> None:
        text = section_of(CONFIGURATION, "Secrets on public addresses")
        named = re.findall(r"`([\w-]+)`", text.partition("exit status")[0])
        for secret in named:
            self.assertIn(Secret(secret), EXAMPLE_SECRETS)
        self.assertIn("change-me", named)

    def test_example_file_boots(self) -> None:
        raw = json.loads((ROOT / "config.example.json").read_text())
        config = build(raw, SECTIONS)
        self.assertEqual(set(config.sections), set(SECTIONS))
        reactor: Any = MemoryReactorClock()
        node = Node(config, reactor)
        self.successResultOf(node.listen())
        self.assertEqual(
            sorted(server[0] for server in reactor.tcpServers), [6780, 8099, 8989]
        )
        self.assertEqual({server[3] for server in reactor.tcpServers}, {"127.0.0.1"})


# The protocols, whose examples are replayed

SECRET = Secret("correct horse")
BRIDGES = (("multichat", "machat/lounge"),)
END = b"\0"
"""Ends a message of a `MemoryPeer`; no protocol lets it through."""


def text_framing(message: bytes) -> bytes:
    return message + END


def binary_framing(message: bytes) -> bytes:
    return b"(binary) " + message + END


class MemoryPeer:
    """A WebSocket's peer, and the connection that its session sees."""

    def __init__(self, number: int, session: Callable[[Any], Session]) -> None:
        self.number = number
        self.framing = text_framing
        self.paused = False
        self.subscriptions: set[Subscription] = set()
        self._written = b""
        self._session = session(self)

    def say(self, message: bytes, binary: bool) -> None:
        try:
            self._session.received(message, binary)
        except PeerError as error:
            self.close(error.close)
            self._session.closed()

    def heard(self) -> list[bytes]:
        """Return the messages that came since the last call."""
        *messages, rest = self._written.split(END)
        self._written = rest
        return messages

    def write(self, chunk: bytes) -> None:
        self._written += chunk

    def send(self, message: bytes) -> None:
        self.write(self.framing(message))

    def close(self, why: Close) -> None:
        self.write(f"(close {why.code}: {why.reason})".encode() + END)

    def opened(self) -> None: ...

    def answer_in(self, binary: bool) -> None:
        self.framing = binary_framing if binary else text_framing
        for subscription in self.subscriptions:
            subscription.reframe()

    def ignored(self, why: str) -> None: ...


class LinePeer:
    """A TCP client, behind the real line protocol."""

    def __init__(self, factory: LineFactory) -> None:
        self._protocol = factory.buildProtocol(None)
        self._transport: Any = StringTransport()
        self._protocol.makeConnection(self._transport)

    def say(self, segment: bytes, binary: bool) -> None:
        self._protocol.dataReceived(segment)

    def end(self) -> None:
        self._protocol.readConnectionLost()

    def heard(self) -> list[bytes]:
        """Return the lines that came since the last call, newlines included."""
        lines: list[bytes] = self._transport.value().splitlines(keepends=True)
        self._transport.clear()
        if self._transport.disconnecting:
            self._transport.disconnecting = False
            self._protocol.connectionLost(connectionDone)
            lines.append(b"(close)")
        return lines


class Replay:
    """The clients of an example on one broker, and what they have not looked at.

    Args:
        language: Of the fenced block: the kind of all clients, or ``bridge``, where a
            client's name is its kind.
    """

    def __init__(self, language: str) -> None:
        self._language = language
        self._clock = Clock()
        self._guard = Guard(self._clock)
        self._broker = LocalBroker(self._clock, bridges=BRIDGES)
        self._peers: dict[str, MemoryPeer | LinePeer] = {}
        self.unread: dict[str, list[bytes]] = {}

    def run(self, example: str) -> None:
        """Do what the lines say.

        Raises:
            AssertionError: Something else comes than an example says, or more.
        """
        for line in example.splitlines():
            match = EXAMPLE_LINE.fullmatch(line)
            assert match is not None, line
            name, arrow, words = match.groups("")
            peer = self._peer(name)
            if arrow == "->":
                self._do(peer, words, self._kind(name))
                self._turn()
            else:
                expected = bytes_of(words, self._kind(name))
                came = self.unread[name].pop(0) if self.unread[name] else None
                assert came == expected, f"{line}: {came!r}"
        assert not any(self.unread.values()), f"{example}: {self.unread}"
        self._guard.stop()

    def _do(self, peer: MemoryPeer | LinePeer, words: str, kind: str) -> None:
        binary = words.startswith("(binary) ")
        if words == "(10 seconds pass)":
            self._clock.advance(10)
        elif words == "(end of sending)":
            assert isinstance(peer, LinePeer)
            peer.end()
        else:
            peer.say(bytes_of(words.removeprefix("(binary) "), kind), binary)

    def _turn(self) -> None:
        """Let the broker flush, and sort what came."""
        self._clock.advance(0)
        for name, peer in self._peers.items():
            self.unread[name] += peer.heard()

    def _kind(self, name: str) -> str:
        return name if self._language == "bridge" else self._language

    def _peer(self, name: str) -> MemoryPeer | LinePeer:
        if name not in self._peers:
            self._peers[name] = self._connect(self._kind(name))
            self.unread[name] = []
        return self._peers[name]

    def _connect(self, kind: str) -> MemoryPeer | LinePeer:
        if kind == "machat":
            door = next(iter(machat.doors(machat.Section(), self._broker)))
            assert isinstance(door, LineDoor)
            return LinePeer(LineFactory(self._guard, door))

        def session(connection: Any) -> Session:
            if kind == "multichat":
                return multichat.Session(connection, self._broker, SECRET)
            assert kind == "machat-ws", kind
            return machat.Session(connection, self._broker, "machat/")

        # Numbers that no connection of the guard's has.
        return MemoryPeer(1000 + len(self._peers), session)


EXAMPLE_LINE = re.compile(r"(?:([\w-]+) )?(->|<-) (.+)")
ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def bytes_of(words: str, kind: str) -> bytes:
    """Return what an example writes. JSON, all there is of multichat, has its own."""
    if kind == "multichat":
        return words.encode()

    def unescaped(match: re.Match[bytes]) -> bytes:
        return ESCAPES.get(match[1]) or bytes.fromhex(match[1][1:].decode())

    return re.sub(rb"\\(x[0-9a-f]{2}|[nrt])", unescaped, words.encode())


class ProtocolPageTests(SynchronousTestCase):
    def test_examples(self) -> None:
        replayed = dict.fromkeys(("multichat", "machat", "machat-ws", "bridge"), 0)
        for page in PROTOCOL_PAGES.values():
            for language, example in fenced(page):
                Replay(language).run(example)
                replayed[language] += 1
        self.assertTrue(all(replayed.values()), replayed)

    def test_a_wrong_example_is_found(self) -> None:
        wrong = (
            '-> {"name":"ann"}\n-> hello\\n\n<- ann:hell\\n\n',
            '-> {"name":"ann"}\n-> hello\\n\n',
            '-> {"name":"ann"}\n<- ann:hello\\n\n',
            "ann: hello\n",
        )
        for example in wrong:
            with self.assertRaises(AssertionError):
                Replay("machat").run(example)

    def test_every_protocol_has_its_page(self) -> None:
        self.assertEqual(set(PROTOCOL_PAGES), set(SECTIONS))

    def test_limits(self) -> None:
        sizes = {
            "multichat": (multichat.OPENING_BYTES, multichat.MESSAGE_BYTES),
            "machat": (machat.HELLO_BYTES, machat.LINE_BYTES, machat.MESSAGE_BYTES),
        }
        for name, page in PROTOCOL_PAGES.items():
            table = section_of(page, "Limits")
            for size in sizes[name]:
                self.assertIn(f"{size:,} bytes", table)
            limits = Limits()
            for seconds in (limits.opening_seconds, limits.message_seconds):
                self.assertIn(f"| {seconds} s", table)
            self.assertIn(f"| {limits.fragments:,} |", table)
            ping = (
                f"{limits.pong_seconds} s; a ping comes every {limits.ping_seconds} s"
            )
            self.assertIn(ping, table)
            self.assertIn(f"{limits.stall_seconds} s without taking a byte", table)
            self.assertIn(f"{limits.log_bytes >> 20} MiB behind", table)


# The architecture


def overridden(ours: type, theirs: type) -> set[str]:
    """Return what of a class of Autobahn's ours has anew."""
    own = {name for name in vars(ours) if not name.startswith("__")}
    return {name for name in own if hasattr(theirs, name)}


class ArchitectureTests(SynchronousTestCase):
    page = ROOT / "docs/architecture.md"

    def test_overrides(self) -> None:
        expected = overridden(websocket.WebSocketProtocol, WebSocketServerProtocol)
        factory = websocket_factory.WebSocketFactory
        expected |= overridden(factory, WebSocketServerFactory)
        table = rows(section_of(self.page, "What Autobahn is kept from"))
        documented = {name for row in table for name in re.findall(r"`(\w+)`", row[0])}
        self.assertEqual(documented, expected)

    def test_modules_exist(self) -> None:
        text = self.page.read_text()
        named = set(re.findall(r"\b(?:\w+/)*\w+\.py\b", text))
        self.assertGreater(len(named), 12)
        modules = {file.name for file in (ROOT / "chatmux").rglob("*.py")}
        for name in named:
            places = ROOT / "chatmux" / name, ROOT / name
            found = any(place.exists() for place in places) or name in modules
            self.assertTrue(found, name)

    def test_every_module_has_a_line(self) -> None:
        text = section_of(self.page, "The house")
        for module in (ROOT / "chatmux").rglob("*.py"):
            if module.name != "__init__.py":
                self.assertIn(module.name, text)


# Embedding


class Recorder(Protocol):
    """A client that says something once and keeps what comes."""

    transport: Any

    def __init__(self, hello: bytes) -> None:
        self._hello = hello
        self.came = b""
        self.ended: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(self._hello)

    def dataReceived(self, data: bytes) -> None:
        self.came += data
        if self.came.endswith(b"\n"):
            self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended.callback(self.came)


class EmbeddingTests(TestCase):
    timeout = 30

    async def test_the_program_runs(self) -> None:
        programs = [
            text
            for language, text in fenced(ROOT / "docs/embedding.md")
            if language == "python" and "async def serve_chat" in text
        ]
        self.assertEqual(len(programs), 1)
        found: dict[str, Any] = {"__name__": "embedding"}
        exec(compile(programs[0], "docs/embedding.md", "exec"), found)
        reactor: Any = global_reactor
        lines, messages = await found["serve_chat"](
            reactor, tcp="127.0.0.1:0", ws="127.0.0.1:0"
        )
        try:
            self.assertIs(lines.broker, messages.broker)
            self.assertIn("machat.ws", messages.addresses)
            endpoint = TCP4ClientEndpoint(reactor, *lines.addresses["machat.tcp"])
            client = Recorder(b'{"name":"ann","room":"dev"}\nhello\n')
            await connectProtocol(endpoint, client)
            self.assertEqual(await client.ended, b"ann:hello\n")
        finally:
            await messages.stopService()
            await lines.stopService()


# All pages


@dataclass(frozen=True)
class Link:
    page: Path
    target: str
    anchor: str


def links(page: Path) -> Iterator[Link]:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield Link(page, path, anchor)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    words = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.replace(" ", "-") for heading in words}


class PageTests(SynchronousTestCase):
    def test_links(self) -> None:
        for link in (link for page in PAGES for link in links(page)):
            file = (
                (link.page.parent / link.target).resolve() if link.target else link.page
            )
            self.assertTrue(file.exists(), link)
            if link.anchor:
                self.assertIn(link.anchor, anchors(file), link)

    def test_every_page_can_be_reached(self) -> None:
        reached = {ROOT / "README.md"}
        waiting = list(reached)
        while waiting:
            page = waiting.pop()
            for link in links(page):
                file = (page.parent / link.target).resolve()
                if file.suffix == ".md" and file not in reached:
                    reached.add(file)
                    waiting.append(file)
        self.assertEqual([page for page in PAGES if page not in reached], [])

    def test_width(self) -> None:
        for page in PAGES:
            for number, line in enumerate(page.read_text().splitlines(), 1):
                free = line.startswith(("|", "- `", "->", "<-")) or "://" in line
                self.assertTrue(len(line) <= 100 or free, f"{page}:{number}")

    def test_decisions_have_their_parts(self) -> None:
        decisions = sorted((ROOT / "docs/adr").glob("*.md"))
        numbers = [int(page.name[:4]) for page in decisions]
        self.assertEqual(numbers, list(range(1, len(decisions) + 1)))
        for page in decisions:
            headings = re.findall(r"^## (.+)$", page.read_text(), flags=re.MULTILINE)
            parts = ["Status", "Context", "Decision", "Consequences"]
            self.assertEqual(headings, parts, page)
