// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// The page: which room is shown, and which ones one is in. #/room/KEY names what is shown.

import * as api from "./api.js";
import { creating } from "./create.js";
import { closable, find } from "./dom.js";
import { Entry } from "./entry.js";
import { List } from "./list.js";
import { Room } from "./room.js";
import * as state from "./state.js";

const TITLE = "chatmux";

/** The rooms that one is in, by id. */
export const inside = new Map();

/** Passwords of rooms that were made a moment ago, to enter them with. */
const fresh = new Map();

const app = find("#app");
const stage = find("#stage");
const list = new List(inside);
let shown = null;
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
  let told = null;
  try {
    told = await api.lookUp(key, state.inside()[key]?.token);
  } catch (fault) {
    if (fault.status !== 404) note = { words: fault.message, ...note };
  }
  if (mine !== turn) return;
  if (told !== null && inside.has(told.id)) return show(inside.get(told.id));
  const before = state.inside()[told?.id];
  if (before !== undefined && !note.words) return show(comeBack(told, before));
  askAtDoor(key, told, note);
}

function show(room) {
  if (keyOf(location.hash) !== `${room.id}`) history.replaceState(null, "", `#/room/${room.id}`);
  shown = room;
  display(`${room.id}`, room.element);
  room.shown(true);
  room.focus();
  entitle(room.told.title);
}

function askAtDoor(key, told, { words = "", ask = "" }) {
  const entry = new Entry(key, told, fresh.get(told?.id));
  entry.addEventListener("enter", ({ detail }) => {
    fresh.delete(detail.told.id);
    enter(detail.told, detail.who, entry);
  });
  display(key, entry.element);
  entitle(told?.title ?? key);
  entry.focus();
  if (words) entry.fault(words, ask);
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
    else if (detail.ask !== "left") entry.fault(detail.words, detail.ask);
  });
  watch(room);
  room.enter();
}

/** Go back into a room that the tab was in before the page was loaded again. */
function comeBack(told, who) {
  const room = new Room(told, who);
  inside.set(room.id, room);
  room.addEventListener("refused", ({ detail }) => over(room, detail));
  watch(room);
  room.enter(true);
  list.show();
  return room;
}

function watch(room) {
  for (const type of ["unread", "people"]) room.addEventListener(type, () => changed());
}

function over(room, { words, ask }) {
  const wasShown = shown === room;
  inside.delete(room.id);
  list.refresh();
  if (!wasShown) return;
  if (ask === "left") location.hash = "#/";
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
  if (password) fresh.set(told.id, password);
  list.refresh();
  location.hash = `#/room/${told.id}`;
});

// Rooms that the tab was in before it was loaded again, but for the one that is shown.
for (const [id, who] of Object.entries(state.inside())) {
  if (keyOf(location.hash) === id) continue;
  api.lookUp(id, who.token).then(
    (told) => inside.has(told.id) || comeBack(told, who),
    () => state.left(id),
  );
}
route();
