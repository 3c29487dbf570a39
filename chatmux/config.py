# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""Reads the configuration: one JSON file, one section for each protocol.

Keys match without regard to case, unknown ones are errors, and every error begins with
the path of the key that it is about. What a section holds, its protocol says.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, get_args

import msgspec

from chatmux.admin.section import Section as AdminSection
from chatmux.errors import ConfigError
from chatmux.secrecy import secret_keys, shared_keys, written_secrets
from chatmux.settings import Limits, Seconds, Secret, Settings
from chatmux.values import Values

S = TypeVar("S", bound=Settings)
ADMIN = "admin"
"""The section of what is no protocol."""

Sections = Mapping[str, type[Settings]]
"""The protocols' sections, by their names."""


class Top(Settings, frozen=True, kw_only=True):
    """What stands beside the protocols' sections.

    Attributes:
        bridges: Lists of channels that are one channel.
        store: Where rooms are kept: ``sqlite:///FILE``, the file's path relative to
            this one's, or ``postgresql+psycopg://USER:PASSWORD@HOST/DATABASE``; left
            out: a file of SQLite in the state directory.
        trusted_proxies: Addresses and networks of proxies, and ``local`` for Unix
            sockets, that are believed for whom they speak: by ``X-Forwarded-For``, and
            at ``haproxy:`` addresses.
        drain_seconds: At the end, how long what was written may take to leave.
        require_tls: Refuse to start where secrets would travel in the clear.
        log_level: ``debug`` adds a line for each end of a connection and for each
            message that was ignored.
        log_format: How an event is written; left out: ``text``, under ``twist`` what
            that was told.
        private_files: Refuse a ``{"file": ...}`` that other users of the machine can
            read, or change.
        limits: What peers are held to.
        admin: The operator's view; left out: there is none.
    """

    bridges: tuple[tuple[str, ...], ...] = ()
    store: Secret | None = None
    trusted_proxies: tuple[str, ...] = ()
    drain_seconds: Seconds = 10
    require_tls: bool = False
    log_level: Literal["info", "debug"] = "info"
    log_format: Literal["text", "json"] | None = None
    private_files: bool = True
    limits: Limits = Limits()
    admin: AdminSection | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that was read, checked as far as one file can tell."""

    top: Top
    sections: Mapping[str, Settings]
    """Those of the protocols that are to be served."""
    warnings: tuple[str, ...] = ()
    """What the operator should know of the files that it was read from."""


def read(path: Path, sections: Sections, environ: Mapping[str, str]) -> Config:
    """Read the file at `path`.

    Raises:
        ConfigError: It cannot be read or used; says which key, and why.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConfigError(str(path), error.strerror or "cannot be read") from None
    try:
        raw = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(str(path), _place_of(error, text)) from None
    if not isinstance(raw, dict):
        raise ConfigError(str(path), "must be a JSON object")
    try:
        values = Values(path.parent, environ)
        values.private = _wants_private_files(raw, values)
        config = build(values.resolve(raw), sections, values)
        secrets = written_secrets(path, raw, {**sections, ADMIN: AdminSection})
        warnings = *config.warnings, *secrets
        return replace(
            config,
            top=_with_whole_path(config.top, path.parent),
            warnings=(*warnings, *shared_keys(_with_files(config))),
        )
    except RecursionError:
        raise ConfigError(str(path), "is nested too deeply") from None


def _wants_private_files(raw: dict[str, object], values: Values) -> bool:
    """Look this key up before the others, which hang on it."""
    own = {k: v for k, v in raw.items() if k.lower() == "private-files"}
    return convert(values.resolve(own), Top, "").private_files


def _with_files(config: Config) -> dict[str, Settings]:
    """Return all sections that may name files."""
    admin = config.top.admin
    return {**config.sections, **({} if admin is None else {ADMIN: admin})}


def _with_whole_path(top: Top, directory: Path) -> Top:
    """Make the path of the store's file one that is not relative."""
    if top.store is None:
        return top
    scheme, found, file = top.store.encode().decode().partition("sqlite:///")
    if scheme or not found or not file or file.startswith((":", "/")):
        return top
    whole = Secret(f"{found}{directory.absolute() / file}")
    return msgspec.structs.replace(top, store=whole)


def with_store(config: Config, store: Secret) -> Config:
    """Return a configuration with another store."""
    return replace(config, top=msgspec.structs.replace(config.top, store=store))


