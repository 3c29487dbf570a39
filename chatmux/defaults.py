# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""What is served with no configuration at all: everything, on loopback.

The operator's view included, at http://127.0.0.1:8090/.

The secrets that this needs are made at random and kept in files that only their owner
can read, so that clients still know them after a restart.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from twisted.logger import Logger

from chatmux.config import Config, build
from chatmux.errors import ConfigError
from chatmux.protocols import globes, machat, multichat, webtalk
from chatmux.settings import Secret
from chatmux.values import Values

_log = Logger(namespace="chatmux")


def default_config(environ: Mapping[str, str]) -> Config:
    """Return the configuration of a server that was given none.

    Args:
        environ: Says where the state directory is: that of systemd
            (``STATE_DIRECTORY``), else that of the user (``XDG_STATE_HOME``, else
            ``~/.local/state``).

    Raises:
        ConfigError: The secret can be neither read nor kept.
    """
    file = state_directory(environ) / "multichat.secret"
    raw = {
        "multichat": {"secret-key": kept_secret(file)},
        "machat": {},
        "globes": {},
        "webtalk": {},
        "admin": {},
        "bridges": [["multichat", "machat/lounge", "globes/1", "webtalk/1"]],
    }
    _log.info("no configuration: loopback only; multichat's secret is in {f}", f=file)
    modules = (multichat, machat, globes, webtalk)
    sections = {module.NAME: module.Section for module in modules}
    return build(raw, sections, Values(Path(), environ))


def default_store(environ: Mapping[str, str]) -> Secret:
    """Return the URL of the store of a server that was told none.

    Raises:
        ConfigError: There is no directory for it.
    """
    directory = state_directory(environ)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError("store", f"{directory}: {error.strerror}") from None
    return Secret(f"sqlite:///{directory.absolute() / 'chatmux.db'}")


def state_directory(environ: Mapping[str, str]) -> Path:
    """Return where files that outlive the process go."""
    given = environ.get("STATE_DIRECTORY")
    if given:
        return Path(given)
    home = environ.get("XDG_STATE_HOME")
    if home:
        return Path(home) / "chatmux"
    try:
        return Path(environ.get("HOME") or Path.home()) / ".local/state/chatmux"
    except RuntimeError:
        raise ConfigError(
            "multichat.secret-key", "no home directory to keep a secret in"
        ) from None


def kept_secret(file: Path) -> str:
    """Return the secret in `file`, which is made, of mode 0600, if it is not there.

    Raises:
        ConfigError: It can be neither read nor made.
    """
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            kept = file.read_text().strip()
            if not kept:
                raise ConfigError("multichat.secret-key", f"{file}: is empty") from None
            return kept
        with os.fdopen(descriptor, "w") as stream:
            secret = secrets.token_urlsafe(24)
            stream.write(secret + "\n")
            return secret
    except OSError as error:
        raise ConfigError("multichat.secret-key", f"{file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError("multichat.secret-key", f"{file}: is no UTF-8") from None
