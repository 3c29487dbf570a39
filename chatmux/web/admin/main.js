// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// The operator's page: what the server does, as it does it.

import { find, make } from "../chat/dom.js";
import * as api from "./api.js";
import { Closing, Members, Notice, Token } from "./dialogs.js";
import * as figures from "./figures.js";
import { Metrics } from "./metrics.js";
import { Stream } from "./stream.js";
import { Channels, Connections, Refusals } from "./tables.js";

/** The tables are asked for with every second sample, the metrics come with each. */
const EVERY = 2;
const ROWS = 100;
const TYPING = 250;

const stream = new Stream();
const metrics = new Metrics();
const token = new Token(() => stream.start());
const closing = new Closing(() => refresh());
const members = new Members();
const notice = new Notice();
const channels = new Channels({
  close: (one) => closing.channel(one),
  members: (one) => members.ask(one),
});
const connections = new Connections({ close: (one) => closing.connection(one) });
const refusals = new Refusals();

let known = [];
let started = 0;
let version = "";
let samples = 0;
let isPaused = false;
let isAsking = false;
let turn = 0;

const WORDS = {
  connecting: () => "Connecting…",
  denied: () => "Token needed",
  live: () => (isPaused ? "Paused" : "Live"),
  waiting: (seconds) => `Not connected: again in ${seconds} s`,
};

function showState({ kind, seconds }) {
  const place = find("#state");
  place.dataset.kind = kind === "live" && isPaused ? "paused" : kind;
  const words = find(".words", place);
  if (words.textContent !== WORDS[kind](seconds)) words.textContent = WORDS[kind](seconds);
  // The seconds are for the eye; whoever listens is told once.
  place.setAttribute("aria-live", kind === "waiting" && seconds > 1 ? "off" : "polite");
  find("#try-now").hidden = kind !== "waiting";
  find("#main").classList.toggle("stale", kind !== "live");
  find("#notice-open").disabled = kind !== "live";
  current = kind;
}

let current = "connecting";

function draw() {
  if (isPaused) return;
  metrics.draw();
  refusals.show();
  const lasted = metrics.last ? metrics.last.time - started : 0;
  find("#about").textContent = `chatmux ${version} · up ${figures.duration(Math.max(0, lasted))}`;
}

/** Ask for the tables; what comes late is dropped. */
async function refresh() {
  const mine = (turn += 1);
  isAsking = true;
  try {
    const asked = { door: find("#find-door").value, find: find("#find").value.trim(), limit: ROWS };
    const [all, some] = await Promise.all([
      api.get("channels", { limit: ROWS }),
      api.get("connections", asked),
    ]);
    if (mine !== turn) return;
    known = all;
    channels.show(all, metrics.last?.channels ?? all.length);
    connections.show(some, some.length < ROWS);
  } catch {
    // The stream says what is wrong, and comes back by itself.
  } finally {
    if (mine === turn) isAsking = false;
  }
}

stream.addEventListener("state", ({ detail }) => showState(detail));
stream.addEventListener("denied", ({ detail }) => token.ask(detail));
stream.addEventListener("begin", ({ detail: { server, samples: past, refusals: last } }) => {
  token.done();
  ({ started, version } = server);
  const doors = server.doors.map(({ key }) => make("option", "", { value: key }, figures.door(key)));
  const chosen = find("#find-door").value;
  find("#find-door").replaceChildren(make("option", "", { value: "" }, "All doors"), ...doors);
  find("#find-door").value = chosen;
  metrics.begin(server.doors, past);
  refusals.begin(last);
  draw();
  refresh();
});
stream.addEventListener("sample", ({ detail }) => {
  metrics.add(detail);
  samples += 1;
  draw();
  const isWanted = !isPaused && !isAsking && document.visibilityState === "visible";
  if (isWanted && samples % EVERY === 0) refresh();
});
stream.addEventListener("refusal", ({ detail }) => refusals.add(detail));

let typing = 0;
find("#filter").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(refresh, TYPING);
});
find("#filter").addEventListener("submit", (event) => event.preventDefault());
find("#try-now").addEventListener("click", () => stream.start());
find("#notice-open").addEventListener("click", () => notice.ask(known));
find("#pause").addEventListener("click", ({ currentTarget }) => {
  isPaused = !isPaused;
  currentTarget.setAttribute("aria-pressed", isPaused);
  find("use", currentTarget).setAttribute("href", isPaused ? "#i-play" : "#i-pause");
  if (current === "live") showState({ kind: "live" });
  draw();
});
addEventListener("online", () => current === "waiting" && stream.start());
stream.start();
