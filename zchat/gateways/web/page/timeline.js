// The window of messages: only what is near the screen is in the DOM, however many messages a room has.
//
// Near an end of the rows more of them are added, from the log or else from the broker; what one reads stays where it is.

import { Anchor } from "./anchor.js";
import { $, $$, button, h, icon, rect } from "./dom.js";
import { pending } from "./message.js";
import { MOST, Rows } from "./rows.js";
import { dayOf, sameDay } from "./words.js";

const STEP = 40; // rows that are added at once
const NEAR = 900; // px from an end of the rows at which more are wanted
const AT_END = 40; // px from the end that count as at the end

/**
 * @typedef {object} Source what a timeline shows
 * @property {import("./state.js").Place} place
 * @property {import("./log.js").Log} log
 * @property {number} thread the root of the thread, or 0
 * @property {() => Promise<void>} [loadOlder] @property {() => Promise<void>} [loadNewer] @property {() => Promise<void>} [loadNewest]
 * @property {() => object[]} waiting what waits in the outbox
 * @property {() => HTMLElement} intro what stands above the first message of all
 * @property {(item: object) => HTMLElement} quote the line of what a message answers
 */
export class Timeline {
  /** @type {Source|null} */
  source = null;
  #reached = true; // the rows went through the end of the log
  #busy = false;
  #waiting = () => [];
  #rows;
  #anchor;
  #root;
  #changedEnd;

  constructor(root, { changedEnd = () => {}, label = "Messages" } = {}) {
    this.#changedEnd = changedEnd;
    this.#root = root;
    const top = h("div.timeline-top");
    this.list = h("div.rows", { role: "log", aria: { label, live: "off" }, onfocusin: (event) => this.#reach(event.target.closest("article")) });
    this.foot = h("div.rows.waiting");
    const content = h("div.timeline-content", top, this.list, this.foot);
    this.scroller = h("div.scroller", { tabindex: -1, onscroll: () => this.#scrolled() }, content);
    this.jump = button({ class: "jump", hidden: true, onclick: () => this.toEnd() }, icon("down"), h("span", "Newest"));
    this.day = h("div.floating-day", { aria: { hidden: "true" }, hidden: true });
    root.replaceChildren(this.scroller, this.day, this.jump);
    this.#rows = new Rows(top, this.list);
    this.#anchor = new Anchor(this.scroller, this.list, this.rowOf);
    const seen = new ResizeObserver(() => this.#anchor.settle());
    seen.observe(content);
    seen.observe(this.scroller);
  }

  /** The newest message is in sight. */
  get atEnd() {
    return this.#anchor.atEnd && this.source !== null && this.source.log.loaded && this.#reached;
  }

  /** Show a source from its end, or around a message. */
  show(source, seq = 0) {
    this.source = source;
    this.#waiting = source.waiting;
    this.#root.ariaBusy = null;
    const { length } = source.log.items;
    const at = seq ? source.log.index(seq) : -1;
    const last = at < 0 ? length : Math.min(length, at + STEP);
    this.#anchor.forget();
    this.#rows.draw(source, Math.max(0, last - STEP * 2), last);
    this.#anchor.atEnd = at < 0;
    if (at >= 0) this.#place(seq, this.scroller.clientHeight / 3);
    else this.#toNew();
    this.drawWaiting();
    this.#after();
  }

  /** Show nothing but what waits, while something is loaded. */
  blank(waiting = () => []) {
    this.source = null;
    this.#waiting = waiting;
    this.#root.ariaBusy = "true";
    this.#rows.clear();
    this.#anchor.forget();
    this.#rows.top.replaceChildren();
    this.jump.hidden = true;
    this.drawWaiting();
  }

  /** Go to a message that is in the log, and let it shine for a moment. */
  light(seq) {
    if (!this.rowOf(seq)) this.show(this.source, seq);
    else this.#place(seq, this.scroller.clientHeight / 3);
    if (this.rowOf(seq)) this.#rows.light(seq)?.focus({ preventScroll: true });
  }

  /** Go to the newest message. */
  async toEnd() {
    if (this.source?.log.newer) return this.source.loadNewest();
    if (this.source) this.show(this.source);
    return undefined;
  }

  /** Messages came, or were changed. */
  changed(seqs) {
    if (!this.source) return;
    this.#anchor.keep(() => {
      this.#find();
      for (const seq of seqs) if (this.rowOf(seq)) this.#rows.redraw(this.source.log.index(seq));
      this.#grow();
    });
    this.drawWaiting();
    this.#after();
  }

  /** The log holds other messages now: show what one read, if it is among them. */
  reset() {
    const { seq, bottom, atEnd } = this.#anchor;
    if (atEnd || !seq || this.source.log.index(seq) < 0) return this.show(this.source);
    this.show(this.source, seq);
    return this.#place(seq, bottom - rect(this.rowOf(seq)).height);
  }

  /** All rows anew, at the place where they are. */
  redraw() {
    if (this.source) this.#anchor.keep(() => this.#rows.redrawAll());
  }

  drawWaiting() {
    const entries = this.#waiting();
    this.#anchor.keep(() => this.foot.replaceChildren(...(this.source?.log.newer ? [] : entries.map(pending))));
  }

  /** The row of a message, if it is in the DOM. */
  rowOf = (seq) => this.#rows.of(seq);

  /** Move the focus to the message before or after the one that has it. */
  focusNext(by) {
    const all = $$("article", this.list);
    const at = all.indexOf(document.activeElement?.closest("article"));
    const next = at < 0 ? all.at(-1) : all[Math.max(0, Math.min(all.length - 1, at + by))];
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
  }

  /** To the end; or to the line of what is new, where all of it is more than the screen holds. */
  #toNew() {
    this.#anchor.settle();
    const line = $(".line.new", this.list);
    if (!line || rect(line).top >= rect(this.scroller).top) return;
    this.#place(Number(line.closest(".row").dataset.seq), 24);
  }

  /** The `seq` of the first message in sight. */
  get firstSeen() {
    return this.#anchor.seq;
  }

  /** The `seq` of the last message in sight. */
  get lastSeen() {
    const bottom = rect(this.scroller).bottom;
    const rows = [...this.list.children];
    return Number(rows.findLast((one) => rect(one).bottom <= bottom + AT_END)?.dataset.seq ?? 0);
  }

  /** The day of what is at the top, while one reads what is not of today's end. */
  #drawDay() {
    const item = this.#anchor.atEnd ? undefined : this.source.log.get(this.#anchor.seq);
    this.day.hidden = !item || Boolean(this.source.thread) || sameDay(item.time, new Date()) || $(".line.day", this.rowOf(item.seq)) !== null;
    if (!this.day.hidden) this.day.textContent = dayOf(item.time);
  }

  /** Tab reaches one message: the one that had the focus last, or the newest. The arrow keys go on from there. */
  #reach(article) {
    for (const one of $$('article[tabindex="0"]', this.list)) one.tabIndex = -1;
    if (article) article.tabIndex = 0;
  }

