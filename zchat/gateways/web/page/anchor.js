// Where one reads. The first row in sight is the anchor: after each change (rows above it, an image, another width) the scroll position is
// set so that it is where it was. Only at the end does the view follow what is new. The browser's own anchoring is off, since not all
// have it, and the two would both correct.

import { rect } from "./dom.js";

export class Anchor {
  /** The view is at its end, and follows that. */
  atEnd = true;
  #noted = null; // {seq, bottom}: the first row in sight, and where it ends below the upper edge
  #scroller;
  #list;
  #rowOf;

  constructor(scroller, list, rowOf) {
    [this.#scroller, this.#list, this.#rowOf] = [scroller, list, rowOf];
  }

  /** The `seq` of the first row in sight, or 0. */
  get seq() {
    return this.#noted?.seq ?? 0;
  }

  /** Where it ends, in px below the upper edge. */
  get bottom() {
    return this.#noted?.bottom ?? 0;
  }

  forget() {
    this.#noted = null;
  }

  /** Do something to the rows, and leave what is in sight where it is. */
  keep(f) {
    this.note();
    f();
    this.settle();
  }

  note() {
    const top = rect(this.#scroller).top;
    const rows = this.#list.children;
    let [low, high] = [0, rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rect(rows[middle]).bottom <= top + 1) low = middle + 1;
      else high = middle;
    }
    const found = rows[low];
    this.#noted = found ? { seq: Number(found.dataset.seq), bottom: rect(found).bottom - top } : null;
  }

  settle() {
    const scroller = this.#scroller;
    if (this.atEnd) scroller.scrollTop = scroller.scrollHeight;
    else if (this.#noted) {
      const found = this.#rowOf(this.seq);
      if (!found) return;
      const moved = rect(found).bottom - rect(scroller).top - this.bottom;
      if (Math.abs(moved) >= 1) scroller.scrollTop += moved;
    }
  }

  /** Put a row so many px below the upper edge. @returns {boolean} whether it is there */
  place(seq, top) {
    const found = this.#rowOf(seq);
    if (!found) return false;
    this.atEnd = false;
    const scroller = this.#scroller;
    scroller.scrollTop += rect(found).top - rect(scroller).top - top;
    return true;
  }
}
