# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A WebSocket on which an operator hears what happens, as it does."""

from __future__ import annotations

from typing import Any

import msgspec

from chatmux.admin.sampler import Sample, Sampler
from chatmux.admin.watch import Watch
from chatmux.interfaces import Connection

MOST_REFUSALS = 20
"""How many between two samples are told one by one; the samples count all."""

_encoder = msgspec.json.Encoder()


class EventSession:
    """Tells of samples and refusals. Who does not read misses some, and nothing waits.

    Args:
        connection: The operator's.
        sampler: Tells of seconds.
        watch: Tells of refusals.
    """

    def __init__(self, connection: Connection, sampler: Sampler, watch: Watch) -> None:
        self._connection = connection
        self._sampler = sampler
        self._watch = watch
        self._refusals = 0
        connection.opened()
        sampler.listeners.add(self._tell_sample)
        watch.listeners.add(self._tell_refusal)

    def received(self, message: bytes, binary: bool) -> None:
        self._connection.ignored("an operator's page has nothing to say here")

    def closed(self) -> None:
        self._sampler.listeners.discard(self._tell_sample)
        self._watch.listeners.discard(self._tell_refusal)

    def _tell_sample(self, sample: Sample) -> None:
        self._refusals = 0
        self._tell({"sample": sample._asdict()})

    def _tell_refusal(self, refusal: Any) -> None:
        self._refusals += 1
        if self._refusals <= MOST_REFUSALS:
            self._tell({"refusal": refusal._asdict()})

    def _tell(self, told: dict[str, object]) -> None:
        if not self._connection.paused:
            self._connection.send(_encoder.encode(told))