  /** Rows for what is new at the end of the log, if the rows reached through its end before. */
  #grow() {
    const { behind, full } = this.#rows;
    const { atEnd } = this.#anchor;
    if (!this.#reached || behind <= 0 || (full && !atEnd)) return;
    if (behind > MOST && atEnd) this.show(this.source);
    else this.#rows.addDown(behind);
  }

  #find() {
    if (!this.#rows.find()) this.show(this.source, this.source.log.first);
  }

  #place(seq, top) {
    if (this.#anchor.place(seq, top)) this.#scrolled();
  }

  #scrolled() {
    if (!this.source) return;
    const { scroller } = this;
    this.#anchor.note();
    const left = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    this.#anchor.atEnd = left <= AT_END && this.#isThrough();
    this.#after();
  }

  /** The rows go through the end of the log, and the log through its place's. */
  #isThrough() {
    return !this.source.log.newer && this.#rows.behind === 0;
  }

  #after() {
    if (!this.source) return;
    this.#reached = this.#isThrough();
    const { unread } = this.source.thread ? { unread: 0 } : this.source.place;
    this.jump.lastChild.textContent = unread ? `${unread} new` : "Newest";
    this.jump.classList.toggle("unread", unread > 0);
    this.jump.hidden = this.atEnd || this.source.log.items.length === 0;
    if (!$('article[tabindex="0"]', this.list)) this.#reach($(".row:last-child article", this.list));
    this.#drawDay();
    this.#changedEnd();
    this.#fill();
  }

  /** Add rows at an end that is near, from the log or else from the broker. */
  async #fill() {
    const { source, scroller } = this;
    if (this.#busy || !source) return;
    this.#busy = true;
    try {
      const near = { up: () => scroller.scrollTop < NEAR, down: () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR };
      let added = false; // at one end in one go: each may take rows away at the other one
      while (near.up() && (await this.#wantUp(source))) added = true;
      while (!added && near.down() && (await this.#wantDown(source)));
    } catch {
      // offline: it is tried again with the next scroll, or when the connection is back
    } finally {
      this.#busy = false;
    }
  }

  /** @returns {Promise<boolean>} whether there are more rows now */
  async #wantUp(source) {
    const rows = this.#rows;
    if (rows.first === 0 && source.log.loaded && source.log.older && source.loadOlder) {
      await source.loadOlder();
      if (source !== this.source) return false;
      this.#find();
      if (rows.first === 0) this.#anchor.keep(() => rows.drawTop());
    }
    if (rows.first === 0) return false;
    this.#anchor.keep(() => rows.addUp(STEP));
    return true;
  }

  async #wantDown(source) {
    const rows = this.#rows;
    if (rows.behind <= 0 && source.log.newer && source.loadNewer) {
      await source.loadNewer();
      if (source !== this.source) return false;
      this.#find();
    }
    if (rows.behind <= 0) return false;
    this.#anchor.keep(() => rows.addDown(STEP));
    this.#reached = this.#isThrough();
    return true;
  }
}
