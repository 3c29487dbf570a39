// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// The tables: channels, connections, refusals. What peers have said is text, never markup.

import { count, find, icon, make } from "../chat/dom.js";
import * as figures from "./figures.js";

/** Keeps a row for each key, so that focus and selection stay where they are. */
class Table {
  #body;
  #empty;
  #rows = new Map();

  constructor(name) {
    this.#body = find(`#${name} tbody`);
    this.#empty = find(`#${name}-empty`);
  }

  /** Show `items` in their order: `build` makes a row's cells, `fill` says what is new. */
  show(items, keyOf, build, fill) {
    const focus = document.activeElement;
    const rows = new Map();
    items.forEach((item, index) => {
      const key = keyOf(item);
      const row = this.#rows.get(key) ?? build(item);
      rows.set(key, row);
      fill(row, item);
      const there = this.#body.children[index];
      if (there !== row.element) this.#body.insertBefore(row.element, there ?? null);
    });
    while (this.#body.children.length > items.length) this.#body.lastElementChild.remove();
    this.#rows = rows;
    this.#empty.hidden = items.length > 0;
    // A row that was moved has lost it.
    if (focus !== document.activeElement && focus.isConnected) focus.focus();
  }
}

function put(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

const cell = (classes = "", ...children) => make("td", classes, {}, ...children);
const text = (words) => make("bdi", "", {}, words);

function closeButton(label, act) {
  const button = make("button", "icon-button close", { type: "button", "aria-label": label }, icon("x"));
  button.title = "Close";
  button.addEventListener("click", act);
  return button;
}

export class Channels {
  #table = new Table("channels");
  #before = new Map();
  #at = 0;
  #ask;

  /** @param ask Called to close a channel, and to show its members. */
  constructor(ask) {
    this.#ask = ask;
  }

  show(channels, total) {
    const now = performance.now();
    const passed = (now - this.#at) / 1000;
    const before = this.#before;
    this.#at = now;
    this.#before = new Map(channels.map(({ name, messages }) => [name, messages]));
    this.#table.show(channels, (one) => one.name, (one) => this.#row(one), (row, one) => {
      const since = before.get(one.name);
      row.one = one;
      put(row.connections, figures.count(one.connections));
      put(row.below, count(one.connections, "connection", "connections"));
      put(row.members, figures.count(one.members));
      row.members.disabled = !one.members;
      row.members.setAttribute("aria-label", `Show the ${one.members} members of ${one.name}`);
      put(row.rate, since === undefined ? "–" : figures.number(Math.max(0, one.messages - since) / passed));
      put(row.messages, figures.count(one.messages));
    });
    const hint = channels.length < total ? `${channels.length} of ${total}, the largest` : "";
    put(find("#channels-hint"), hint);
  }

  #row(one) {
    const [connections, rate, messages] = [cell("number wide"), cell("number"), cell("number wide")];
    const below = make("small", "narrow");
    const members = make("button", "link", { type: "button", "aria-haspopup": "dialog" });
    const row = { connections, below, members, rate, messages, one };
    members.addEventListener("click", () => this.#ask.members(row.one));
    const close = closeButton(`Close ${one.name}`, () => this.#ask.close(row.one));
    const name = make("th", "name", { scope: "row" }, text(one.name), below);
    const [, ...others] = one.names;
    if (others.length) name.append(make("small", "", {}, "bridged with ", text(others.join(", "))));
    row.element = make("tr", "", {}, name, connections, cell("number", members), rate, messages, cell("act", close));
    return row;
  }
}

export class Connections {
  #table = new Table("connections");
  #ask;

  constructor(ask) {
    this.#ask = ask;
  }

  show(connections, isWhole) {
    this.#table.show(connections, (one) => one.number, (one) => this.#row(one), (row, one) => {
      row.one = one;
      const names = [...new Set(one.channels.map((place) => place.as).filter(Boolean))];
      put(row.who, names.join(", ") || one.peer);
      row.peer.hidden = !names.length;
      const channels = one.channels.map((place) => place.name).join(", ");
      put(row.channels, channels);
      put(row.below, channels);
      put(row.unsent, one.unsent ? figures.bytes(one.unsent) : "0");
      row.slow.hidden = !one.paused;
    });
    const words = isWhole ? "" : `the ${connections.length} youngest`;
    put(find("#connections-hint"), words);
  }

  #row(one) {
    const [who, channels, below, unsent] = [text(""), text(""), make("small", "narrow"), make("span")];
    const slow = make("span", "badge", {}, "slow");
    const peer = make("small", "", {}, one.peer);
    const row = { who, peer, channels, below, unsent, slow, one };
    const close = closeButton(`Close connection ${one.number}`, () => this.#ask.close(row.one));
    row.element = make(
      "tr",
      "",
      {},
      make("th", "name", { scope: "row" }, who, slow, peer, below),
      cell("", figures.door(one.door), make("small", "", {}, `#${one.number}`)),
      cell("wide", channels),
      cell("number wide", unsent),
      cell("act", close),
    );
    return row;
  }
}

export class Refusals {
  #table = new Table("refusals");
  #refusals = [];
  #made = 0;

  begin(refusals) {
    this.#refusals = refusals.map((one) => ({ ...one, key: (this.#made += 1) }));
  }

  add(refusal) {
    this.#refusals.unshift({ ...refusal, key: (this.#made += 1) });
    this.#refusals.length = Math.min(this.#refusals.length, 200);
  }

  show() {
    const shown = this.#refusals.slice(0, 50);
    this.#table.show(shown, (one) => one.key, refusalRow, () => {});
  }
}

function refusalRow(one) {
  const when = make("time", "", { datetime: new Date(one.time * 1000).toISOString(), title: figures.date(one.time) }, figures.time(one.time));
  const peer = make("small", "narrow", {}, one.peer);
  const code = one.code ? `${one.code}` : "–";
  const element = make(
    "tr",
    "",
    {},
    cell("number start", when),
    cell("", figures.door(one.door), peer),
    cell("wide", text(one.peer)),
    cell("number", code),
    cell("reason", text(one.reason)),
  );
  return { element };
}
