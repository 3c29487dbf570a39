// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// A room that one is in: what is heard, what is shown, and how one says something.

import * as api from "./api.js";
import { Connection } from "./connection.js";
import { copy, find, tell } from "./dom.js";
import { Log } from "./log.js";
import { People } from "./people.js";
import * as state from "./state.js";

const encoder = new TextEncoder();
const USERS_AGAIN = 60_000;
const USERS_SPREAD = 2000;
const PEOPLE_EVERY = 250;

/**
 * Dispatches "entered" once, "waiting" with { kind, words } while it is not connected,
 * "refused" with { words, ask } when it is over, "unread" and "people" when these change.
 */
export class Room extends EventTarget {
  #connection;
  #log;
  #pending = [];
  #countdown = null;
  #isShown = false;
  #wasOpen = false;
  #usersAt = 0;
  #usersAgain = null;
  #meanwhile = null;
  #peopleAt = 0;
  #peopleLater = null;
  people = new People();

  /** `told`: the room as the server tells it. `who`: { name, color, token, since }. */
  constructor(told, who) {
    super();
    this.id = told.id;
    this.told = told;
    this.element = copy("room-template");
    this.#part(".heading bdi").textContent = told.title;
    tell(this.#part(".about"), told.description ?? "");
    this.#log = new Log(this.#part(".log"), this.#part(".jump"));
    this.#log.addEventListener("unread", () => this.dispatchEvent(new Event("unread")));
    this.#connection = new Connection(told.id, who);
    this.#connection.addEventListener("state", ({ detail }) => this.#changed(detail));
    this.#connection.addEventListener("event", ({ detail }) => this.#heard(detail));
    this.#part(".state button").addEventListener("click", () => this.#connection.tryNow());
    this.#part(".leave").addEventListener("click", () => this.leave());
    this.#part(".people-button").addEventListener("click", () => this.#showPeople());
    this.#compose();
    this.people.replace(told.users ?? []);
  }

  get unread() {
    return this.#log.unread;
  }

  get name() {
    return this.#connection.who.name;
  }

  get isOpen() {
    return this.#wasOpen;
  }

  /** Come in; `again` for one who was here before the page was loaded. */
  enter(again = false) {
    this.#connection.open(again);
  }

  /** Leave for good. */
  leave() {
    this.#connection.leave();
    this.#over("", "left");
  }

  /** Take note whether it is looked at. */
  shown(isShown) {
    this.#isShown = isShown;
    this.#log.shown(isShown && document.visibilityState === "visible");
    clearInterval(this.#usersAgain);
    if (!isShown) return;
    this.#showPresent();
    this.#askAgain();
    this.#usersAgain = setInterval(() => this.#askAgain(), USERS_AGAIN);
  }

  /** Give the place up while the page is not there. */
  rest() {
    this.#connection.rest();
  }

  /** Try at once, as the network has come back. */
  tryNow() {
    this.#connection.tryNow();
  }

  /** Get a new token now. */
  renew() {
    return this.#connection.renew();
  }

  /** Put the focus where it is of use. */
  focus() {
    const text = this.#part("textarea");
    const hasKeyboard = !matchMedia("(pointer: coarse)").matches;
    (hasKeyboard ? text : this.#part("h2")).focus();
  }

  #part(selector) {
    return find(selector, this.element);
  }

  #heard(event) {
    if (event.event_type === "renewed") return this.#remember();
    if (event.event_type === "error") return tell(this.#part(".composer .fault"), event.msg);
    const isOwn = event.name === this.name;
    if (event.event_type === "send") {
      if (isOwn) this.#arrived(event.msg);
      this.#log.said(event, isOwn);
      return;
    }
    this.#moved(event);
    this.#meanwhile?.push(event);
    const words = event.event_type === "join" ? "came in" : "left";
    if (isOwn) this.#log.note(`You ${words}`, "", event.time);
    else this.#log.note(words, event.name, event.time);
    this.#peopleChanged();
  }

  #moved(event) {
    if (event.event_type === "join") this.people.came(event);
    else this.people.went(event);
  }

  #changed(now) {
    if (now.kind === "open") this.#opened();
    else if (now.kind === "refused") this.#over(now.words, now.ask);
    else this.#waiting(now);
    this.#part(".send").disabled = now.kind !== "open";
  }

  #opened() {
    this.#countDown(null);
    this.#part(".state").hidden = true;
    if (this.#wasOpen) this.#log.note("You are back. What was said meanwhile is not here.");
    this.#remember();
    // Where all come back at once, they do not all ask at once.
    if (this.#wasOpen) {
      setTimeout(() => this.#askWhoIsThere(), Math.random() * USERS_SPREAD);
      return;
    }
    this.#askWhoIsThere();
    this.#wasOpen = true;
    this.dispatchEvent(new Event("entered"));
  }

  #waiting({ kind, words, until }) {
    const isTold = this.#wasOpen || kind === "waiting";
    const line = this.#part(".state");
    line.hidden = !isTold;
    line.dataset.kind = kind;
    const told = kind === "connecting" ? "Connecting…" : words;
    if (isTold) this.#part(".state .words").textContent = told;
    this.#part(".state button").hidden = kind !== "waiting";
    this.#countDown(until ?? null);
    this.#bringBack();
    this.dispatchEvent(new CustomEvent("waiting", { detail: { kind, words } }));
  }

