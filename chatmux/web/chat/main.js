// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// The page: which room is shown, and which ones one is in. #/room/KEY names what is shown.

import * as api from "./api.js";
import { pause } from "./connection.js";
import { creating } from "./create.js";
import { closable, find } from "./dom.js";
import { Entry } from "./entry.js";
import { List } from "./list.js";
import { Room } from "./room.js";
import * as state from "./state.js";

const TITLE = "chatmux";

/** The rooms that one is in, by id. */
export const inside = new Map();

/** Rooms that were made a moment ago, by id in letters: { told, password }. */
const fresh = new Map();

/** Why rooms are over that were not shown then, by id in letters. */
const ended = new Map();

/** Rooms that the server could not tell of, and is asked for again. */
const awaited = new Set();

const app = find("#app");
const stage = find("#stage");
const list = new List(inside);
let shown = null;
let door = null;
let turn = 0;

const keyOf = (hash) => {
  const [, written] = /^#\/room\/([^/]+)$/.exec(hash) ?? [];
  try {
    return written === undefined ? null : decodeURIComponent(written);
  } catch {
    return null;
  }
};

function display(key, element) {
  app.dataset.view = key === null ? "rooms" : "room";
  find("#welcome").hidden = key !== null;
  stage.hidden = key === null;
  stage.replaceChildren(...(element ? [element] : []));
  list.mark(key ?? "");
  if (find("#people").open) find("#people").close();
}

/** Show what the address says. */
async function route(note = {}) {
  const key = keyOf(location.hash);
  const mine = (turn += 1);
  shown?.shown?.(false);
  shown = null;
  leaveDoor();
  if (key === null) {
    display(null, null);
    entitle();
    if (mine > 1) find("#brand").focus();
    return;
  }
  const room = inside.get(Number(key));
  if (room !== undefined) {
    show(room);
    return;
  }
  note = { ...ended.get(key), ...note };
  ended.delete(key);
  const { told, fault } = await lookUp(key);
  if (fault !== null && fault.status !== 404) note = { words: fault.message, ...note };
  if (mine !== turn) return;
  if (told !== null && inside.has(told.id)) return show(inside.get(told.id));
  const before = state.inside()[told?.id];
  if (before !== undefined && !note.words) return show(comeBack(told, before));
  askAtDoor(key, told, note);
}

/** Ask for a room; where nobody tells of a hidden one, it may have just been made. */
async function lookUp(key, token = state.inside()[key]?.token) {
  try {
    return { told: await api.lookUp(key, token), fault: null };
  } catch (fault) {
    if (isOver(fault)) state.left(key);
    else if (state.inside()[key] !== undefined) lost(key, fault);
    if (token && isOver(fault)) {
      // To others than its old members there may be something to tell.
      const found = await lookUp(key, "");
      return { ...found, fault: found.fault ?? fault };
    }
    const told = fault.status === 404 ? (fresh.get(key)?.told ?? null) : null;
    return { told, fault };
  }
}

function show(room) {
  leaveDoor();
  if (keyOf(location.hash) !== `${room.id}`) history.replaceState(null, "", `#/room/${room.id}`);
  shown = room;
  display(`${room.id}`, room.element);
  room.shown(true);
  room.focus();
  entitle(room.told.title);
}

function askAtDoor(key, told, { words = "", ask = "" }) {
  const id = `${told?.id ?? key}`;
  const entry = new Entry(key, told, fresh.get(id)?.password);
  door = { id, entry };
  entry.addEventListener("enter", ({ detail }) => {
    // What was remembered of the room counts no more.
    state.left(detail.told.id);
    enter(detail.told, detail.who, entry);
  });
  display(key, entry.element);
  entitle(told?.title ?? key);
  entry.focus();
  if (words) entry.fault(words, ask);
}

/** No password is kept for a door that nobody stands at. */
function leaveDoor() {
  if (door === null) return;
  fresh.delete(door.id);
  door.entry.forget();
  door = null;
}

