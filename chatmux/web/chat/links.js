// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// Addresses in what others say. Only http and https, and only such as stand there in full.

import { make } from "./dom.js";

// No control character, no mark of direction, and nothing that quotes.
const ADDRESS =
  /\bhttps?:\/\/[^\s<>"'`{}|\\^\u0000-\u0020\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+/gi;
const LONGEST = 2048;

/** Cut a text into strings and `{ text, href }`. */
export function pieces(text) {
  const found = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    if (match[0].length > LONGEST) continue; // Before anything that takes its time.
    const written = trimmed(match[0]);
    const href = safe(written);
    if (href === null) continue;
    if (match.index > end) found.push(text.slice(end, match.index));
    found.push({ text: written, href });
    end = match.index + written.length;
  }
  if (end < text.length) found.push(text.slice(end));
  return found;
}

/** Make nodes of a text, in which addresses can be clicked. */
export function linked(text) {
  return pieces(text).map((piece) => {
    if (typeof piece === "string") return document.createTextNode(piece);
    const attributes = {
      href: piece.href,
      target: "_blank",
      rel: "noopener noreferrer nofollow",
      referrerpolicy: "no-referrer",
    };
    return make("a", "", attributes, piece.text);
  });
}

/** Take away what ends a sentence and not an address. */
function trimmed(address) {
  let text = address;
  for (;;) {
    const last = text.at(-1);
    const unopened = last === ")" && !text.includes("(");
    if (!unopened && !".,;:!?*_~]".includes(last)) return text;
    text = text.slice(0, -1);
  }
}

function safe(address) {
  try {
    const url = new URL(address);
    const isWeb = url.protocol === "http:" || url.protocol === "https:";
    // With a name before the host it may seem to be of another one.
    return isWeb && url.hostname && !url.username && !url.password ? url.href : null;
  } catch {
    return null;
  }
}
