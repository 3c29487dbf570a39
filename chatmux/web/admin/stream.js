// SPDX-FileCopyrightText: The chatmux authors
// SPDX-License-Identifier: MIT
// Stays connected: what there is, then what changes; and again, ever more patiently.

import * as api from "./api.js";

const LONGEST = 30;
const SILENCE = 6_000;

/**
 * Events: "begin" with what there is, "sample", "refusal", "denied" with the problem of a
 * token, "state" with kind (connecting, live, waiting, denied) and seconds to wait.
 */
export class Stream extends EventTarget {
  #socket = null;
  #timer = 0;
  #tries = 0;
  #turn = 0;

  /** Connect now, whatever was going on. */
  async start() {
    this.#stop();
    const mine = (this.#turn += 1);
    this.#tell("state", { kind: "connecting" });
    try {
      // First one alone: a wrong token is one wrong try.
      const server = await api.get("server");
      const [samples, refusals] = await Promise.all([api.get("samples"), api.get("refusals")]);
      if (mine !== this.#turn) return;
      this.#tell("begin", { server, samples, refusals });
    } catch (problem) {
      if (mine !== this.#turn) return;
      if (problem.status === 401 || problem.status === 429) {
        this.#tell("state", { kind: "denied" });
        this.#tell("denied", problem);
      } else this.#wait();
      return;
    }
    this.#listen();
  }

  #listen() {
    const socket = (this.#socket = api.events());
    socket.addEventListener("open", () => {
      this.#tries = 0;
      this.#tell("state", { kind: "live" });
      this.#mindSilence();
    });
    socket.addEventListener("message", ({ data }) => {
      if (socket !== this.#socket) return;
      this.#mindSilence();
      for (const [kind, told] of Object.entries(JSON.parse(data))) this.#tell(kind, told);
    });
    socket.addEventListener("close", () => socket === this.#socket && this.#wait());
  }

  /** A sample comes each second; without any, nothing is there any more. */
  #mindSilence() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#wait(), SILENCE);
  }

  #wait() {
    this.#stop();
    const most = Math.min(LONGEST, 2 ** this.#tries);
    this.#tries += 1;
    let seconds = Math.ceil(most / 2 + (Math.random() * most) / 2);
    const step = () => {
      if (seconds <= 0) return this.start();
      this.#tell("state", { kind: "waiting", seconds });
      seconds -= 1;
      this.#timer = setTimeout(step, 1000);
    };
    step();
  }

  #stop() {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #tell(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
