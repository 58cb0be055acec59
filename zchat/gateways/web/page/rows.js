// The rows of a timeline that are in the DOM: a stretch of its log. At either end rows are added, and then taken away at the other one.

import { $, h } from "./dom.js";
import { row } from "./message.js";

export const MOST = 160; // rows in the DOM

export class Rows {
  /** @type {import("./timeline.js").Source|null} */
  source = null;
  first = 0; // they are those of log.items[first … last)
  last = 0;
  #rows = new Map();
  #lit = { seq: 0, since: 0 };

  /** @param {HTMLElement} top what stands above them @param {HTMLElement} list */
  constructor(top, list) {
    Object.assign(this, { top, list });
  }

  /** The row of a message, if it is in the DOM. */
  of = (seq) => this.#rows.get(seq);

  get full() {
    return this.last - this.first >= MOST;
  }

  /** How many messages come behind them in the log. */
  get behind() {
    return this.source.log.items.length - this.last;
  }

  clear() {
    this.list.replaceChildren();
    this.#rows.clear();
  }

  /** Show these messages, and no others. */
  draw(source, first, last) {
    if (source !== this.source) this.#lit = { seq: 0, since: 0 };
    this.clear();
    Object.assign(this, { source, first, last });
    this.list.append(...this.#made(first, last));
    this.drawTop();
  }

  drawTop() {
    const { log, intro } = this.source;
    const begins = this.first === 0 && !log.older;
    this.top.replaceChildren(begins ? intro() : h("div.loading-older", { role: "status" }, "Loading earlier messages"));
  }

  /** A message has changed, or what stands before it. */
  redraw(at) {
    const item = this.source.log.items[at];
    const old = item && this.of(item.seq);
    if (!old) return;
    const focused = old.contains(document.activeElement);
    old.replaceWith(this.#make(at, old));
    if (focused) $("article", this.of(item.seq)).focus({ preventScroll: true });
  }

  redrawAll() {
    for (let at = this.first; at < this.last; at++) this.redraw(at);
  }

  /** The log was changed at its beginning: find the rows in it again. @returns {boolean} whether they are there */
  find() {
    const shown = this.list.firstElementChild;
    const at = shown ? this.source.log.index(Number(shown.dataset.seq)) : -1;
    if (at < 0) return !shown;
    this.last += at - this.first;
    this.first = at;
    return true;
  }

  addDown(count) {
    const from = this.last;
    this.last = Math.min(this.source.log.items.length, from + Math.min(count, MOST));
    this.list.append(...this.#made(from, this.last));
    while (this.last - this.first > MOST) this.#remove(this.first++);
    this.redraw(this.first);
    this.drawTop();
  }

  addUp(count) {
    const from = this.first;
    this.first = Math.max(0, from - count);
    this.list.prepend(...this.#made(this.first, from));
    this.redraw(from);
    while (this.last - this.first > MOST) this.#remove(--this.last);
    this.drawTop();
  }

  /** Let a message shine for a moment. @returns {HTMLElement|null} it */
  light(seq) {
    const found = $("article", this.of(seq));
    if (!found) return null;
    $(".lit", this.list)?.classList.remove("lit");
    void found.offsetWidth; // begins the animation anew
    this.#lit = { seq, since: performance.now() };
    this.#shine(found);
    return found;
  }

  #shine(article) {
    article.classList.add("lit");
    article.style.animationDelay = `${this.#lit.since - performance.now()}ms`; // a row that is drawn anew goes on where it was
  }

  #made(from, to) {
    return Array.from({ length: to - from }, (_, at) => this.#make(from + at));
  }

  #make(at, old) {
    const { log, place, thread, quote } = this.source;
    const item = log.items[at];
    const before = log.items[at - 1];
    const isNew = place.newFrom !== undefined && item.seq > place.newFrom && (before ? before.seq <= place.newFrom : !log.older) && !thread;
    const made = row(item, { before, place, isNew, inThread: thread, old, quote });
    this.#rows.set(item.seq, made);
    if (item.seq === this.#lit.seq) this.#shine($("article", made));
    return made;
  }

  #remove(at) {
    const { seq } = this.source.log.items[at];
    this.of(seq)?.remove();
    this.#rows.delete(seq);
  }
}