def build(
    raw: Mapping[str, Any], sections: Sections, values: Values | None = None
) -> Config:
    """Make a configuration of a decoded file.

    Args:
        raw: The file, with what stands elsewhere filled in.
        sections: The protocols'.
        values: Where what is left out may stand; None for nowhere.

    Raises:
        ConfigError: As `read`.
    """
    top: dict[str, Any] = {}
    found: dict[str, Settings] = {}
    for key, value in raw.items():
        section = sections.get(key.lower())
        if section is None:
            top[key] = value
        elif key.lower() in found:
            raise ConfigError(key, "stands there twice")
        else:
            if values is not None:
                value = _filled(value, section, key.lower(), values)
            found[key.lower()] = convert(value, section, key.lower())
    warnings = values.warnings(_secret_keys(sections)) if values is not None else ()
    config = Config(convert(top, Top, "", also=tuple(sections)), found, warnings)
    _check_bridges(config.top.bridges)
    return config


def _secret_keys(sections: Sections) -> frozenset[str]:
    return secret_keys({**sections, ADMIN: AdminSection})


def _filled(raw: object, section: type[Settings], path: str, values: Values) -> object:
    """Give keys that are left out the values that the environment has for them."""
    if not isinstance(raw, dict):
        return raw
    there = {key.lower() for key in raw}
    extra = {}
    for key, name in section.environment.items():
        if key not in there:
            value = values.from_environment(name, f"{path}.{key}")
            if value:
                # A variable that is set to nothing is as good as none.
                extra[key] = value
    return {**raw, **extra}


def convert(raw: object, section: type[S], path: str, also: tuple[str, ...] = ()) -> S:
    """Return `raw` as a section.

    Args:
        raw: A decoded JSON value.
        section: What it should be.
        path: The section's own, for errors.
        also: Keys to suggest besides the section's.

    Raises:
        ConfigError: It is not.
    """
    named = _with_exact_keys(raw, section, path, also)
    try:
        return msgspec.convert(named, section, strict=False, dec_hook=_decode_special)
    except msgspec.ValidationError as error:
        raise _explained(str(error), path) from None


def _with_exact_keys(
    raw: object, section: type[Settings], path: str, also: tuple[str, ...] = ()
) -> object:
    """Give keys the case that the section has them in; refuse unknown ones."""
    if not isinstance(raw, dict):
        return raw
    fields = {f.encode_name.lower(): f for f in msgspec.structs.fields(section)}
    named: dict[str, object] = {}
    for key, value in raw.items():
        at = f"{path}.{key}" if path else key
        field = fields.get(key.lower())
        if field is None:
            near = difflib.get_close_matches(key.lower(), (*fields, *also), 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError(at, f"there is no such key{hint}")
        if field.encode_name in named:
            raise ConfigError(at, "stands there twice")
        inner = _settings_in(field.type)
        named[field.encode_name] = (
            value if inner is None else _with_exact_keys(value, inner, at)
        )
    return named


def _settings_in(annotation: object) -> type[Settings] | None:
    options = (
        get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    )
    for option in options:
        if isinstance(option, type) and issubclass(option, Settings):
            return option
    return None


def _decode_special(kind: type, value: object) -> object:
    if kind is Secret:
        if not isinstance(value, str):
            raise ValueError("must be a string")
        return Secret(value)
    raise NotImplementedError(kind)


def _explained(message: str, path: str) -> ConfigError:
    """Turn ``MESSAGE - at `$.key[0]` `` into an error with the key's full path."""
    words, _, place = message.partition(" - at `$")
    place = place.rstrip("`").removeprefix(".")
    missing = re.fullmatch(r"Object missing required field `(.*)`", words)
    if missing is not None:
        place = f"{place}.{missing[1]}" if place else missing[1]
        words = "is missing"
    full = f"{path}.{place}" if path and place else path or place
    return ConfigError(full, words[:1].lower() + words[1:])


def _place_of(error: Exception, text: bytes) -> str:
    """Say at which line a JSON text is wrong."""
    offset = re.search(r"\(byte (\d+)\)", str(error))
    if offset is None:
        return f"is no JSON: {error}"
    line = text.count(b"\n", 0, int(offset[1])) + 1
    words = str(error)[: offset.start()].strip().removeprefix("JSON is malformed: ")
    return f"is no JSON: line {line}: {words}"


def _check_bridges(bridges: tuple[tuple[str, ...], ...]) -> None:
    seen: set[str] = set()
    for index, names in enumerate(bridges):
        if len(names) < 2:
            raise ConfigError(f"bridges[{index}]", "needs two channels or more")
        for name in names:
            if name in seen:
                raise ConfigError(f"bridges[{index}]", f"{name} stands twice")
            seen.add(name)
