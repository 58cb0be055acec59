// The window of messages: only what is near the screen is in the DOM, however many messages a room has.
//
// The rows are a stretch of the log. Near an end of it rows are added there, and taken away at the other one. What one reads stays
// where it is: the first row in sight is the anchor, and after each change (rows above it, an image, another width) the scroll
// position is set so that the anchor is where it was. Only at the end of the log does the page follow what is new. The browser's own
// anchoring is off, since not all have it, and the two would both correct.

import { $, h, icon } from "./dom.js";
import { pending, row } from "./message.js";
import { dayOf, sameDay } from "./words.js";

const MOST = 160; // rows in the DOM
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
  #first = 0; // the rows are those of log.items[#first … #last)
  #last = 0;
  #rows = new Map();
  #anchor = null; // {seq, top}
  #atEnd = true;
  #lit = { seq: 0, since: 0 };
  #reached = true; // the rows went through the end of the log
  #busy = false;
  #waiting = () => [];
  #root;
  #changedEnd;

  constructor(root, { changedEnd = () => {}, label = "Messages" } = {}) {
    this.#changedEnd = changedEnd;
    this.#root = root;
    this.top = h("div", { class: "timeline-top" });
    this.list = h("div", { class: "rows", role: "log", aria: { label, live: "off" } });
    this.foot = h("div", { class: "rows waiting" });
    this.content = h("div", { class: "timeline-content" }, this.top, this.list, this.foot);
    this.scroller = h("div", { class: "scroller", tabindex: -1 }, this.content);
    this.jump = h("button", { type: "button", class: "jump", hidden: true, onclick: () => this.toEnd() }, icon("down"), h("span", {}, "Newest"));
    this.day = h("div", { class: "floating-day", aria: { hidden: "true" }, hidden: true });
    root.replaceChildren(this.scroller, this.day, this.jump);
    this.scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.list.addEventListener("focusin", (event) => this.#reach(event.target.closest("article")));
    const seen = new ResizeObserver(() => this.#settle());
    seen.observe(this.content);
    seen.observe(this.scroller);
  }

  /** The newest message is in sight. */
  get atEnd() {
    return this.#atEnd && this.source !== null && this.source.log.loaded && this.#reached;
  }

  /** Show a source from its end, or around a message. */
  show(source, seq = 0) {
    if (source !== this.source) this.#lit = { seq: 0, since: 0 };
    this.source = source;
    this.#waiting = source.waiting;
    this.#root.ariaBusy = null;
    this.#clear();
    const items = source.log.items;
    const at = seq ? source.log.index(seq) : -1;
    this.#last = at < 0 ? items.length : Math.min(items.length, at + STEP);
    this.#first = Math.max(0, this.#last - STEP * 2);
    this.#draw();
    this.#atEnd = at < 0;
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
    this.#clear();
    this.top.replaceChildren();
    this.jump.hidden = true;
    this.drawWaiting();
  }

  /** Go to a message that is in the log, and let it shine for a moment. */
  light(seq) {
    if (!this.#rows.has(seq)) this.show(this.source, seq);
    else this.#place(seq, this.scroller.clientHeight / 3);
    const found = $("article", this.#rows.get(seq));
    if (!found) return;
    $(".lit", this.list)?.classList.remove("lit");
    void found.offsetWidth; // begins the animation anew
    this.#lit = { seq, since: performance.now() };
    this.#shine(found);
    found.focus({ preventScroll: true });
  }

  #shine(article) {
    article.classList.add("lit");
    article.style.animationDelay = `${this.#lit.since - performance.now()}ms`; // a row that is drawn anew goes on where it was
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
    this.#keep(() => {
      this.#find();
      for (const seq of seqs) if (this.#rows.has(seq)) this.#redraw(this.source.log.index(seq));
      this.#grow();
    });
    this.drawWaiting();
    this.#after();
  }

  /** The log holds other messages now: show what one read, if it is among them. */
  reset() {
    const [anchor, atEnd] = [this.#anchor, this.#atEnd];
    if (atEnd || !anchor || this.source.log.index(anchor.seq) < 0) return this.show(this.source);
    this.show(this.source, anchor.seq);
    return this.#place(anchor.seq, anchor.bottom - this.#rows.get(anchor.seq).getBoundingClientRect().height);
  }

  /** All rows anew, at the place where they are. */
  redraw() {
    if (!this.source) return;
    const focused = document.activeElement?.closest?.("article")?.dataset.seq;
    this.#keep(() => {
      for (let at = this.#first; at < this.#last; at++) this.#redraw(at);
    });
    if (focused && this.list.contains(this.#rows.get(Number(focused)))) $("article", this.#rows.get(Number(focused))).focus({ preventScroll: true });
  }

  drawWaiting() {
    const entries = this.#waiting();
    this.#keep(() => this.foot.replaceChildren(...(this.source?.log.newer ? [] : entries.map(pending))));
  }

  /** The row of a message, if it is in the DOM. */
  rowOf = (seq) => this.#rows.get(seq);

  /** Move the focus to the message before or after the one that has it. */
  focusNext(by) {
    const all = [...this.list.querySelectorAll("article")];
    const at = all.indexOf(document.activeElement?.closest("article"));
    const next = at < 0 ? all.at(-1) : all[Math.max(0, Math.min(all.length - 1, at + by))];
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
  }

  /** To the end; or to the line of what is new, where all of it is more than the screen holds. */
  #toNew() {
    this.#settle();
    const { scroller } = this;
    const line = $(".line.new", this.list);
    if (!line || line.getBoundingClientRect().top >= scroller.getBoundingClientRect().top) return;
    this.#place(Number(line.closest(".row").dataset.seq), 24);
  }

  /** The `seq` of the first message in sight. */
  get firstSeen() {
    return this.#anchor?.seq ?? 0;
  }

  /** The `seq` of the last message in sight. */
  get lastSeen() {
    const bottom = this.scroller.getBoundingClientRect().bottom;
    const rows = [...this.list.children];
    return Number(rows.findLast((one) => one.getBoundingClientRect().bottom <= bottom + AT_END)?.dataset.seq ?? 0);
  }

  /** The day of what is at the top, while one reads what is not of today's end. */
  #drawDay() {
    const item = this.#atEnd || !this.#anchor ? undefined : this.source.log.get(this.#anchor.seq);
    this.day.hidden = !item || Boolean(this.source.thread) || sameDay(item.time, new Date()) || $(".line.day", this.#rows.get(item.seq)) !== null;
    if (!this.day.hidden) this.day.textContent = dayOf(item.time);
  }

  /** Tab reaches one message: the one that had the focus last, or the newest. The arrow keys go on from there. */
  #reach(article) {
    for (const one of this.list.querySelectorAll('article[tabindex="0"]')) one.tabIndex = -1;
    if (article) article.tabIndex = 0;
  }

  #clear() {
    this.list.replaceChildren();
    this.#rows.clear();
    this.#anchor = null;
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

  #draw() {
    const made = [];
    for (let at = this.#first; at < this.#last; at++) made.push(this.#make(at));
    this.list.append(...made);
    this.#drawTop();
  }

  #redraw(at) {
    const item = this.source.log.items[at];
    const old = item && this.#rows.get(item.seq);
    if (!old) return;
    const focused = old.contains(document.activeElement);
    old.replaceWith(this.#make(at, old));
    if (focused) $("article", this.#rows.get(item.seq)).focus({ preventScroll: true });
  }

  #drawTop() {
    const { log, intro } = this.source;
    const first = this.#first === 0 && !log.older;
    this.top.replaceChildren(first ? intro() : h("div", { class: "loading-older", role: "status" }, "Loading earlier messages"));
  }

  /** Rows for what is new at the end of the log, if the rows reached through its end before. */
  #grow() {
    const behind = this.source.log.items.length - this.#last;
    const full = this.#last - this.#first >= MOST;
    if (!this.#reached || behind <= 0 || (full && !this.#atEnd)) return;
    if (behind > MOST && this.#atEnd) this.show(this.source);
    else this.#addDown(Math.min(behind, MOST));
  }

  /** The log was changed at its beginning: find the rows in it again. */
  #find() {
    const { log } = this.source;
    const shown = Number(this.list.firstElementChild?.dataset.seq ?? -1);
    const at = log.index(shown);
    if (at < 0) return void (this.list.firstElementChild && this.show(this.source, log.first));
    this.#last += at - this.#first;
    this.#first = at;
  }

  #addDown(count) {
    const from = this.#last;
    this.#last = Math.min(this.source.log.items.length, from + count);
    const made = [];
    for (let at = from; at < this.#last; at++) made.push(this.#make(at));
    this.list.append(...made);
    while (this.#last - this.#first > MOST) this.#remove(this.#first++);
    this.#redraw(this.#first);
    this.#drawTop();
  }

  #addUp(count) {
    const from = this.#first;
    this.#first = Math.max(0, from - count);
    const made = [];
    for (let at = this.#first; at < from; at++) made.push(this.#make(at));
    this.list.prepend(...made);
    this.#redraw(from);
    while (this.#last - this.#first > MOST) this.#remove(--this.#last);
    this.#drawTop();
  }

  #remove(at) {
    const { seq } = this.source.log.items[at];
    this.#rows.get(seq)?.remove();
    this.#rows.delete(seq);
  }

  /** Do something to the rows, and leave what is in sight where it is. */
  #keep(f) {
    this.#note();
    f();
    this.#settle();
  }

  #note() {
    const top = this.scroller.getBoundingClientRect().top;
    const rows = this.list.children;
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rows[middle].getBoundingClientRect().bottom <= top + 1) low = middle + 1;
      else high = middle;
    }
    const found = rows[low];
    this.#anchor = found ? { seq: Number(found.dataset.seq), bottom: found.getBoundingClientRect().bottom - top } : null;
  }

  #settle() {
    const { scroller } = this;
    if (this.#atEnd) scroller.scrollTop = scroller.scrollHeight;
    else if (this.#anchor) {
      const found = this.#rows.get(this.#anchor.seq);
      if (!found) return;
      const moved = found.getBoundingClientRect().bottom - scroller.getBoundingClientRect().top - this.#anchor.bottom;
      if (Math.abs(moved) >= 1) scroller.scrollTop += moved;
    }
  }

  #place(seq, top) {
    const found = this.#rows.get(seq);
    if (!found) return;
    this.#atEnd = false;
    const { scroller } = this;
    scroller.scrollTop += found.getBoundingClientRect().top - scroller.getBoundingClientRect().top - top;
    this.#scrolled();
  }

  #scrolled() {
    if (!this.source) return;
    const { scroller } = this;
    this.#note();
    const left = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight;
    this.#atEnd = left <= AT_END && !this.source.log.newer && this.#last === this.source.log.items.length;
    this.#after();
  }

  #after() {
    if (!this.source) return;
    this.#reached = !this.source.log.newer && this.#last === this.source.log.items.length;
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
    if (this.#first === 0 && source.log.loaded && source.log.older && source.loadOlder) {
      await source.loadOlder();
      if (source !== this.source) return false;
      this.#find();
      if (this.#first === 0) this.#keep(() => this.#drawTop());
    }
    if (this.#first === 0) return false;
    this.#keep(() => this.#addUp(STEP));
    return true;
  }

  async #wantDown(source) {
    if (this.#last >= source.log.items.length && source.log.newer && source.loadNewer) {
      await source.loadNewer();
      if (source !== this.source) return false;
      this.#find();
    }
    if (this.#last >= source.log.items.length) return false;
    this.#keep(() => this.#addDown(STEP));
    this.#reached = !source.log.newer && this.#last === source.log.items.length;
    return true;
  }
}
