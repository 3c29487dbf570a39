// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// The tiles: what the server does now, and did in the last minutes.

import { find, make } from "../chat/dom.js";
import { Chart } from "./chart.js";
import * as figures from "./figures.js";

const KEPT = 600;
const PROTOCOLS = ["multichat", "machat", "globes", "webtalk", "admin"];

/** From when on a value is one to look at. */
const LATE = 0.05;

const METRICS = [
  { key: "messages", title: "Messages/s", write: figures.number, least: 4 },
  { key: "deliveries", title: "Deliveries/s", write: figures.number, least: 4 },
  { key: "channels", title: "Channels", write: figures.count, least: 4 },
  {
    key: "slow",
    title: "Slow consumers",
    write: figures.count,
    least: 4,
    worry: (value) => value > 0,
  },
  {
    key: "lag",
    title: "Reactor lag",
    write: figures.milliseconds,
    least: 0.01,
    worry: (value) => value >= LATE,
  },
  { key: "memory", title: "Memory", write: figures.bytes, least: 4 * 2 ** 20, floats: true },
];

export class Metrics {
  #samples = [];
  #span = 60;
  #tiles;
  #total = find("#total");
  #doors = new Map();
  #chart;

  constructor() {
    const write = figures.count;
    const options = { title: "Connections by protocol", write, layers: PROTOCOLS, least: 4 };
    this.#chart = new Chart(find("#doors-chart"), options);
    this.#tiles = METRICS.map((metric) => this.#tile(metric));
    find("#spans").addEventListener("change", ({ target }) => {
      this.#span = Number(target.value);
      this.draw();
    });
  }

  #tile(metric) {
    const value = make("p", "figure", {}, "–");
    const place = make("div", "chart");
    const tile = make("article", "panel metric", {}, make("h3", "", {}, metric.title), value, place);
    tile.dataset.metric = metric.key;
    find("#metrics").append(tile);
    return { ...metric, tile, value, chart: new Chart(place, metric) };
  }

  /** Begin anew, with the doors that the server has and what it remembers. */
  begin(doors, samples) {
    this.#samples = samples;
    this.#doors.clear();
    const rows = doors.map(({ key, protocol, address }) => {
      const value = make("span", "number", {}, "0");
      const bar = make("span", `bar ${PROTOCOLS.includes(protocol) ? protocol : "only"}`);
      const track = make("span", "track", { "aria-hidden": "true" }, bar);
      this.#doors.set(key, { value, bar });
      const name = make("span", "", { title: `${key}: ${address}` }, figures.door(key));
      return make("li", "", {}, name, track, value);
    });
    find("#doors").replaceChildren(...rows);
  }

  add(sample) {
    this.#samples.push(sample);
    if (this.#samples.length > KEPT) this.#samples.shift();
  }

  get last() {
    return this.#samples.at(-1);
  }

  draw() {
    const last = this.last;
    if (last === undefined) return;
    const times = this.#samples.map((sample) => sample.time);
    const total = sum(Object.values(last.connections));
    this.#total.textContent = figures.count(total);
    for (const [key, { value, bar }] of this.#doors) {
      const number = last.connections[key] ?? 0;
      value.textContent = figures.count(number);
      bar.style.width = `${total ? (number / total) * 100 : 0}%`;
    }
    const rows = this.#samples.map(({ connections }) => byProtocol(connections));
    this.#chart.show(times, rows, this.#span);
    for (const { key, write, worry, tile, value, chart } of this.#tiles) {
      value.textContent = write(last[key]);
      tile.classList.toggle("worry", worry?.(last[key]) ?? false);
      chart.show(times, this.#samples.map((sample) => [sample[key]]), this.#span);
    }
  }
}

const sum = (values) => values.reduce((all, value) => all + value, 0);

function byProtocol(connections) {
  const found = Object.fromEntries(PROTOCOLS.map((name) => [name, 0]));
  for (const [key, number] of Object.entries(connections)) found[key.split(".")[0]] += number;
  return PROTOCOLS.map((name) => found[name]);
}
