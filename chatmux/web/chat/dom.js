// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// Elements. What others have said becomes text nodes here and nowhere else markup.

export const find = (selector, within = document) => within.querySelector(selector);

/** Make an element with classes, attributes and children; strings become text. */
export function make(tag, classes = "", attributes = {}, ...children) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** Make one of the symbols that index.html has. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const use = document.createElementNS(space, "use");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** Copy what a template of index.html has in it: one element. */
export function copy(template) {
  return find(`#${template}`).content.firstElementChild.cloneNode(true);
}

/** Show a text in an element that is there while it has one. */
export function tell(element, words) {
  if (element.textContent !== words) element.textContent = words;
  element.hidden = !words;
}

/** Name what is wrong with a field, or take that back. */
export function mark(input, isWrong) {
  if (isWrong) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

/** Let the buttons of a dialog, and a click beside it, close it; Escape does already. */
export function closable(dialog) {
  for (const button of dialog.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => dialog.close());
  }
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });

/** Make a time of day that tells all of itself to whoever asks. */
export function time(date) {
  const attributes = { datetime: date.toISOString(), title: moment.format(date) };
  return make("time", "", attributes, clock.format(date));
}

export const dayOf = (date) => day.format(date);

/** Write a number with what is counted: "1 person", "2 people". */
export const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;