  #countDown(until) {
    clearInterval(this.#countdown);
    const place = this.#part(".countdown");
    const show = () => {
      const seconds = Math.max(0, Math.ceil((until - Date.now()) / 1000));
      place.textContent = `Reconnecting in ${seconds} s`;
    };
    place.textContent = "";
    if (until === null) return;
    show();
    this.#countdown = setInterval(show, 500);
  }

  #over(words, ask) {
    this.#countDown(null);
    clearInterval(this.#usersAgain);
    clearTimeout(this.#peopleLater);
    state.left(this.id);
    this.dispatchEvent(new CustomEvent("refused", { detail: { words, ask } }));
  }

  #remember() {
    state.entered(this.id, this.#connection.who);
  }

  /** Ask who is there, where somebody looks and it was not asked lately. */
  #askAgain() {
    if (document.visibilityState !== "visible") return;
    // A timer may be a little early.
    if (Date.now() - this.#usersAt >= USERS_AGAIN - 1000) this.#askWhoIsThere();
  }

  async #askWhoIsThere() {
    if (!this.#connection.isOpen) return;
    this.#usersAt = Date.now();
    const heard = (this.#meanwhile = []);
    try {
      const told = await api.lookUp(this.id, this.#connection.who.token);
      if (heard !== this.#meanwhile) return; // It was asked again since.
      this.people.replace(told.users);
      // The answer may be older than what was heard before it came.
      for (const event of heard) this.#moved(event);
      this.#peopleChanged();
    } catch {
      // Who comes and goes is heard all the same.
    }
    if (heard === this.#meanwhile) this.#meanwhile = null;
  }

  /** Show who is there: at once, or a little later where many come and go. */
  #peopleChanged() {
    if (this.#peopleLater !== null) return;
    const show = () => {
      this.#peopleLater = null;
      this.#peopleAt = Date.now();
      this.dispatchEvent(new Event("people"));
      if (this.#isShown) this.#showPresent();
    };
    const wait = this.#peopleAt + PEOPLE_EVERY - Date.now();
    if (wait <= 0) show();
    else this.#peopleLater = setTimeout(show, Math.min(wait, PEOPLE_EVERY));
  }

  #showPresent() {
    const { words } = this.people;
    this.#part(".people-button span").textContent = words;
    this.#part(".people-button").setAttribute("aria-label", `Who is here: ${words}`);
    this.#part(".present h3").textContent = words;
    this.people.show(this.#part(".present .people"), this.name);
    const sheet = find("#people");
    if (sheet.open) this.people.show(find(".people", sheet), this.name);
  }

  #showPeople() {
    const sheet = find("#people");
    this.people.show(find(".people", sheet), this.name);
    sheet.showModal();
  }

  #compose() {
    const form = this.#part(".composer");
    const text = this.#part("textarea");
    text.id = `message-${this.id}`;
    this.#part(".composer label").htmlFor = text.id;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#send();
    });
    text.addEventListener("input", () => {
      fit(text);
      this.#check(text.value);
    });
  }

  /** Say whether what is written can be sent, and tell if not. */
  #check(msg) {
    const { name, color } = this.#connection.who;
    // The server's limit is for the whole event.
    const event = { event_type: "send", name, color, msg };
    const over = encoder.encode(JSON.stringify(event)).length - api.eventBytes();
    const words = over > 0 ? `Too long by ${over} bytes: make it shorter, or send it in parts.` : "";
    tell(this.#part(".composer .fault"), words);
    return over <= 0;
  }

  #send() {
    const text = this.#part("textarea");
    const said = text.value.trimEnd();
    if (!said.trim() || !this.#connection.isOpen) return;
    if (!this.#check(said)) return;
    this.#pending.push(said);
    this.#connection.say(said);
    text.value = "";
    fit(text);
  }

  #arrived(said) {
    const at = this.#pending.indexOf(said);
    if (at >= 0) this.#pending.splice(0, at + 1);
  }

  /** Give back what was on its way when the connection was lost. */
  #bringBack() {
    if (this.#pending.length === 0) return;
    const text = this.#part("textarea");
    const lost = this.#pending.splice(0).join("\n");
    text.value = text.value ? `${lost}\n${text.value}` : lost;
    fit(text);
    this.#check(text.value);
    this.#log.note("What you said last may not have arrived: it is in the box below again.");
  }
}

/** Make a box as high as what is in it. */
function fit(text) {
  text.style.setProperty("height", "auto");
  text.style.setProperty("height", `${text.scrollHeight}px`);
}
