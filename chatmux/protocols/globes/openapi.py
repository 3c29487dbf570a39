# SPDX-FileCopyrightText: The chatmux authors
# SPDX-License-Identifier: MIT
"""The REST routes for programs: OpenAPI 3.1. A test holds the two together."""

from __future__ import annotations

from typing import Any

import msgspec

from chatmux.protocols.globes.content import (
    DESCRIPTION_BYTES,
    PASSWORD_BYTES,
    TITLE_BYTES,
    VISIBILITIES,
)


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": schema}}
    return {"description": description, "content": content}


def _body(schema: str, /, required: bool = True, **example: str) -> dict[str, Any]:
    content = {"schema": _ref(schema), "example": example}
    return {"required": required, "content": {"application/json": content}}


def _fault(description: str) -> dict[str, Any]:
    return _answer(description, _ref("Fault"))


def _later(description: str) -> dict[str, Any]:
    seconds = {"required": True, "schema": {"type": "integer", "minimum": 1}}
    return {**_fault(description), "headers": {"Retry-After": seconds}}


def _links(room: str, *operations: str) -> dict[str, Any]:
    """Say what else can be done with the room that an answer names."""
    parameters = {"room": f"$response.body#/{room}"}
    return {
        "links": {
            operation: {"operationId": operation, "parameters": parameters}
            for operation in operations
        }
    }


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties}


_CONTROLS = r"\u0000-\u001F\u007F-\u009F\u061C\u200E\u200F\u2028-\u202E\u2066-\u2069"
_ANY = f"[^{_CONTROLS}]"
_NO_DIGIT = f"[^0-9{_CONTROLS}]"
_WIDE = f"[^ -~{_CONTROLS}]"
"""More than a byte."""
_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_ID = {"type": "integer", "minimum": 1, "maximum": (1 << 53) - 1}
_BAD_ROOM = _fault(
    "102 the title is another room's; 103 no JSON, or of wrong types; 105 `field`"
    " cannot be as it is"
)
_NO_ROOM = _fault("101 there is no such room")
_NO_TOKEN = _fault("403 no token, or not one for this")
_TOO_LARGE = _fault("413 the body is too long")
_BUSY = _later("503 cannot be done now")
_GUESSED = _later("403 too many wrong admin tokens")
_DONE = _object(["status"], status={"const": True})

_SCHEMAS = {
    "Room": _object(
        ["title", "visibility", "createdAt", "updatedAt", "id", "users"],
        title=_TEXT,
        description=_TEXT,
        visibility={"enum": list(VISIBILITIES)},
        createdAt=_TIME,
        updatedAt=_TIME,
        id=_ID,
        users={"type": "array", "items": _ref("User")},
    ),
    "User": _object(
        ["username", "color", "last_activity"],
        username=_TEXT,
        color=_TEXT,
        last_activity=_TIME,
    ),
    "Wish": _object(
        ["title", "visibility"],
        title={
            "type": "string",
            "pattern": f"^{_ANY}*({_NO_DIGIT}{_ANY}|{_ANY}{_NO_DIGIT}|{_WIDE}){_ANY}*$",
            "maxLength": TITLE_BYTES[1],
            "description": f"{TITLE_BYTES[0]} to {TITLE_BYTES[1]} bytes, and no number",
        },
        description={
            "type": ["string", "null"],
            "maxLength": DESCRIPTION_BYTES,
            "description": f"up to {DESCRIPTION_BYTES} bytes",
        },
        visibility={
            "type": "string",
            "pattern": "^([pP][uU][bB][lL][iI][cC]"
            "|[pP][rR][iI][vV][aA][tT][eE]|[hH][iI][dD][dD][eE][nN])$",
        },
        password={
            "type": ["string", "null"],
            "maxLength": PASSWORD_BYTES[1],
            "description": f"{PASSWORD_BYTES[0]} to {PASSWORD_BYTES[1]} bytes; of"
            " private and hidden rooms, and only of those; of an existing one, left"
            " out where it stays",
        },
    ),
    "Login": _object(
        [],
        name={"type": ["string", "null"]},
        secret={"type": ["string", "null"], "description": "the room's password"},
    ),
    "Token": _object(
        ["status", "name", "room_id", "token"],
        status={"const": True},
        name=_TEXT,
        room_id=_ID,
        token={"type": "string", "description": "a JSON Web Token"},
    ),
    "Fault": _object(
        ["status", "error"],
        status={"const": False},
        error=_object(
            ["code", "error"], code={"type": "integer"}, error=_TEXT, field=_TEXT
        ),
    ),
}

_ROOM = {
    "name": "room",
    "in": "path",
    "required": True,
    "description": "id or title; titles in any case",
    "schema": {"type": "string", "minLength": 1},
    "examples": {"id": {"value": "1"}, "title": {"value": "Public Chat"}},
}
_BEARER: list[dict[str, list[str]]] = [{}, {"token": []}]

