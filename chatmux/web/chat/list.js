// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// The list of rooms, asked for again from time to time while somebody looks.

import * as api from "./api.js";
import { pause } from "./connection.js";
import { count, find, icon, make, tell } from "./dom.js";

const EVERY = 10_000;
const EACH_ROOM = 20;
const SLOW = 60_000;
const MOST_SHOWN = 200;
const ICONS = { public: "hash", private: "lock", hidden: "hidden" };
const WORDS = { private: "private", hidden: "hidden" };

/** Make a link look as another one. */
function update(link, other) {
  if (link.isEqualNode(other)) return;
  link.className = other.className;
  if (other.hasAttribute("aria-current")) link.setAttribute("aria-current", "page");
  else link.removeAttribute("aria-current");
  link.replaceChildren(...other.childNodes);
}

export class List {
  #rooms = [];
  #timer = null;
  #failures = 0;
  #isAsking = false;
  #current = "";
  #inside;

  /** `inside`: the rooms that one is in, by id. */
  constructor(inside) {
    this.#inside = inside;
    find("#find-text").addEventListener("input", () => this.show());
    find("#find").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#open();
    });
    document.addEventListener("visibilitychange", () => this.#look());
    this.refresh();
  }

  /** Ask for the rooms now, and then again from time to time. */
  async refresh() {
    if (this.#isAsking) return;
    clearTimeout(this.#timer);
    this.#isAsking = true;
    try {
      this.#rooms = await api.rooms();
      this.#failures = 0;
    } catch {
      this.#failures += 1;
    }
    this.#isAsking = false;
    this.show();
    this.#look(true);
  }

  /** Mark the room that is shown. */
  mark(key) {
    this.#current = key;
    this.show();
  }

  show() {
    const wanted = find("#find-text").value.trim().toLowerCase();
    const all = this.#all();
    const fitting = all.filter((room) => room.title.toLowerCase().includes(wanted));
    const items = fitting.slice(0, MOST_SHOWN).map((room) => this.#item(room));
    this.#replace(items);
    const opening = find("#open-by-title");
    const isThere = all.some((room) => room.title.toLowerCase() === wanted || `${room.id}` === wanted);
    opening.hidden = !wanted || isThere;
    opening.href = `#/room/${encodeURIComponent(find("#find-text").value.trim())}`;
    opening.replaceChildren("Open ", make("bdi", "", {}, `“${find("#find-text").value.trim()}”`));
    tell(find("#rooms-note"), this.#note(all.length, fitting.length));
  }

  /** Those of the server, and hidden ones that one is in, as they are now. */
  #all() {
    const listed = new Set(this.#rooms.map((room) => room.id));
    const own = [...this.#inside.values()].filter((room) => !listed.has(room.id));
    return [...own.map((room) => room.told), ...this.#rooms];
  }

  #note(all, fitting) {
    if (this.#failures) return "The server cannot be reached; the list may be old.";
    if (all && !fitting) return "No listed room has that in its title.";
    if (fitting > MOST_SHOWN) return `${fitting - MOST_SHOWN} more: type to find them.`;
    return "";
  }

  /** Show new items. A room that was there keeps its link: somebody may be about to
   * press it, and the focus stays on it. */
  #replace(items) {
    const list = find("#rooms");
    const old = new Map([...list.children].map((item) => [item.firstChild.hash, item]));
    const kept = items.map((item) => {
      const before = old.get(item.firstChild.hash);
      if (before) update(before.firstChild, item.firstChild);
      return before ?? item;
    });
    const isSame = (item, index) => item === list.children[index];
    if (kept.length === list.children.length && kept.every(isSame)) return;
    const held = list.contains(document.activeElement) && document.activeElement.hash;
    list.replaceChildren(...kept);
    if (!held) return;
    kept.find((item) => item.firstChild.hash === held)?.firstChild.focus();
  }

  #item(told) {
    const room = this.#inside.get(told.id);
    const users = told.users ?? [];
    const size = room ? room.people.size : users.length;
    const title = make("span", "title", {}, make("bdi", "", {}, told.title));
    const word = WORDS[told.visibility];
    if (word) title.append(make("span", "unseen", {}, ` (${word})`));
    const names = users.slice(0, 3).map((user) => make("bdi", "", {}, user.username));
    const who = size === 0 ? "Nobody there" : count(size, "person", "people");
    const sub = make("span", "sub", {}, who);
    if (!room) names.forEach((name, at) => sub.append(at ? ", " : ": ", name));
    const link = make(
      "a",
      room ? "inside" : "",
      { href: `#/room/${told.id}`, "aria-current": this.#isCurrent(told) ? "page" : null },
      make("span", "glyph", {}, icon(ICONS[told.visibility] ?? "hash")),
      make("span", "words", {}, title, sub),
    );
    if (room?.unread) {
      const shown = room.unread > 99 ? "99+" : `${room.unread}`;
      link.append(make("span", "unread", {}, shown, make("span", "unseen", {}, " unread")));
    } else if (room) {
      link.append(make("span", "in", {}, "in"));
    }
    return make("li", "", {}, link);
  }

  #isCurrent(told) {
    return this.#current === `${told.id}` || this.#current === told.title;
  }

  #open() {
    const text = find("#find-text").value.trim();
    if (!text) return;
    const same = (room) => room.title.toLowerCase() === text.toLowerCase() || `${room.id}` === text;
    const room = this.#all().find(same);
    find("#find-text").value = "";
    location.hash = `#/room/${encodeURIComponent(room?.id ?? text)}`;
    this.show();
  }

  /** Ask again later: not while nobody looks, and less often where it is much or fails. */
  #look(isFresh = false) {
    clearTimeout(this.#timer);
    if (document.visibilityState !== "visible") return;
    const normal = Math.min(SLOW, EVERY + EACH_ROOM * this.#rooms.length);
    const wait = this.#failures ? Math.max(EVERY / 2, pause(this.#failures)) : normal;
    this.#timer = setTimeout(() => this.refresh(), isFresh ? wait : 0);
  }
}
