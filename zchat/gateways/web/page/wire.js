// The socket to the gateway. It speaks the protocol of zchat in JSON text frames; each question has an `id`, and its answer the same one.
//
// A socket that is dead does not always say so: after a laptop's sleep, or behind a router that forgot it. So a question is asked
// when the page is looked at again, and every now and then; a socket that does not answer in time is closed, and a new one opened.

import { capital, withTimes } from "./words.js";

const SILENCE = 20_000; // ms without a word from the gateway, after which it is asked
const PATIENCE = 8_000; // ms in which it has to answer that
const ANSWER = 20_000; // ms after which a question without an answer fails
const FIRST_WAIT = 400;
const LONGEST_WAIT = 4_000;

/** What the gateway or the broker refuses: `code` is one of the protocol's; `offline` and `timeout` are our own. */
export class Refused extends Error {
  constructor(code, message) {
    super(capital(withTimes(message)));
    this.code = code;
  }
}

export class Wire {
  #socket = null;
  #asked = new Map(); // id -> {resolve, reject, timer}
  #listeners = new Map(); // type of a frame -> functions
  #next = 1;
  #tries = 0;
  #heard = 0;
  #probing = false;
  #retry = 0;
  #wanted = false;
  #closedAt = 0;

  /** The way to the gateway is open. (Whether the gateway reaches the broker is told in `hello` and `state`.) */
  get open() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Call `f` with each frame of this type: hello, events, read, state, out; `open` and `closed` are told by the wire itself. */
  on(type, f) {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), f]);
  }

  /** Keep a socket open from now on. */
  start() {
    this.#wanted = true;
    this.#connect();
    setInterval(() => this.#watch(), SILENCE / 4);
    addEventListener("online", () => this.#again());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#wake());
  }

  stop() {
    this.#wanted = false;
    this.#socket?.close();
  }

  /**
   * Ask the gateway, and wait for the protocol's reply (`ack`, `history`, `joined` …).
   * @param {object} command without `id`
   * @returns {Promise<object>} Rejects with Refused.
   */
  ask(command) {
    if (!this.open) return Promise.reject(new Refused("offline", "There is no connection now."));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#fail(id, "timeout", "There was no answer in time."), ANSWER);
      this.#asked.set(id, { resolve, reject, timer });
      this.#socket.send(JSON.stringify({ ...command, id }));
    });
  }

  /** Send what has no answer, such as `typing`. It is dropped without a connection. */
  tell(command) {
    if (this.open) this.#socket.send(JSON.stringify(command));
  }

  #connect() {
    clearTimeout(this.#retry);
    if (!this.#wanted || (this.#socket && this.#socket.readyState <= WebSocket.OPEN)) return;
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`);
    this.#socket = socket;
    const late = setTimeout(() => socket === this.#socket && this.#abandon(socket), PATIENCE); // a network that answers nothing
    socket.onopen = () => {
      clearTimeout(late);
      this.#heard = Date.now();
      this.#emit("open", {});
    };
    socket.onmessage = (frame) => this.#take(JSON.parse(frame.data));
    socket.onclose = (event) => {
      clearTimeout(late);
      if (socket === this.#socket) this.#closed(event);
    };
  }

  #closed(event) {
    this.#probing = false;
    for (const id of [...this.#asked.keys()]) this.#fail(id, "offline", "The connection was lost.");
    const opened = this.#heard > this.#closedAt;
    this.#closedAt = Date.now();
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#tries++) * (0.5 + Math.random() / 2);
    this.#emit("closed", { wait, opened, code: event.code });
    this.#retry = setTimeout(() => this.#connect(), wait);
  }

  #again() {
    this.#tries = 0;
    this.#connect();
  }

  #wake() {
    if (!this.open) this.#again();
    else if (Date.now() - this.#heard > SILENCE / 4) this.#probe();
  }

  #watch() {
    if (this.open && Date.now() - this.#heard > SILENCE) this.#probe();
  }

  #probe() {
    if (this.#probing) return;
    this.#probing = true;
    const socket = this.#socket;
    const since = Date.now();
    this.tell({ type: "ping", id: this.#next++ });
    setTimeout(() => {
      this.#probing = false;
      if (socket === this.#socket && this.#heard < since) this.#abandon(socket);
    }, PATIENCE);
  }

  #abandon(socket) {
    socket.onclose = null; // a dead socket takes its time to close
    socket.close();
    this.#socket = null;
    this.#tries = 0;
    this.#closed({ code: 0 });
  }

  #take(frame) {
    this.#heard = Date.now();
    if (frame.type === "hello") this.#tries = 0;
    if (frame.type === "reply") this.#settle(frame.id)?.resolve(frame.reply);
    else if (frame.type === "refused") this.#settle(frame.id)?.reject(new Refused(frame.code, frame.message));
    else this.#emit(frame.type, frame);
  }

  #settle(id) {
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    clearTimeout(asked?.timer);
    return asked;
  }

  #fail(id, code, message) {
    this.#settle(id)?.reject(new Refused(code, message));
  }

  #emit(type, frame) {
    for (const f of this.#listeners.get(type) ?? []) f(frame);
  }
}

export const wire = new Wire();
