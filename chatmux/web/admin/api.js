// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// The operator's API: requests, the stream's address, and the token for both.

const KEY = "chatmux-operator-token";
const PATIENCE = 10_000;

/** A request that came to nothing; status 0 where the server cannot be reached. */
export class Problem extends Error {
  constructor(status, words, seconds = 0) {
    super(words);
    this.status = status;
    this.seconds = seconds;
  }
}

/** The token of this tab, which nothing but this tab keeps. */
export const token = {
  get: () => sessionStorage.getItem(KEY) ?? "",
  set: (value) => sessionStorage.setItem(KEY, value),
};

async function ask(path, options = {}) {
  const headers = { ...options.headers };
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  let answer;
  let told;
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    answer = await fetch(`/api/${path}`, { ...options, headers, signal, cache: "no-store" });
    told = await answer.json();
  } catch {
    throw new Problem(answer?.status ?? 0, "The server does not answer.");
  }
  if (answer.ok) return told;
  throw new Problem(answer.status, told.error, Number(answer.headers.get("Retry-After")));
}

/** Return what is at a path; `query` without what is empty. */
export function get(path, query = {}) {
  const asked = Object.entries(query).filter(([, value]) => value !== "");
  return ask(asked.length ? `${path}?${new URLSearchParams(asked)}` : path);
}

export function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** Open the stream of what happens. */
export function events() {
  const url = new URL("/api/events", location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  return token.get() ? new WebSocket(url, [token.get()]) : new WebSocket(url);
}
