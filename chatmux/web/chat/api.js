// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// The server's REST routes, and in words what it refuses.

const SECONDS = 15;

/** What the server has refused, or that it could not be asked. */
export class Fault extends Error {
  /** `status` 0: not reached. `code` and `field` are the server's, `wait` in seconds. */
  constructor(words, { status = 0, code = 0, field = "", wait = 0 } = {}) {
    super(words);
    Object.assign(this, { status, code, field, wait });
  }
}

async function ask(method, path, { body, token } = {}) {
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      credentials: "omit",
      cache: "no-store",
      signal: AbortSignal.timeout(SECONDS * 1000),
    });
  } catch {
    throw new Fault("The server cannot be reached.");
  }
  let told = null;
  try {
    told = await answer.json();
  } catch {
    // An answer of something else, of a proxy perhaps: its status says enough.
  }
  if (answer.ok && told !== null) return told;
  const { code = 0, field = "" } = told?.error ?? {};
  const wait = Number(answer.headers.get("Retry-After")) || 0;
  throw new Fault(words(answer.status, code, field, wait), {
    status: answer.status,
    code,
    field,
    wait,
  });
}

function words(status, code, field, wait) {
  const later = wait > 1 ? ` Try again in ${wait} seconds.` : " Try again in a moment.";
  if (status === 429 && code === 304) return `Too many wrong passwords.${later}`;
  if (status === 429) return `That was too much at once.${later}`;
  if (status === 503) return `The server cannot do that now.${later}`;
  if (status === 404) return "There is no such room.";
  if (status === 413) return "That is too long.";
  if (code === 304) return "That password is wrong.";
  if (code === 303) return "The name cannot be used: it must not be empty, or have a colon in it.";
  if (code === 102) return "Another room has this title. Choose another one.";
  if (code === 105) return CONTENT[field] ?? "The server does not take that.";
  if (status === 403) return "You are not let in any more: show the password again.";
  return `The server has answered ${status}.`;
}

const CONTENT = {
  title: "The title needs at least two characters, at most 70 bytes, and must not be a number.",
  description: "The description is too long: at most 70 bytes.",
  visibility: "The room cannot be like that.",
  password: "The password needs at least 8 characters.",
};

const room = (key) => `/chats/${encodeURIComponent(key)}`;
const EXTENSIONS = "?extensions=origin";

export const rooms = () => ask("GET", `/chats${EXTENSIONS}`);
export const lookUp = (key, token) => ask("GET", `${room(key)}${EXTENSIONS}`, { token });
export const addRoom = (wish) => ask("POST", "/chats", { body: wish });
export const showPassword = (key, name, secret) =>
  ask("POST", `${room(key)}/token`, { body: { name, secret } });
export const renew = (id, token) => ask("GET", `${room(id)}/token/renew`, { token });

/** Return where a room's WebSocket is. */
export function socketAddress(id) {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  return `${scheme}//${location.host}${room(id)}/ws${EXTENSIONS}`;
}

let limits = null;
let most = 65536;

/** Return how many bytes an event may have; asked for once, and again if that fails. */
export function eventBytes() {
  limits ??= ask("GET", "/web/limits.json").then(
    (told) => (most = told.event_bytes),
    () => (limits = null),
  );
  return most;
}

/** Return for how many milliseconds a token is good, from when it is given. */
export function life(token) {
  try {
    const middle = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    const { iat, exp } = JSON.parse(atob(middle));
    return (exp - iat) * 1000 || 0;
  } catch {
    return Infinity;
  }
}