/** Go into a room from its door; what is refused is told there. */
function enter(told, who, entry) {
  const room = new Room(told, who);
  const mine = turn;
  room.addEventListener("entered", () => {
    inside.set(room.id, room);
    if (mine === turn) show(room);
    list.show();
  });
  room.addEventListener("waiting", ({ detail }) => {
    if (room.isOpen || detail.kind === "connecting") return;
    room.leave();
    entry.fault(detail.words);
  });
  room.addEventListener("refused", ({ detail }) => {
    if (inside.has(room.id)) over(room, detail);
    // A room that was open to everybody has a door without a field for a password.
    else if (detail.ask === "secret" && mine === turn) route(detail);
    else if (detail.ask !== "left") entry.fault(detail.words, detail.ask);
  });
  watch(room);
  room.enter();
}

/** Be in a room again with what is remembered of it. */
function comeBack(told, who) {
  const room = new Room(told, who);
  inside.set(room.id, room);
  room.addEventListener("refused", ({ detail }) => over(room, detail));
  watch(room);
  room.enter(true);
  list.show();
  return room;
}

/** Whether a room that was remembered is not to be come back to. */
const isOver = ({ status }) => status === 403 || status === 404;

/** Go back later into a room that the server could not tell of. */
function lost(id, fault, attempt = 0) {
  if (awaited.has(id)) return;
  awaited.add(id);
  setTimeout(
    () => {
      awaited.delete(id);
      remembered(id, attempt + 1);
    },
    Math.max(fault.wait * 1000, pause(attempt)),
  );
}

/** Go back into a room that the tab was in before the page was loaded again. */
async function remembered(id, attempt = 0) {
  const who = state.inside()[id];
  const isWanted = () => state.inside()[id] !== undefined && !inside.has(Number(id));
  if (!isWanted()) return;
  let told;
  try {
    told = await api.lookUp(id, who.token);
  } catch (fault) {
    if (isOver(fault)) state.left(id);
    else lost(id, fault, attempt);
    return;
  }
  if (!isWanted()) return;
  const room = comeBack(told, who);
  if (keyOf(location.hash) === id) show(room);
}

function watch(room) {
  for (const type of ["unread", "people"]) room.addEventListener(type, () => changed());
}

function over(room, { words, ask }) {
  const wasShown = shown === room;
  inside.delete(room.id);
  list.refresh();
  if (!wasShown) ended.set(`${room.id}`, { words, ask });
  else if (ask === "left") location.hash = "#/";
  else route({ words, ask });
}

let isChanging = false;

/** Show numbers that have changed, once for all that comes at once. */
function changed() {
  if (isChanging) return;
  isChanging = true;
  setTimeout(() => {
    isChanging = false;
    list.show();
    entitle(shown?.told.title);
  }, 100);
}

let lastTitle = "";

function entitle(title = lastTitle) {
  lastTitle = keyOf(location.hash) === null ? "" : title;
  const unread = [...inside.values()].reduce((sum, room) => sum + room.unread, 0);
  const number = unread ? `(${unread}) ` : "";
  document.title = number + (lastTitle ? `${lastTitle} · ${TITLE}` : TITLE);
}

addEventListener("hashchange", () => route());
// A page that is kept to go back to keeps nobody in a room.
addEventListener("pagehide", () => {
  for (const room of inside.values()) room.rest();
});
addEventListener("online", () => {
  for (const room of inside.values()) room.tryNow();
  list.refresh();
});
document.addEventListener("visibilitychange", () => shown?.shown(true));
document.addEventListener("keydown", (event) => {
  // Back to the list of rooms, where nothing else is open that Escape closes.
  const isFree = event.key === "Escape" && !document.querySelector("dialog[open]");
  if (isFree && document.activeElement === document.body) location.hash = "#/";
});
find("#skip").addEventListener("click", () => find("#main").focus());
closable(find("#people"));
creating(find("#new-room"), (told, password) => {
  if (password) fresh.set(`${told.id}`, { told, password });
  list.refresh();
  location.hash = `#/room/${told.id}`;
});

// Rooms that the tab was in before it was loaded again, but for the one that is shown.
for (const id of Object.keys(state.inside())) {
  if (keyOf(location.hash) !== id) remembered(id);
}
api.eventBytes(); // Known when something is said.
route();
