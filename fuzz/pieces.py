# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""How an input becomes a stream in pieces, and how errors in a log become visible."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from random import Random

from twisted.logger import LogEvent, globalLogPublisher

from tests.corpus import load


def streams(kind: str) -> Iterable[bytes]:
    """Return the bytes of a kind of the tests' corpus, behind what says how to cut."""
    for number, entry in enumerate(load(kind)):
        yield bytes((number % 256,)) + entry["bytes"]


def cut(data: bytes) -> tuple[bytes, list[bytes]]:
    """Return the stream of an input, whole and in pieces, as its first byte says."""
    seed, stream = data[:1], data[1:]
    random = Random(seed)
    most = random.choice((1, 3, 30, 1000))
    places, at = [0], 0
    while at < len(stream):
        at = min(len(stream), at + random.randint(1, most))
        places.append(at)
    return stream, [stream[start:end] for start, end in pairwise(places)]


@contextmanager
def nothing_logged() -> Iterator[None]:
    """Raise the first error that is logged meanwhile."""
    failures = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            failures.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)  # type: ignore[arg-type]
    try:
        yield
    finally:
        globalLogPublisher.removeObserver(observe)  # type: ignore[arg-type]
    if failures:
        failures[0].raiseException()
