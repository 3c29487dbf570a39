# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Pictures of the operator's page, under some load.

python -m tests.admin_screenshots [DIRECTORY]
"""

from __future__ import annotations

import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from tests.admin_load import Crowd
from tests.admin_server import KEYS, OPEN
from tests.browser import Browser
from tests.page_server import SECRET
from tests.png import smaller
from tests.server import Server

DIRECTORY = Path(__file__).parent.parent / "docs/screenshots"
SIZES = {"phone": (390, 844), "desktop": (1280, 1000)}
SECONDS = 75
"""So long they talk before."""


def main(directory: Path, seconds: float = SECONDS) -> None:
    """Save ``operator-SIZE-SCHEME.png`` for each."""
    with tempfile.TemporaryDirectory() as scratch:
        server = Server(Path(scratch), OPEN)
        try:
            ports = dict(zip(KEYS, server.ports(*KEYS), strict=True))
            crowd = Crowd(ports, SECRET)
            crowd.start()
            time.sleep(seconds)
            with Browser(directory) as browser:
                for name, size in SIZES.items():
                    for scheme in "light", "dark":
                        window = browser.window(size, dark=scheme == "dark")
                        window.open(f"http://127.0.0.1:{ports['admin.address']}/")
                        window.wait(partial(window.texts, "#connections tbody tr"))
                        time.sleep(5)
                        shot = window.screenshot(f"operator-{name}-{scheme}")
                        shot.write_bytes(smaller(shot.read_bytes()))
            crowd.end()
        finally:
            server.kill()
    (directory / "chromedriver.txt").unlink(missing_ok=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY)
