// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// What is asked before something is done: the token, a reason, a notice.

import { closable, count, find, make, tell } from "../chat/dom.js";
import * as api from "./api.js";
import * as figures from "./figures.js";

let fading = 0;

/** Say shortly what was done. */
export function toast(words) {
  const place = find("#toast");
  place.textContent = words;
  clearTimeout(fading);
  fading = setTimeout(() => (place.textContent = ""), 6_000);
}

/** Have a form do something, and say what is wrong where it cannot. */
function submitting(dialog, act) {
  const form = find("form", dialog);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = find("[type=submit]", form);
    button.disabled = true;
    try {
      tell(find(".fault", form), "");
      await act(form.elements);
      dialog.close();
    } catch (problem) {
      tell(find(".fault", form), problem.message);
    } finally {
      button.disabled = false;
    }
  });
  return form;
}

/** Ask for the token until it is right. */
export class Token {
  #dialog = find("#token");
  #form;
  #start;
  #isWanted = false;

  /** @param start Called when there is one to try. */
  constructor(start) {
    this.#start = start;
    this.#form = find("form", this.#dialog);
    // Escape closes it; without a token there is nothing behind it.
    this.#dialog.addEventListener("close", () => this.#isWanted && this.#dialog.showModal());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const token = this.#form.elements.token.value.trim();
      // As it goes into a header and a subprotocol.
      if (!/^[\w!#$%&'*+.^`|~-]+$/.test(token)) return this.#fault("This is no token.");
      api.token.set(token);
      this.#start();
    });
  }

  ask(problem) {
    this.#isWanted = true;
    if (!this.#dialog.open) this.#dialog.showModal();
    if (problem.status === 429) {
      this.#fault(`Too many wrong tokens. Try again in ${count(problem.seconds, "second", "seconds")}.`);
    } else if (api.token.get()) this.#fault("The token is wrong.");
    this.#form.elements.token.value = "";
    this.#form.elements.token.focus();
  }

  done() {
    this.#isWanted = false;
    tell(find(".fault", this.#dialog), "");
    this.#dialog.close();
  }

  #fault(words) {
    tell(find(".fault", this.#dialog), words);
  }
}

/** Ask before something is closed. */
export class Closing {
  #dialog = find("#close");
  #form;
  #path = "";
  #body = {};
  #done;

  /** @param done Called when something was closed. */
  constructor(done) {
    this.#done = done;
    closable(this.#dialog);
    this.#form = submitting(this.#dialog, async ({ reason }) => {
      const told = await api.post(this.#path, { ...this.#body, reason: reason.value });
      toast(`Closed ${count(told.closed, "connection", "connections")}.`);
      this.#done();
    });
  }

  connection(one) {
    const names = one.channels.map((place) => place.as).filter(Boolean);
    const who = [...new Set(names), one.peer, figures.door(one.door)].join(" · ");
    this.#ask(`Close connection ${one.number}?`, who, "Close it");
    this.#path = `connections/${one.number}/close`;
    this.#body = {};
  }

  channel(one) {
    const whom = count(one.connections, "connection", "connections");
    const about = `${whom} on it will be closed, with all their other channels. They may come back.`;
    this.#ask(`Close ${one.name}?`, about, `Close ${whom}`);
    this.#path = "channels/close";
    this.#body = { channel: one.name };
  }

  #ask(title, about, label) {
    this.#form.reset();
    tell(find(".fault", this.#form), "");
    find("#close-title").textContent = title;
    find("#close-about").textContent = about;
    find("[type=submit]", this.#form).textContent = label;
    this.#dialog.showModal();
    this.#form.elements.reason.focus();
  }
}

/** Send a notice to one channel or to everybody. */
export class Notice {
  #dialog = find("#notice");
  #form;
  #channels = [];

  constructor() {
    closable(this.#dialog);
    this.#form = submitting(this.#dialog, async ({ channel, text }) => {
      if (!text.value.trim()) throw new Error("There is nothing to say yet.");
      const body = { text: text.value };
      if (channel.selectedIndex > 0) body.channel = channel.value;
      const told = await api.post("notice", body);
      toast(`Told ${count(told.told, "connection", "connections")}.`);
    });
    this.#form.elements.channel.addEventListener("change", () => this.#label());
  }

  ask(channels) {
    this.#channels = channels;
    const { channel, text } = this.#form.elements;
    const options = channels.map(({ name }) => make("option", "", { value: name }, name));
    channel.replaceChildren(make("option", "", { value: "" }, "Everybody, on all channels"), ...options);
    text.value = "";
    tell(find(".fault", this.#form), "");
    this.#label();
    this.#dialog.showModal();
    text.focus();
  }

  #label() {
    const index = this.#form.elements.channel.selectedIndex;
    const one = this.#channels[index - 1];
    const words = one ? `Tell ${count(one.connections, "connection", "connections")}` : "Tell everybody";
    find("[type=submit]", this.#form).textContent = words;
  }
}

/** Show who is on a channel. */
export class Members {
  #dialog = find("#members");

  constructor() {
    closable(this.#dialog);
  }

  async ask({ name }) {
    try {
      const members = await api.get("members", { channel: name });
      const rows = members.map((one) =>
        make("li", "", {}, make("bdi", "", {}, one.name), make("small", "", {}, figures.protocol(one.origin))));
      find("#members-title").textContent = `On ${name}`;
      find("ul", this.#dialog).replaceChildren(...rows);
      this.#dialog.showModal();
      find("#members-title").focus();
    } catch (problem) {
      toast(problem.message);
    }
  }
}
