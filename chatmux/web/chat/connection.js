// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// A place in a room: its WebSocket, made anew where it ends, and the token, renewed.

import * as api from "./api.js";

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;
const NAME_WAIT = 3000;
const NAME_TRIES = 20;
const LONGEST_TIMER = 2 ** 31 - 1;
const OPEN_SECONDS = 15;
const RENEW_AGAIN = 60_000;
const LEAST_LEFT = 10_000;

const GONE = "the room was deleted";
const NEW_PASSWORD = "the room has a new password";
const EXPIRED = "the token has expired";

/** How long to wait before an attempt: twice as long each time, and never quite alike. */
export function pause(attempt, random = Math.random()) {
  const most = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempt);
  return Math.round(most * (0.5 + random / 2));
}

/**
 * Dispatches "state", whose detail is one of
 *   { kind: "connecting" | "open" }
 *   { kind: "waiting", words, until }             a new attempt comes
 *   { kind: "refused", words, ask }               ask: "name", "secret", or "" for the end
 * and "event", whose detail is an event of the room.
 */
export class Connection extends EventTarget {
  #id;
  #who;
  #socket = null;
  #isJoined = false;
  #wasJoined = false;
  #attempt = 0;
  #nameTries = 0;
  #timers = new Set();
  #isEnded = false;
  #isAsking = false;
  #isJoining = false;
  #isHandingOver = false;
  #unsent = [];
  #renewing = null;

  /** `who`: { name, color, token, since }; `token` and when it was given, if there is one. */
  constructor(id, who) {
    super();
    this.#id = id;
    this.#who = { ...who };
  }

