// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// A chart of the last minutes: areas on each other, with a line of words that says it all.

const SPACE = "http://www.w3.org/2000/svg";
const WIDTH = 600;
const HEIGHT = 100;
const GAP = 5;
let made = 0;

function draw(tag, attributes, ...children) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Return a round number that is a little more. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 12].map((one) => one * power).find((one) => one >= value * 1.05);
}

export class Chart {
  #svg;
  #title;
  #words;
  #limits;
  #layers = [];
  #options;

  /**
   * @param place Element to be drawn in.
   * @param options title; write, which makes a value words; layers, classes of the areas
   *   from below; least, what the top stands for at least; floats, whether the bottom
   *   is near the lowest value and not 0.
   */
  constructor(place, { title, write, layers = ["only"], least = 1, floats = false }) {
    const id = `chart-${(made += 1)}`;
    this.#options = { title, write, layers, least, floats };
    this.#title = draw("title", { id: `${id}-title` }, title);
    this.#words = draw("desc", { id: `${id}-words` });
    this.#svg = draw("svg", {
      class: "plot",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      preserveAspectRatio: "none",
      role: "img",
      "aria-labelledby": `${id}-title`,
      "aria-describedby": `${id}-words`,
    }, this.#title, this.#words);
    for (const at of [0, HEIGHT / 2, HEIGHT]) {
      this.#svg.append(draw("line", { class: "grid", x1: 0, x2: WIDTH, y1: at, y2: at }));
    }
    for (const layer of layers) {
      const area = draw("path", { class: `area ${layer}` });
      const line = draw("path", { class: `line ${layer}` });
      this.#svg.append(area, line);
      this.#layers.push({ area, line });
    }
    this.#limits = document.createElement("p");
    this.#limits.className = "limits";
    place.replaceChildren(this.#svg, this.#limits);
  }

  /**
   * @param times Ends of the seconds, rising.
   * @param rows For each second a value for each layer.
   * @param span How many seconds are shown.
   */
  show(times, rows, span) {
    const end = times.at(-1) ?? 0;
    const first = times.findIndex((time) => time > end - span);
    const shown = first < 0 ? [] : times.slice(first);
    const values = first < 0 ? [] : rows.slice(first);
    const sums = values.map((row) => row.reduce((sum, value) => sum + value, 0));
    const low = sums.length ? Math.min(...sums) : 0;
    const high = sums.length ? Math.max(...sums) : 0;
    const { least, floats, write } = this.#options;
    const bottom = floats ? Math.max(0, low - Math.max(high - low, least) / 2) : 0;
    const top = floats ? high + Math.max(high - low, least) / 2 : Math.max(ceiling(high || least), least);
    const x = shown.map((time) => WIDTH - ((end - time) / span) * WIDTH);
    const y = (value) => HEIGHT - ((value - bottom) / (top - bottom)) * HEIGHT;
    let floor = values.map(() => bottom);
    this.#layers.forEach(({ area, line }, index) => {
      const height = values.map((row, at) => (index ? floor[at] : 0) + row[index]);
      const path = { area: "", line: "" };
      for (const [from, to] of stretches(shown)) {
        const along = (list) => list.map(([a, b]) => `${a.toFixed(1)} ${b.toFixed(1)}`).join("L");
        const upper = [];
        const lower = [];
        for (let at = from; at < to; at += 1) {
          upper.push([x[at], y(height[at])]);
          lower.unshift([x[at], y(floor[at])]);
        }
        path.line += `M${along(upper)}`;
        path.area += `M${along(upper)}L${along(lower)}Z`;
      }
      area.setAttribute("d", path.area);
      line.setAttribute("d", path.line);
      floor = height;
    });
    const now = sums.at(-1) ?? 0;
    const words = [`lowest ${write(low)}`, `highest ${write(high)}`];
    this.#words.textContent = `Now ${write(now)}; ${words.join(", ")} in ${span / 60} min.`;
    this.#limits.textContent = `low ${write(low)} · high ${write(high)}`;
  }
}

/** Yield from where to where no second is missing. */
function* stretches(times) {
  let from = 0;
  for (let at = 1; at <= times.length; at += 1) {
    if (at === times.length || times[at] - times[at - 1] > GAP) {
      yield [from, at];
      from = at;
    }
  }
}
