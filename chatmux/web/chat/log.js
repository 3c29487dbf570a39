// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// The log of a room: what was said since one came, as much of it as is kept.

import { disc } from "./colours.js";
import { count, dayOf, make, time } from "./dom.js";
import { linked } from "./links.js";

const MOST_ROWS = 500;
const GROUP_MILLISECONDS = 5 * 60 * 1000;
const NEAR_END = 48;

const PROTOCOLS = { globes: "web", machat: "MaChat" };

/** Return how people call a protocol; one that is new by its own name. */
export const protocolName = (origin) => PROTOCOLS[origin] ?? origin;

export const badge = (origin) =>
  make("span", `badge from-${/^\w+$/.test(origin) ? origin : "other"}`, {}, protocolName(origin));

/** Dispatches "seen" when the end is looked at, and "unread" when the number changes. */
export class Log extends EventTarget {
  #list;
  #jump;
  #group = null;
  #notes = null;
  #day = "";
  #top = 0;
  #divider = null;
  #isShown = false;
  #isAtEnd = true;
  #wasRead = true;
  unread = 0;

  constructor(list, jump) {
    super();
    this.#list = list;
    this.#jump = jump;
    list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    jump.addEventListener("click", () => {
      this.toEnd();
      list.focus({ preventScroll: true });
    });
    new ResizeObserver(() => this.#isAtEnd && this.toEnd()).observe(list);
  }

  /** Take note whether somebody looks at it. */
  shown(isShown) {
    this.#isShown = isShown;
    if (!isShown) return;
    if (this.#isAtEnd) this.toEnd();
    // What was out of the page has forgotten where it was.
    else if (this.#list.scrollTop === 0) this.#list.scrollTop = this.#top;
    this.#seen();
  }

  /** Add what somebody has said. */
  said(event, isOwn) {
    const at = new Date(event.time || Date.now());
    if (isOwn) this.#undivide();
    else if (!this.#isRead()) this.#count();
    this.#newDay(at);
    const group = this.#groupOf(event, at, isOwn);
    const text = make("p", "text", { dir: "auto" }, ...linked(event.msg));
    const row = make("div", "message", { title: at.toLocaleTimeString() }, text);
    group.rows.append(row);
    group.until = at.getTime();
    this.#notes = null;
    this.#settle(isOwn);
  }

  /** Add who came and went; several in a row are one line. */
  note(words, name = "", when = "") {
    const at = new Date(when || Date.now());
    this.#newDay(at);
    const parts = name ? [make("bdi", "", {}, name), ` ${words}`] : [words];
    const said = make("span", "", { title: at.toLocaleTimeString() }, ...parts);
    if (this.#notes === null || this.#notes.childElementCount >= 12) {
      this.#notes = make("p", "came-and-went");
      this.#list.append(this.#notes);
      this.#group = null;
    }
    this.#notes.append(said);
    this.#settle(false);
  }

  toEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
    this.#isAtEnd = true;
    this.#seen();
  }

  #groupOf(event, at, isOwn) {
    const key = `${event.origin}\n${event.name}\n${event.color}`;
    const last = this.#group;
    if (last?.key === key && at - last.until < GROUP_MILLISECONDS) return last;
    // The own name is not seen, but heard by those who hear the page.
    const who = isOwn ? "You" : make("bdi", "", {}, event.name);
    const head = make("header", "", {}, make("b", isOwn ? "unseen" : "", {}, who));
    if (event.origin) head.append(badge(event.origin));
    head.append(time(at));
    const rows = make("div", "rows", {}, head);
    const element = make("article", isOwn ? "group own" : "group", {}, disc(event.name, event.color), rows);
    this.#list.append(element);
    this.#group = { key, rows, until: 0 };
    return this.#group;
  }

  #newDay(at) {
    const day = dayOf(at);
    if (day === this.#day) return;
    // The first one is today, which needs no telling.
    if (this.#day) this.#list.append(make("p", "day", {}, day));
    this.#day = day;
    this.#group = this.#notes = null;
  }

  #isRead() {
    return this.#isShown && this.#isAtEnd;
  }

  #count() {
    if (this.#wasRead) {
      this.#divider?.remove();
      this.#divider = make("p", "divider", {}, make("span", "", {}, "New"));
      this.#list.append(this.#divider);
      this.#group = this.#notes = null;
      this.#wasRead = false;
    }
    this.unread += 1;
    this.#tell();
  }

  #undivide() {
    this.#divider?.remove();
    this.#divider = null;
  }

  #seen() {
    if (!this.#isRead()) return;
    this.#wasRead = true;
    if (this.unread === 0) return this.#tell();
    this.unread = 0;
    this.#tell();
  }

  #tell() {
    this.#jump.hidden = this.#isAtEnd;
    this.#jump.lastElementChild.textContent = this.unread
      ? count(this.unread, "new message", "new messages")
      : "To the end";
    this.dispatchEvent(new Event("unread"));
  }

  #settle(isOwn) {
    const wasAtEnd = this.#isAtEnd;
    while (this.#rows() > MOST_ROWS) this.#forget();
    if (wasAtEnd || isOwn) this.toEnd();
    else this.#tell();
  }

  #rows() {
    return this.#list.querySelectorAll(".message, .came-and-went").length;
  }

  #forget() {
    const first = this.#list.firstElementChild;
    const message = first.querySelector(".message");
    if (message === null || first.querySelectorAll(".message").length === 1) first.remove();
    else message.remove();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#list;
    if (clientHeight === 0) return; // Not shown.
    this.#top = scrollTop;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    if (isAtEnd === this.#isAtEnd) return;
    this.#isAtEnd = isAtEnd;
    if (isAtEnd) this.#seen();
    this.#tell();
  }
}
