# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Frame streams for webtalk's private port, and the answers that are due.

The outcome is the list of the answers; with the last one the connection is closed, as
the peer ends its sending behind every stream. In it ``ID`` and ``SALT`` stand for
numbers, and ``*`` at the end of a word on a frame's size for what is there instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

LONGEST = 99_999
LARGEST_ID = 2**64 - 1
DIGITS = b"0123456789"

BODIES = (
    b"[newuser]",
    b"[newchannel]",
    b"[whisper] 999999999!hello",
    b"[shout] 999999999!hello",
    b"[join] 999999999!888888888",
    b"[leave] 999999999!888888888",
    b"[killuser] 999999999",
    b"[killchannel] 999999999",
    b"[store] KEY!value",
    b"[retrieve] nobody stored this",
    b"[clear] KEY",
)
BAD_SIZES = (
    b"     -0001 +0009 1_000 0x009  0009 0009  1e004 00,09 0.009 ....9 NaN   Inf\0\0"
    b" 9\0\0\0\0 \0\0\0\0\0 \xff\xff\xff\xff\xff [newu GET / POST  SSH-2 EHLO  {nam"
)
BAD_IDS = (
    *(b"", b"+1", b"-1", b" 1", b"1 ", b"1_0", b"0x1", b"1.0", b"1e1", b"NaN", b"abc"),
    *(b"\0", b"1\0", b"\xb2", b"\xd9\xa1", b"\xef\xbc\x91", b"1\n", b"\t1", b"%d"),
    *(b"18446744073709551616", b"9" * 40, b"1;2", b"1/2", b"'1'", b"__proto__"),
)


def frame(body: bytes) -> bytes:
    return b"%05d%b" % (len(body), body)


def _id(digits: bytes, kind: bytes) -> bytes | None:
    """Return the error of what should be an id, or None."""
    why = b"an id is ASCII digits only"
    if digits and not digits.strip(DIGITS):
        if int(digits) <= LARGEST_ID:
            return None
        why = b"an id is at most %d" % LARGEST_ID
    return b"Invalid %b: %b, %b" % (kind, digits, why)


def _two(data: bytes, missing: bytes, *kinds: bytes) -> bytes | None:
    """Return the error of what should be two, of which some are ids, or None."""
    if b"!" not in data:
        return missing + b" separator not found (!)"
    faults = map(_id, data.split(b"!", 1), kinds)
    return next((fault for fault in faults if fault is not None), None)


def answer(command: bytes, data: bytes, store: dict[bytes, bytes]) -> bytes:
    """Return the answer to a command, by the table of the protocol's page."""
    fault, told = None, b""
    first, _, rest = data.partition(b"!")
    if command == b"newuser":
        told = b"ID!SALT"
    elif command == b"newchannel":
        told = b"ID"
    elif command == b"killuser":
        fault, told = _id(data, b"User"), b"user killed"
    elif command == b"killchannel":
        fault, told = _id(data, b"Channel"), b"channel killed"
    elif command == b"whisper":
        fault, told = _two(data, b"User", b"User"), b"message sent"
    elif command == b"shout":
        fault, told = _two(data, b"Channel", b"Channel"), b"message sent"
    elif command == b"join":
        fault = _two(data, b"Channel/User", b"Channel", b"User")
        told = b"user joined"
    elif command == b"leave":
        fault = _two(data, b"Channel/User", b"Channel", b"User")
        told = b"user leaved"
    elif command == b"store":
        fault, told = _two(data, b"Data"), b"stored " + first
    elif command == b"retrieve":
        told = store.get(data, b"")
    elif command == b"clear":
        told = b"cleared " + data
    else:
        fault = b"Invalid command: " + command
    said = b"[ok] " + told if fault is None else b"[error] " + fault
    if len(said) > LONGEST:
        return b"[error] the answer is longer than %d bytes" % LONGEST
    if fault is None and command == b"store":
        store[first] = rest
    elif command == b"clear":
        store.pop(data, None)
    return said


def answers(stream: bytes) -> Iterator[bytes]:
    """Return what is answered to a stream, its end included."""
    store: dict[bytes, bytes] = {}
    while stream:
        size, stream = stream[:5], stream[5:]
        if len(size) < 5:
            yield b"[error] Insufficient Frame Size: %d" % len(size)
            return
        if size.strip(DIGITS):
            yield b"[error] Invalid Frame Size: *"
            return
        body, stream = stream[: int(size)], stream[int(size) :]
        if len(body) < int(size):
            yield b"[error] Error reading Frame: EOF"
            return
        if not body:
            yield b"[ok] goodbye"
            return
        if not body.startswith(b"["):
            yield b"[error] Invalid Frame: [ brace not found"
            return
        command, brace, data = body[1:].partition(b"]")
        if not brace:
            yield b"[error] Invalid Frame: ] brace not found"
            return
        yield answer(command, data[1:], store)
    yield b"[error] Invalid Frame: EOF"


