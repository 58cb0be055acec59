// What the page knows of one place, or of one thread: a stretch of its messages without gaps, in order of `seq`.
//
// It is a stretch, and not all: the newest messages when one comes in, or those around an address. `older` and `newer` tell whether
// there is more at either end. What is done to messages (edits, reactions …) changes the message it is done to.

const MOST = 3000; // messages that are kept; beyond that those at the other end are let go, and fetched again when needed

/**
 * @typedef {object} Item a message, topic or tombstone of the protocol, with what is in force of what was done to it
 * @property {number} seq
 * @property {"message"|"topic"|"tombstone"} type
 */
export class Log {
  /** @type {Item[]} */
  items = [];
  older = true;
  newer = true;
  loaded = false;
  turn = 0; // of loading

  /** The item with this `seq`, if it is here. */
  get(seq) {
    const at = this.#find(seq);
    return this.items[at]?.seq === seq ? this.items[at] : undefined;
  }

  index(seq) {
    const at = this.#find(seq);
    return this.items[at]?.seq === seq ? at : -1;
  }

  get first() {
    return this.items[0]?.seq;
  }

  get last() {
    return this.items.at(-1)?.seq;
  }

  reset(items, older, newer) {
    this.items = items.filter(shown);
    Object.assign(this, { older, newer, loaded: true, turn: this.turn + 1 });
  }

  prepend(items, older) {
    const first = this.first ?? Infinity;
    this.items = [...items.filter((item) => shown(item) && item.seq < first), ...this.items];
    this.older = older;
    if (this.items.length > MOST) this.newer = this.items.splice(MOST).length > 0;
  }

  append(items, newer) {
    const last = this.last ?? -1;
    this.items.push(...items.filter((item) => shown(item) && item.seq > last));
    this.newer = newer;
    if (this.items.length > MOST) this.older = this.items.splice(0, this.items.length - MOST).length > 0;
  }

  /**
   * Take an event as it comes: a new message at the end, or what is done to an earlier one.
   * @returns {number[]} the `seq` of what is new or changed here
   */
  take(event) {
    if (event.type === "message" || event.type === "topic" || (event.type === "tombstone" && !event.target)) {
      if (this.newer || event.seq <= (this.last ?? -1)) return [];
      this.append([event], false);
      return [event.seq, ...this.#answered(event, 1)];
    }
    const item = this.get(event.target);
    const change = CHANGES[event.type];
    if (!item || !change || item.type !== "message") return [];
    const answered = event.type === "delete" ? this.#answered(item, -1) : [];
    change(item, event);
    return [item.seq, ...answered];
  }

  #answered(event, by) {
    const root = event.thread && this.get(event.thread);
    if (!root || root === event) return [];
    root.answers = Math.max(0, (root.answers ?? 0) + by);
    return [root.seq];
  }

  #find(seq) {
    let low = 0;
    let high = this.items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.items[middle].seq < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const shown = (event) => event.type === "message" || event.type === "topic" || (event.type === "tombstone" && !event.target);

const CHANGES = {
  edit(item, event) {
    Object.assign(item, { text: event.text, html: event.html, edited: event.time });
  },
  delete(item, event) {
    for (const gone of ["text", "html", "files", "reactions", "pinned", "edited"]) delete item[gone];
    Object.assign(item, { type: "tombstone", by: event.by ?? event.from });
  },
  pin(item, event) {
    item.pinned = !event.off;
  },
  reaction(item, event) {
    const others = (item.reactions ?? []).filter((one) => one.emoji !== event.emoji || one.from !== event.from);
    item.reactions = event.off ? others : [...others, { emoji: event.emoji, from: event.from, nick: event.nick }];
  },
};
