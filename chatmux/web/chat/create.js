// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// The dialog that makes a room.

import * as api from "./api.js";
import { closable, find, mark, tell } from "./dom.js";

const TITLE_BYTES = [2, 70];
const PASSWORD_BYTES = [8, 1024];
const encoder = new TextEncoder();

const bytes = (text) => encoder.encode(text).length;
const fits = (text, [least, most]) => bytes(text) >= least && bytes(text) <= most;

/** Return what is wrong with a wish, by field; null if nothing is. */
export function flaw({ title, description, visibility, password }) {
  if (!fits(title, TITLE_BYTES)) {
    return ["title", "The title needs at least two characters, and at most 70 bytes."];
  }
  if (/^\d+$/.test(title)) return ["title", "The title must not be a number."];
  if (bytes(description) > TITLE_BYTES[1]) {
    return ["description", "The description may have at most 70 bytes."];
  }
  if (visibility !== "public" && !fits(password, PASSWORD_BYTES)) {
    return ["password", "The password needs at least 8 characters."];
  }
  return null;
}

/** Let a button open the dialog; `made` is called with the new room and its password. */
export function creating(button, made) {
  const dialog = find("#create");
  const form = find("form", dialog);
  const secret = find(".secret", dialog);
  const fault = find(".fault", dialog);
  closable(dialog);
  // No password stays in a form that nobody sees.
  dialog.addEventListener("close", () => form.reset());

  function say(field, words) {
    tell(fault, words);
    for (const name of ["title", "description", "password"]) mark(form.elements[name], name === field);
    form.elements[field]?.focus?.();
  }

  button.addEventListener("click", () => {
    form.reset();
    secret.hidden = true;
    say("", "");
    dialog.showModal();
    form.elements.title.focus();
  });
  form.addEventListener("change", () => {
    secret.hidden = form.elements.visibility.value === "public";
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wish = {
      title: form.elements.title.value.trim(),
      description: form.elements.description.value.trim(),
      visibility: form.elements.visibility.value,
      password: form.elements.password.value,
    };
    const wrong = flaw(wish);
    if (wrong !== null) return say(...wrong);
    if (wish.visibility === "public") delete wish.password;
    const submit = find("[type=submit]", form);
    submit.disabled = true;
    try {
      const told = await api.addRoom(wish);
      dialog.close();
      made(told, wish.password ?? "");
    } catch (refused) {
      say(refused.field, refused.message);
    } finally {
      submit.disabled = false;
    }
  });
}
