// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// People's colours: shown as a disc with a letter that can be read on it, never as text.

import { make } from "./dom.js";

export const CHOICES = [
  ["Blue", "#3d63dd"],
  ["Teal", "#0b766a"],
  ["Green", "#30803f"],
  ["Amber", "#f2a900"],
  ["Orange", "#bf4410"],
  ["Red", "#ce2c4b"],
  ["Pink", "#c2409a"],
  ["Violet", "#7c4fd0"],
];

const canvas = document.createElement("canvas").getContext("2d");
const known = new Map();

/** Return "#rrggbb" for a colour in any way of writing it; one of ours for a bad one. */
export function solid(wanted, name) {
  const key = `${wanted}\n${name}`;
  if (!known.has(key)) {
    if (known.size > 2000) known.clear();
    known.set(key, opaque(wanted) ?? CHOICES[number(name) % CHOICES.length][1]);
  }
  return known.get(key);
}

/** Make the disc of somebody, with the first letter of the name. */
export function disc(name, wanted) {
  const colour = solid(wanted, name);
  const [letter = "?"] = /[\p{L}\p{N}]/u.exec(name) ?? [];
  const element = make("span", "disc", { "aria-hidden": "true" }, letter.toUpperCase());
  element.style.setProperty("background-color", colour);
  element.style.setProperty("color", isLight(colour) ? "#111" : "#fff");
  return element;
}

function opaque(wanted) {
  const text = (wanted ?? "").trim();
  if (!/^(#[0-9a-f]{3,8}|[a-z]{3,20}|(rgb|hsl)a?\([0-9a-z.,%/ ]+\))$/i.test(text)) return null;
  if (!CSS.supports("color", text)) return null;
  canvas.fillStyle = "#000001";
  canvas.fillStyle = text;
  const colour = canvas.fillStyle;
  return /^#[0-9a-f]{6}$/.test(colour) && colour !== "#000001" ? colour : null;
}

/** Say whether black can be read better on a colour than white. */
function isLight(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18;
}

function number(name) {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 65521;
  return sum;
}
