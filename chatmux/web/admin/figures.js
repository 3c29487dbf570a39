// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// How numbers, times and doors are written.

const few = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const big = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

/** Write a number in few characters. */
export function number(value) {
  if (value >= 100_000) return big.format(value);
  return (value < 10 ? few : whole).format(value);
}

export const count = (value) => whole.format(value);

export function bytes(value) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${number(value)} ${units[unit]}`;
}

export function milliseconds(seconds) {
  const value = seconds * 1000;
  return value < 1000 ? `${number(value)} ms` : `${number(seconds)} s`;
}

/** Say how long something has lasted: "3 d 4 h", "12 min". */
export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const clock = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });
const moment = new Intl.DateTimeFormat("en", { dateStyle: "full", timeStyle: "medium" });

export const time = (seconds) => clock.format(new Date(seconds * 1000));
export const date = (seconds) => moment.format(new Date(seconds * 1000));

const PROTOCOLS = { admin: "operator", globes: "Globes", machat: "MaChat" };
const PARTS = {
  "globes.address": "web",
  "machat.tcp": "TCP",
  "machat.ws": "WebSocket",
  "webtalk.private": "back-ends",
  "webtalk.public": "browsers",
};

/** Name a protocol as people know it. */
export const protocol = (name) => PROTOCOLS[name] ?? name;

/** Name a door, of which the configuration has the key. */
export function door(key) {
  const name = protocol(key.split(".")[0]);
  return PARTS[key] ? `${name} ${PARTS[key]}` : name;
}
