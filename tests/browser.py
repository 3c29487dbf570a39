# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""A real browser: Chromium with an empty profile, driven through its WebDriver.

All calls block; so what the pages talk to has to be processes of their own. Nothing is
downloaded, and a page reaches nothing but this machine.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.server import program, waiting

T = TypeVar("T")

PHONE = 390, 844
DESKTOP = 1280, 800

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-breakpad",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-dev-shm-usage",
    "--disable-sync",
    # The windows are all in front, whatever the order of their opening.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


class Browser:
    """A running Chromium; a context, or to be closed in a clean-up.

    Args:
        directory: Where screenshots go, and the driver's log.

    Raises:
        SkipTest: It is not installed.
    """

    def __init__(self, directory: Path) -> None:
        chromium = program("chromium", "chromium")
        driver = program("chromedriver", "chromium-driver")
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.profile = Path(tempfile.mkdtemp(prefix="chatmux-browser-"))
        self._has_window = self._closed = False
        options = ChromeOptions()
        options.binary_location = chromium
        for argument in (*_ARGUMENTS, f"--user-data-dir={self.profile}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        options.ignore_local_proxy_environment_variables()
        # In a session of its own, by which all that it starts is found again.
        self._service = ChromeService(
            driver,
            # No `*.log`: it has what was typed, and those are searched for secrets.
            log_output=str(directory / "chromedriver.txt"),
            env={**os.environ, "XDG_CONFIG_HOME": str(self.profile)},
            popen_kw={"start_new_session": True},
        )
        try:
            self.driver = Chrome(options, self._service)
        except BaseException:
            self._end_processes()
            raise

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def window(self, size: tuple[int, int] = DESKTOP, *, dark: bool = False) -> Window:
        """Open a window whose page has `size`, on a system that is light or dark."""
        if self._has_window:
            self.driver.switch_to.new_window("window")
        self._has_window = True
        return Window(self, self.driver.current_window_handle, size, dark)

    def complaints(self) -> list[str]:
        """Take what the consoles of all windows have had of errors and warnings."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]

    def close(self) -> None:
        """End it with all its processes, once.

        Raises:
            AssertionError: A console has complaints that nobody has taken.
        """
        if self._closed:
            return
        self._closed = True
        try:
            complaints = self.complaints()
            self.driver.quit()
        finally:
            self._end_processes()
        if complaints:
            raise AssertionError("\n".join(["the browser's console:", *complaints]))

    def processes(self) -> list[int]:
        """List what lives of it."""
        driver: Any = getattr(self._service, "process", None)
        if driver is None:
            return []
        driver.poll()
        return list(_living(driver.pid, str(self.profile)))

    def _end_processes(self) -> None:
        for _ in waiting():
            left = self.processes()
            if not left:
                break
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.profile)


class Window:
    """A window of a browser. Elements are named by CSS selectors."""

    def __init__(
        self, browser: Browser, handle: str, size: tuple[int, int], dark: bool
    ) -> None:
        self.browser = browser
        self._handle = handle
        self.resize(size)
        self.scheme(dark=dark)

    def scheme(self, *, dark: bool) -> None:
        """Turn the system light or dark."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._devtools("Emulation.setEmulatedMedia", features=[scheme])

    def resize(self, size: tuple[int, int]) -> None:
        """Give the page a size, which may be less than the least of a window."""
        self._devtools(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=size[0] < size[1],
        )

    def open(self, url: str) -> None:
        """Load a page."""
        self._driver.get(url)

    def reload(self) -> None:
        """Load the page anew."""
        self._driver.refresh()

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript in the page; return what it returns."""
        return self._driver.execute_script(script, *arguments)

    def texts(self, selector: str) -> list[str]:
        """Return the texts of all elements of a kind, white space and all."""
        script = (
            "return [...document.querySelectorAll(arguments[0])]"
            ".map((element) => element.textContent)"
        )
        found: list[str] = self.run(script, selector)
        return found

    def text(self, selector: str) -> str:
        """Return the text of the one element of its kind."""
        (text,) = self.texts(selector)
        return text

    def type(self, text: str, selector: str | None = None) -> None:
        """Type with the keyboard into an element; None for the one in focus."""
        driver = self._driver
        if selector is None:
            driver.switch_to.active_element.send_keys(text)
        else:
            self._element(selector).send_keys(text)

    def click(self, selector: str) -> None:
        """Click on an element, which must be visible; again if it was replaced."""
        for _ in range(5):
            with suppress(StaleElementReferenceException):
                self._element(selector).click()
                return
        self._element(selector).click()

    def wait(self, look: Callable[[], T], until: Callable[[T], object] = bool) -> T:
        """Look until it is as wanted; return what was seen then.

        Raises:
            AssertionError: It has not come; says what was seen, and makes a
                screenshot ``failed.png``.
        """
        for _ in waiting():
            seen = look()
            if until(seen):
                return seen
        shot = self.screenshot("failed")
        raise AssertionError(f"what was awaited has not come: {seen!r}; see {shot}")

    def wait_for(self, look: Callable[[], T], expected: T) -> None:
        """Look until `expected` is seen. Raises as `wait`."""
        self.wait(look, lambda seen: seen == expected)

    def screenshot(self, name: str) -> Path:
        """Save what the window shows as ``NAME.png``."""
        file = self.browser.directory / f"{name}.png"
        if not self._driver.save_screenshot(str(file)):
            raise AssertionError(f"{file} cannot be written")
        return file.absolute()

    def _element(self, selector: str) -> WebElement:
        return self._driver.find_element(By.CSS_SELECTOR, selector)

    @property
    def _driver(self) -> Chrome:
        """The driver, turned to this window."""
        driver = self.browser.driver
        driver.switch_to.window(self._handle)
        return driver

    def _devtools(self, command: str, **arguments: Any) -> None:
        self._driver.execute_cdp_cmd(command, arguments)


def _living(session: int, profile: str) -> Iterator[int]:
    """Yield what lives of a session, and what has left it but names the profile."""
    for directory in Path("/proc").iterdir():
        if not directory.name.isdecimal():
            continue
        try:
            stat = (directory / "stat").read_text()
            command = (directory / "cmdline").read_bytes()
        except OSError:
            continue  # It has ended just now.
        # What is before the last parenthesis may be anything.
        state, _, _, own_session = stat.rpartition(")")[2].split()[:4]
        ours = int(own_session) == session or profile.encode() in command
        if ours and state != "Z":
            yield int(directory.name)
