// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// Who is in a room: a list that is shown in more than one place.

import { disc } from "./colours.js";
import { count, make } from "./dom.js";
import { badge } from "./log.js";

const MOST_SHOWN = 300;

export class People {
  #all = new Map();

  /** Take the room's own word on who is there. */
  replace(users) {
    this.#all = new Map(users.map((user) => [user.username, user]));
  }

  came({ name, color, origin }) {
    this.#all.set(name, { username: name, color, origin });
  }

  went({ name }) {
    this.#all.delete(name);
  }

  get size() {
    return this.#all.size;
  }

  get words() {
    return count(this.size, "person", "people");
  }

  /** Fill a list; `own` is marked. */
  show(list, own) {
    const shown = [...this.#all.values()].slice(0, MOST_SHOWN);
    const items = shown.map(({ username, color, origin }) => {
      const name = make("span", "name", {}, make("bdi", "", {}, username));
      if (username === own) name.append(make("span", "hint", {}, " (you)"));
      return make("li", "", {}, disc(username, color), name, badge(origin ?? "globes"));
    });
    const more = this.size - shown.length;
    if (more > 0) items.push(make("li", "hint", {}, `and ${more} more`));
    list.replaceChildren(...items);
  }
}