def streams() -> Iterator[tuple[str, bytes]]:
    """Return streams with their names."""
    good = frame(b"[newuser]")
    yield "nothing at all", b""
    for index in range(0, len(BAD_SIZES), 6):
        size = BAD_SIZES[index : index + 5].ljust(5)
        yield f"the size {size!r}", size + b"[newuser]"
        yield f"the size {size!r} behind a frame", good + size + b"[newuser]"
    for byte in b"\0\t\n\r -+_.xA\x7f\x80\xb2\xff":
        for at in range(5):
            digits = b"00009"[:at] + bytes((byte,)) + b"00009"[at + 1 :]
            yield f"{byte:#04x} in place {at} of the size", digits + b"[newuser]"
    for length in range(1, 5):
        yield f"{length} digits", b"00009"[:length]
        yield f"{length} digits behind a frame", good + b"00009"[:length]
        yield f"{length} bytes that are no digits", b"[new"[:length]
    for length in range(9):
        yield f"{length} bytes of nine", b"00009" + b"[newuser]"[:length]
    for length in (10, 11, 99, 9999, 99_999):
        yield f"nine bytes of {length}", b"%05d[newuser]" % length
    for length in range(9):
        yield f"nine bytes told as {length}", b"%05d[newuser]" % length
    yield from _commands()
    yield from _long()
    for bad in BAD_IDS:
        yield f"the user {bad!r}", frame(b"[killuser] " + bad)
        yield f"the channel {bad!r}", frame(b"[killchannel] " + bad)
        yield f"a whisper to {bad!r}", frame(b"[whisper] " + bad + b"!hello")
        yield f"a shout to {bad!r}", frame(b"[shout] " + bad + b"!hello")
        yield f"a join of {bad!r}", frame(b"[join] 7!" + bad) + good
        yield f"leaving {bad!r}", frame(b"[leave] " + bad + b"!7") + good


def _commands() -> Iterator[tuple[str, bytes]]:
    for body in (
        *(b"[", b"]", b"[]", b"[] ", b"][", b"[[newuser]]", b" [newuser]", b"newuser]"),
        *(b"[newuser", b"[NEWUSER]", b"[ newuser]", b"[newuser ]", b"[newuser\0]"),
        *(b"[dance]", b"[ok] message sent", b"[error] x", b"[auth] secret", b"\0"),
        *(b"[\xff\xfe]", b"[n\xc3\xa4]", b"[\r\n]", b"[\x1b[2J]", b"[{0.__class__}]"),
        *(b"[%s%n]", b"[newuser]]]]", b"[newuser][newuser]", b"[newchannel]\0\0\0"),
        *(
            b"{}",
            b"GET / HTTP/1.1\r\n\r\n",
            b"00009[newuser]",
            b"\xef\xbb\xbf[newuser]",
        ),
    ):
        yield f"the frame {body!r}", frame(body)
        yield f"the frame {body!r} and another", frame(body) + frame(b"[newchannel]")
    for word in (b"killuser", b"killchannel", b"whisper", b"shout", b"join", b"leave"):
        for data in (b"", b" ", b"  ", b" 7", b" 7 x", b" !", b" !!", b" 7!", b" 7!!"):
            yield f"{word!r} of {data!r}", frame(b"[%b]%b" % (word, data))
    for data in (b"", b" ", b" KEY", b" !", b" KEY!", b" \0!\0", b" \xff!\xff"):
        yield f"store of {data!r}", frame(b"[store]%b" % data)
        yield f"clear of {data!r}", frame(b"[clear]%b" % data)
    for text in (b"]", b"[ok] ", b"00009[newuser]", b"\r\nann: I quit", b"\xff\xfe\0"):
        stored = frame(b"[store] KEY!" + text) + frame(b"[retrieve] KEY")
        yield f"{text!r} as a value", stored + frame(b"[clear] KEY")
        yield f"{text!r} as a whisper", frame(b"[whisper] 999999999!" + text)


def _long() -> Iterator[tuple[str, bytes]]:
    for least in (0, 1):
        key = b"k" * (LONGEST - len(b"[ok] cleared ") + least)
        yield f"a key that is {least} too long to tell", frame(b"[clear] " + key)
        word = b"w" * (LONGEST - len(b"[error] Invalid command: ") + least)
        yield f"a word that is {least} too long to tell", frame(b"[%b]" % word)
    yield "a frame of the longest size", frame(b"[store] KEY!".ljust(LONGEST, b"v"))
    yield "the longest size and no more", b"99999"
    yield "a brace that is nowhere", frame(b"[" * LONGEST)
    yield "digits without end", b"0" * 4096
    yield "empty frames without end", b"00000" * 300
    yield "many bad commands", frame(b"[dance]") * 300
    yield "many frames, the last one cut", (frame(b"[newchannel]") * 200)[:-3]


def mutated(random: Random) -> bytes:
    """Return a few good frames with a few bytes changed."""
    stream = bytearray(b"".join(map(frame, random.choices(BODIES, k=3))))
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(stream))
        match random.randrange(3):
            case 0:
                stream[at] = random.choice(b"0123456789[]! \0\xff\nab")
            case 1:
                del stream[at]
            case _:
                stream.insert(at, random.choice(b"0123456789[]! \0\xff\nab"))
    return bytes(stream)


def entries() -> list[dict[str, Any]]:
    """Make all entries."""
    random = Random("webtalk")
    named = list(streams())
    named += [(f"changed at random, {n}", mutated(random)) for n in range(100)]
    made = []
    for number, (name, stream) in enumerate(named):
        # A key of their own: all is stored in one place.
        key = b"k%c%c" % (48 + number // 60, 48 + number % 60)
        stream = stream.replace(b"KEY", key)
        told = [one.decode("latin-1") for one in answers(stream)]
        told = [one if len(one) < 300 else f"{one[:40]}*{len(one)}" for one in told]
        made.append({"name": name, "bytes": stream, "outcome": told})
    return made