_PATHS = {
    "/chats": {
        "get": {
            "operationId": "listRooms",
            "summary": "All rooms that are not hidden",
            "responses": {
                "200": {
                    "description": "a page, where `Accept` has text/html",
                    "content": {
                        "application/json": {
                            "schema": {"type": "array", "items": _ref("Room")}
                        },
                        "text/html": {"schema": _TEXT},
                    },
                },
            },
        },
        "post": {
            "operationId": "addRoom",
            "summary": "Make a room",
            "requestBody": _body("Wish", title="Cats", visibility="public"),
            "responses": {
                "201": {
                    **_answer("the room", _ref("Room")),
                    **_links("id", "getRoom", "changeRoom", "removeRoom", "makeToken"),
                },
                "400": _BAD_ROOM,
                "413": _TOO_LARGE,
                "429": _later("429 too many new rooms"),
                "503": _later("503 cannot be done now, or there are too many rooms"),
            },
        },
    },
    "/chats/{room}": {
        "parameters": [_ROOM],
        "get": {
            "operationId": "getRoom",
            "summary": "One room, and who is there",
            "security": _BEARER,
            "responses": {"200": _answer("the room", _ref("Room")), "404": _NO_ROOM},
        },
        "put": {
            "operationId": "changeRoom",
            "summary": "Change a room: what is left out is gone, but the password",
            "security": _BEARER,
            "requestBody": _body("Wish", title="Public Chat", visibility="public"),
            "responses": {
                "200": _answer("the room", _ref("Room")),
                "400": _BAD_ROOM,
                "403": _NO_TOKEN,
                "404": _NO_ROOM,
                "413": _TOO_LARGE,
                "429": _GUESSED,
                "503": _BUSY,
            },
        },
        "delete": {
            "operationId": "removeRoom",
            "summary": "Delete a room",
            "security": _BEARER,
            "responses": {
                "200": _answer("done", _DONE),
                "403": _NO_TOKEN,
                "404": _NO_ROOM,
                "429": _GUESSED,
                "503": _BUSY,
            },
        },
    },
    "/chats/{room}/token": {
        "parameters": [_ROOM],
        "post": {
            "operationId": "makeToken",
            "summary": "Show a room's password",
            "requestBody": _body(
                "Login", required=False, name="ann", secret="long enough"
            ),
            "responses": {
                "200": _answer("a public room, which needs none", _DONE),
                "201": {
                    **_answer("the token", _ref("Token")),
                    **_links("room_id", "getRoom", "renewToken", "openSocket"),
                },
                "400": _fault("303 the password is right, the name is none"),
                "401": _fault("304 the password is wrong or missing"),
                "404": _NO_ROOM,
                "413": _TOO_LARGE,
                "429": _later("304 too many were wrong"),
                "503": _BUSY,
            },
        },
    },
    "/chats/{room}/token/renew": {
        "parameters": [_ROOM],
        "get": {
            "operationId": "renewToken",
            "summary": "Get a new token for one that is still good",
            "security": _BEARER,
            "responses": {
                "200": _answer("a public room, which needs none", _DONE),
                "201": _answer("the token", _ref("Token")),
                "403": _NO_TOKEN,
                "404": _NO_ROOM,
            },
        },
    },
    "/chats/{room}/ws": {
        "parameters": [_ROOM],
        "get": {
            "operationId": "openSocket",
            "summary": "Open the room's WebSocket",
            "description": "The token is the subprotocol, or in `Authorization`.",
            "security": _BEARER,
            "responses": {
                "101": {"description": "the WebSocket is open"},
                "400": {
                    "description": "301 no handshake of a WebSocket",
                    "content": {"text/plain": {"schema": _TEXT}},
                },
                "403": {
                    "description": "403 no token, or not one for this; or, in plain"
                    " text, an origin that is not welcome",
                    "content": {
                        "application/json": {"schema": _ref("Fault")},
                        "text/plain": {"schema": _TEXT},
                    },
                },
                "404": _NO_ROOM,
                "503": _later("503 there are too many in the room"),
            },
        },
    },
    "/openapi.json": {
        "get": {
            "operationId": "describe",
            "summary": "This document",
            "responses": {"200": _answer("it", {"type": "object"})},
        },
    },
}

DOCUMENT = msgspec.json.encode(
    {
        "openapi": "3.1.0",
        "info": {
            "title": "chatmux: Globes",
            "version": "1.0",
            "description": "Besides what each operation has, any may answer 400 to what"
            " is no HTTP, 405 with `Allow` to other methods, 408 to a late request, 413"
            " to a long body, 429 to too many requests, 431 to a long header, 500 where"
            " the server is at fault, 503 where there are too many connections.",
        },
        "paths": _PATHS,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }
)
