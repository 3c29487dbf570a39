// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// The form at a room's door: name, colour, and the password where there is one.

import * as api from "./api.js";
import { CHOICES } from "./colours.js";
import { copy, find, make, mark, tell } from "./dom.js";
import * as state from "./state.js";

const KINDS = { private: "Private", hidden: "Hidden" };

/**
 * Dispatches "enter" with { told, who } when the room may be tried.
 */
export class Entry extends EventTarget {
  #key;
  #told;
  #form;

  /** `told`: the room, or null where nobody tells of one by this key. */
  constructor(key, told, secret = "") {
    super();
    this.#key = key;
    this.#told = told;
    this.element = copy("entry-template");
    this.#form = find("form", this.element);
    find("h2 bdi", this.element).textContent = told?.title ?? key;
    find(".kind", this.element).textContent = KINDS[told?.visibility] ?? "";
    tell(find(".about", this.element), told?.description ?? "");
    this.#tellPresent();
    find(".secret", this.element).hidden = !this.#hasPassword;
    this.#colours();
    this.#form.elements.name.value = state.me().name ?? "";
    if (this.#hasPassword) this.#form.elements.secret.value = secret;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  get #hasPassword() {
    return this.#told?.visibility !== "public";
  }

  /** Put the focus into the first field that has to be filled in. */
  focus() {
    const { name, secret } = this.#form.elements;
    const hasKeyboard = !matchMedia("(pointer: coarse)").matches;
    if (!hasKeyboard) return find("h2", this.element).focus();
    if (!name.value) name.focus();
    else if (this.#hasPassword && !secret.value) secret.focus();
    else find("[type=submit]", this.element).focus();
  }

  /** Keep no password. */
  forget() {
    this.#form.elements.secret.value = "";
  }

  /** Say what is wrong, and where. */
  fault(words, ask = "") {
    this.#busy(false);
    tell(find(".fault", this.element), words);
    for (const name of ["name", "secret"]) mark(this.#form.elements[name], ask === name);
    if (!ask) return;
    this.#form.elements[ask].focus();
    this.#form.elements[ask].select();
  }

  #tellPresent() {
    const users = this.#told?.users ?? [];
    const place = find(".present", this.element);
    if (this.#told === null) {
      tell(place, "No room is listed by this name. If it is a hidden one, its password opens it.");
      return;
    }
    const names = users.slice(0, 3).map((user) => make("bdi", "", {}, user.username));
    const more = users.length - names.length;
    if (users.length === 0) return tell(place, "Nobody is here yet.");
    place.textContent = "Here now: ";
    names.forEach((name, at) => place.append(...(at ? [", ", name] : [name])));
    if (more > 0) place.append(` and ${more} more`);
  }

  #colours() {
    const place = find(".colours div", this.element);
    const known = CHOICES.map(([, colour]) => colour);
    const mine = state.me().color;
    const chosen = known.includes(mine) ? mine : known[Math.floor(Math.random() * known.length)];
    for (const [word, colour] of CHOICES) {
      const input = make("input", "", { type: "radio", name: "color", value: colour, "aria-label": word });
      input.checked = colour === chosen;
      input.style.setProperty("--colour", colour);
      place.append(input);
    }
  }

  #busy(isBusy) {
    const button = find("[type=submit]", this.element);
    button.disabled = isBusy;
    button.textContent = isBusy ? "Entering…" : "Enter";
  }

  async #submit() {
    const { name: nameField, secret: secretField } = this.#form.elements;
    const name = nameField.value.trim();
    const color = this.#form.elements.color.value;
    if (!name) return this.fault("Say how you want to be called.", "name");
    if (name.includes(":")) return this.fault("A name must not have a colon in it.", "name");
    if (this.#hasPassword && !secretField.value) {
      return this.fault("This room has a password.", "secret");
    }
    this.fault("");
    this.#busy(true);
    state.rememberMe(name, color);
    const who = { name, color };
    try {
      const told = await this.#open(who, secretField.value);
      this.dispatchEvent(new CustomEvent("enter", { detail: { told, who } }));
    } catch (fault) {
      this.fault(fault.message, fault.field === "name" ? "name" : this.#hasPassword ? "secret" : "");
      if (fault.status === 429) this.#holdBack(fault.wait);
    }
  }

  /** Show the password, where there is one; return the room. */
  async #open(who, secret) {
    if (!this.#hasPassword) return this.#told;
    const { room_id: id, token } = await this.#show(who.name, secret);
    // A public room has no token: it has lost its password a moment ago.
    if (token) Object.assign(who, { token, since: Date.now() });
    return api.lookUp(id ?? this.#key, token);
  }

  async #show(name, secret) {
    try {
      return await api.showPassword(this.#told?.id ?? this.#key, name, secret);
    } catch (fault) {
      if (fault.status === 404) {
        fault.message = "There is no such room, or that is not its password.";
      }
      throw fault;
    }
  }

  /** Keep the button back until the server looks at passwords again. */
  #holdBack(seconds) {
    const button = find("[type=submit]", this.element);
    button.disabled = true;
    const until = Date.now() + seconds * 1000;
    const timer = setInterval(() => {
      const left = Math.ceil((until - Date.now()) / 1000);
      button.textContent = left > 0 ? `Wait ${left} s` : "Enter";
      if (left > 0) return;
      clearInterval(timer);
      this.#busy(false);
    }, 250);
  }
}
