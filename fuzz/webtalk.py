# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""webtalk's frames and commands: however they are cut, each is answered by the rules
that the corpus is made by."""

from __future__ import annotations

from collections.abc import Iterable

from chatmux.errors import PeerError
from chatmux.transports.decimal5 import (
    FrameDecoder,
    FrameLengthError,
    FrameTooLongError,
)
from fuzz.pieces import cut, streams
from tests.corpus.make_webtalk import answers
from tests.corpus_judge import is_answer
from tests.webtalk_doubles import Backend, Webtalk, split_numbered


def seeds() -> Iterable[bytes]:
    return streams("webtalk")


def once(data: bytes) -> None:
    stream, pieces = cut(data)
    backend = Backend(Webtalk(), None, False)
    try:
        _drive(backend, pieces)
    except PeerError:
        # With the last answer, which says why.
        backend.session.closed()
    found = [one.decode("latin-1") for one in split_numbered(backend.connection.take())]
    wanted = [one.decode("latin-1") for one in answers(stream)]
    if len(found) != len(wanted) or not all(map(is_answer, found, wanted)):
        raise AssertionError(f"{found} and not {wanted}")


def _drive(backend: Backend, pieces: list[bytes]) -> None:
    decoder, session = FrameDecoder(), backend.session
    for piece in pieces:
        decoder.feed(piece)
        try:
            while (body := decoder.next()) is not None:
                session.received(body, True)
                if backend.connection.closed_for is not None:
                    return
        except FrameLengthError as error:
            session.bad_length(error.digits)
        except FrameTooLongError as error:
            session.frame_too_long(error.length)
    session.ended(decoder.rest)
