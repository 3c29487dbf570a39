// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// What is remembered: name and colour for good; rooms and tokens as long as the tab.

const ME = "chatmux.me";
const INSIDE = "chatmux.rooms";

function read(storage, key, otherwise) {
  try {
    return JSON.parse(window[storage].getItem(key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function write(storage, key, value) {
  try {
    window[storage].setItem(key, JSON.stringify(value));
  } catch {
    // The browser keeps nothing: so it is asked again.
  }
}

export const me = () => read("localStorage", ME, {});
export const rememberMe = (name, color) => write("localStorage", ME, { name, color });

/** The rooms that this tab is in: `{ id: { name, color, token } }`. */
export const inside = () => read("sessionStorage", INSIDE, {});

export function entered(id, how) {
  write("sessionStorage", INSIDE, { ...inside(), [id]: how });
}

export function left(id) {
  const all = inside();
  delete all[id];
  write("sessionStorage", INSIDE, all);
}
