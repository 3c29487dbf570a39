# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Two networks with a line between them that can be made to swallow everything."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from typing import Any, TypeVar
from unittest import SkipTest

HERE = "192.0.2.1"
THERE = "192.0.2.2"
_NEW_NETWORK = 0x40000000
Result = TypeVar("Result")


class Networks:
    """Two network namespaces, with an address each; nothing else of the machine's.

    Skips the test where they cannot be made: that needs Linux, ``ip`` and root.
    """

    def __init__(self) -> None:
        self._here, self._there = (f"chatmux-{os.getpid()}-{one}" for one in "ab")
        if shutil.which("ip") is None or os.geteuid() != 0:
            raise SkipTest("NO BLACK HOLE WAS TRIED: that needs ip (iproute2) and root")
        try:
            self._make()
        except subprocess.CalledProcessError as error:
            self.remove()
            words = error.stderr.decode().strip()
            raise SkipTest(f"NO BLACK HOLE WAS TRIED: {error.cmd}: {words}") from None

    def _make(self) -> None:
        for name in self._here, self._there:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        ends = "veth0", "type", "veth", "peer", "name", "veth0", "netns", self._there
        _ip("-n", self._here, "link", "add", *ends)
        for name, address in (self._here, HERE), (self._there, THERE):
            _ip("-n", name, "address", "add", f"{address}/24", "dev", "veth0")
            _ip("-n", name, "link", "set", "veth0", "up")

    def here(self, step: Callable[[], Result]) -> Result:
        """Do something in the first; processes that it starts are there, too."""
        return _within(self._here, step)

    def there(self, step: Callable[[], Result]) -> Result:
        """Do something in the second; its sockets stay what they are."""
        return _within(self._there, step)

    def swallow(self) -> None:
        """From now on nothing that is sent to the second is answered by anybody."""
        _ip("-n", self._there, "address", "flush", "dev", "veth0")

    def remove(self) -> None:
        for name in self._here, self._there:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _within(name: str, step: Callable[[], Result]) -> Result:
    """Do something in a thread of its own, as a thread is in one namespace."""
    done: list[Result] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            libc: Any = ctypes.CDLL(None, use_errno=True)
            with open(f"/run/netns/{name}", "rb") as file:
                if libc.setns(file.fileno(), _NEW_NETWORK):
                    raise OSError(ctypes.get_errno(), "setns")
            done.append(step())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return done[0]
