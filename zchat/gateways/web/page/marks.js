// What is read: one's mark in each place, which all of one's tabs and devices share, and what is unread behind it.

import { emit, keyOf, mentioned, mine, store, where } from "./state.js";
import { wire } from "./wire.js";

const READ_AFTER = 400; // ms that a read mark waits for a later one

const marks = new Map(); // key -> timer; 0: it could not be sent, and goes with the next hello

/** Mark a place as read through a message, or its newest, and tell the others of one's tabs and devices. */
export function markRead(one, seq = one.through) {
  if (seq <= one.read) return;
  marked(one, seq);
  clearTimeout(marks.get(one.key));
  marks.set(one.key, setTimeout(() => flush(one), READ_AFTER));
}

/** Send the mark of a place that waits, if one does. */
export function flush(one) {
  if (!marks.has(one.key)) return;
  clearTimeout(marks.get(one.key));
  marks.delete(one.key);
  wire.ask({ type: "read", ...where(one), seq: one.read }).catch(() => marks.set(one.key, 0));
}

wire.on("hello", () => [...marks.keys()].map((key) => store.places.get(key)).forEach((one) => one && flush(one)));
addEventListener("pagehide", () => [...marks.keys()].map((key) => store.places.get(key)).forEach((one) => one && flush(one)));

/** A mark went forward, here or elsewhere. */
export function marked(one, seq) {
  if (seq <= one.read) return;
  Object.assign(one, { read: seq, unmarked: false });
  recount(one);
  emit("places");
}

const counts = (item) => item.type === "message" && !mine(item);
const calls = (one, item) => !one.room || mentioned(item);

/** Count what is unread anew, where all of it is here, or none is left. */
export function recount(one) {
  const { log } = one;
  if (one.read >= one.through) return void Object.assign(one, { unread: 0, mentions: 0 });
  if (!log.loaded || log.newer || (log.older && (log.first ?? Infinity) > one.read + 1)) return undefined;
  const left = log.items.filter((item) => item.seq > one.read && counts(item));
  return void Object.assign(one, { unread: left.length, mentions: left.filter((item) => calls(one, item)).length });
}

/** A tab of oneself has marked a place as unread. It stays so while it is on the screen, until one says otherwise. */
wire.on("unread", ({ seq, unread, mentions, ...told }) => {
  const one = store.places.get(keyOf(told));
  if (!one) return;
  clearTimeout(marks.get(one.key)); // what was read before that
  marks.delete(one.key);
  const here = one === store.here;
  Object.assign(one, { read: seq, unread, mentions, unmarked: here, newFrom: here ? seq : undefined, counted: Math.max(one.counted, one.through) });
  emit("places");
  if (here) emit("redraw", one);
});