  get who() {
    return { ...this.#who };
  }

  /** Whether what is said now arrives; where the place is changed, when that is done. */
  get isOpen() {
    return this.#isJoined || this.#isHandingOver;
  }

  /** Come in; `again` for one who was here before, whose name may still be held. */
  open(again = false) {
    this.#wasJoined = again;
    this.#connect();
  }

  /** Say something: once the place is taken, if that is about to happen. */
  say(text) {
    const { name, color } = this.#who;
    this.#write({ event_type: "send", name, color, msg: text });
  }

  /** Leave for good. */
  leave() {
    this.#isEnded = true;
    this.#stopTimers();
    const socket = this.#socket;
    this.#socket = null;
    this.#isJoined = this.#isJoining = this.#isHandingOver = false;
    if (socket?.readyState === WebSocket.OPEN) {
      socket.send(JSON.stringify({ event_type: "leave", name: this.#who.name }));
    }
    socket?.close(1000);
  }

  /** Give the place up for now: the page goes, and may be shown again. */
  rest() {
    this.#socket?.close(1000);
  }

  /** Do not wait any longer for the next attempt. */
  tryNow() {
    if (this.#isEnded || this.isOpen || this.#isAsking || this.#isJoining) return;
    const state = this.#socket?.readyState;
    if (state === WebSocket.CONNECTING) return; // It has its own time.
    this.#stopTimers();
    if (state === WebSocket.OPEN) this.#join();
    else this.#connect();
  }

  /** Get a new token, and a WebSocket with it, before those there are end. */
  async renew() {
    if (!this.#who.token || this.#isEnded) return;
    const ended = this.#until();
    const told = await api.renew(this.#id, this.#who.token);
    if (this.#isEnded) return;
    Object.assign(this.#who, { token: told.token, since: Date.now() });
    this.#tell("event", { event_type: "renewed" });
    // The last one before the password is asked for again gives no more time.
    if (this.#isJoined && this.#until() > ended) await this.#handOver();
    this.#renewLater();
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #state(kind, more = {}) {
    this.#tell("state", { kind, ...more });
  }

  #after(milliseconds, call) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      call();
    }, Math.min(milliseconds, LONGEST_TIMER));
    this.#timers.add(timer);
    return timer;
  }

  #stopTimers() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #refuse(words, ask) {
    this.leave();
    this.#state("refused", { words, ask });
  }

  /** Let go of the WebSocket there is, so that there are never two. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#isJoined = this.#isJoining = false;
    socket?.close();
  }

  #wait(words, least = 0) {
    this.#drop();
    const milliseconds = Math.max(least, pause(this.#attempt));
    this.#attempt += 1;
    this.#state("waiting", { words, until: Date.now() + milliseconds });
    this.#after(milliseconds, () => this.#connect());
  }

  #make() {
    const { token } = this.#who;
    const address = api.socketAddress(this.#id);
    return token ? new WebSocket(address, token) : new WebSocket(address);
  }

  #connect() {
    if (this.#isEnded) return;
    this.#drop();
    this.#state("connecting");
    const socket = (this.#socket = this.#make());
    const late = this.#after(OPEN_SECONDS * 1000, () => socket.close());
    let isOpen = false;
    socket.onopen = () => {
      isOpen = true;
      clearTimeout(late);
      if (socket === this.#socket) this.#join();
    };
    socket.onmessage = (message) => {
      if (socket === this.#socket) this.#hear(message.data);
    };
    socket.onclose = (close) => {
      clearTimeout(late);
      this.#closed(socket, isOpen ? close : null);
    };
  }

  /** Take note that a WebSocket has ended; `close` is null for one that never began. */
  #closed(socket, close) {
    if (socket !== this.#socket || this.#isEnded) return;
    this.#socket = null;
    this.#isJoined = this.#isJoining = this.#isHandingOver = false;
    this.#unsent = []; // Who has said it gets it back.
    this.#stopTimers();
    if (close !== null) this.#ended(close);
    else this.#ask(() => this.#wait("The server has not let this page in."));
  }

  #join() {
    const { name, color } = this.#who;
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#isJoining = true;
    this.#socket.send(JSON.stringify({ event_type: "join", name, color }));
  }

  #write(event) {
    if (this.#isJoined) this.#socket.send(JSON.stringify(event));
    else if (this.#isHandingOver) this.#unsent.push(event);
  }

  #hear(raw) {
    let event;
    try {
      event = JSON.parse(raw);
    } catch {
      return;
    }
    if (event.event_type === "error" && this.#isOfJoin(event)) this.#notJoined(event);
    else this.#take(event);
  }

  /** Whether it is the own joining that is refused. If somebody of the same name came in
   * a moment before, that has been taken for it. */
  #isOfJoin({ msg }) {
    return this.#isJoining || (this.#isJoined && /^the name .* is taken$/s.test(msg));
  }

  #take(event) {
    const wasHere = this.#isHandingOver;
    const isEntrance = this.#isOwn("join", event) && this.#isJoining;
    if (isEntrance) this.#joined(wasHere);
    if (!isEntrance || !wasHere) this.#tell("event", event);
  }

  #joined(wasHere) {
    this.#isJoined = this.#wasJoined = true;
    this.#isJoining = false;
    this.#attempt = this.#nameTries = 0;
    this.#isHandingOver = false;
    for (const event of this.#unsent.splice(0)) this.#write(event);
    this.#renewLater();
    if (!wasHere) this.#state("open");
  }

  #notJoined(event) {
    this.#isJoined = this.#isJoining = this.#isHandingOver = false;
    this.#unsent = []; // As where the connection is lost.
    if (!event.msg.endsWith("is taken")) {
      this.#refuse(`The name cannot be used: ${event.msg}.`, "name");
    } else if (this.#wasJoined && this.#nameTries < NAME_TRIES) {
      // By the connection that was lost, until the server has noticed.
      this.#nameTries += 1;
      const words = "Your name is still held by the connection that was lost.";
      this.#state("waiting", { words, until: Date.now() + NAME_WAIT });
      this.#after(NAME_WAIT, () => this.#join());
    } else {
      const words = "Somebody in the room has this name already. Choose another one.";
      this.#refuse(words, "name");
    }
  }

  #ended({ code, reason }) {
    if (reason === GONE) this.#refuse("The room was deleted.", "");
    else if (reason === NEW_PASSWORD) this.#refuse("The room has a new password.", "secret");
    else if (reason === EXPIRED) this.#ask(() => this.#connect());
    // Somebody's wish: to come back by itself would be against it.
    else if (code === 1000 && reason) this.#refuse(`The server has ended this: ${reason}.`, "");
    else if (code === 1001) this.#wait("The server is shutting down.");
    else if (code === 1009) this.#wait("A message was too long for the server.");
    else if (code === 1013) this.#wait("The server is full.", 5000);
    else if (code === 1008 && reason) this.#wait(`The server has ended this: ${reason}.`, 3000);
    else this.#wait("The connection is lost.");
  }

  /** Find out why there is no WebSocket, or how it goes on without the old token. */
  async #ask(goOn) {
    const { token } = this.#who;
    let told = null;
    this.#isAsking = true;
    try {
      if (token) await this.renew();
      else told = await api.lookUp(this.#id);
    } catch (fault) {
      this.#isAsking = false;
      if (this.#isEnded) return;
      if (fault.status === 403 && token) this.#refuse(ENDED, "secret");
      else if (fault.status === 404) this.#refuse("The room is not there any more.", "");
      else if (fault.status === 0) this.#wait(fault.message);
      else this.#wait(fault.message, fault.wait * 1000);
      return;
    }
    this.#isAsking = false;
    if (this.#isEnded) return;
    if (told === null || told.visibility === "public") goOn();
    else this.#refuse("The room has a password now.", "secret");
  }

  /** When the token ends, in milliseconds since the epoch, by this machine's clock. */
  #until() {
    return this.#who.since + api.life(this.#who.token);
  }

  #renewLater() {
    if (!this.#who.token || this.#isEnded) return;
    const left = this.#until() - Date.now();
    if (left > LEAST_LEFT) this.#renewIn(left / 2);
  }

  #renewIn(milliseconds) {
    clearTimeout(this.#renewing);
    const again = () => this.renew().catch(() => this.#renewIn(RENEW_AGAIN));
    this.#renewing = this.#after(milliseconds, again);
  }

  /**
   * Go over to a WebSocket with the new token, without missing or repeating anything.
   *
   * Both hear the same in the same order: up to the own leaving it is the old one that
   * counts, and from there on the new one, which then joins.
   */
  #handOver() {
    const old = this.#socket;
    const next = this.#make();
    const early = [];
    let end = null;
    return new Promise((done) => {
      next.onmessage = (message) => early.push(message.data);
      // The old one goes on to its end; or the new one has ended while that was left.
      next.onclose = (close) => {
        end = close;
        done();
      };
      next.onopen = () => {
        if (this.#socket !== old || !this.#isJoined) return next.close();
        this.#isHandingOver = true;
        this.#isJoined = false;
        const lost = old.onclose;
        old.onclose = (close) => {
          this.#isHandingOver = false;
          next.close();
          lost(close);
          done();
        };
        old.onmessage = (message) => {
          const event = JSON.parse(message.data);
          if (!this.#isOwn("leave", event)) return this.#tell("event", event);
          old.onclose = null;
          old.close(1000);
          this.#goOnWith(next, early, end);
          done();
        };
        old.send(JSON.stringify({ event_type: "leave", name: this.#who.name }));
      };
    });
  }

  /** `end`: how the new one has ended already, if it has. */
  #goOnWith(next, early, end) {
    this.#socket = next;
    let isKnown = true;
    const take = (raw) => {
      if (!isKnown) return this.#hear(raw);
      isKnown = !this.#isOwn("leave", JSON.parse(raw));
      if (!isKnown) this.#join();
    };
    next.onmessage = (message) => {
      if (next === this.#socket) take(message.data);
    };
    next.onclose = (close) => this.#closed(next, close);
    early.forEach(take);
    if (end !== null) this.#closed(next, end);
  }

  #isOwn(type, event) {
    return event.event_type === type && event.name === this.#who.name;
  }
}

const ENDED = "Your time in the room has ended: show the password again.";
