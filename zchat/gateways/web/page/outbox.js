// What is said and not yet stored. Each message has a key, `once`, and is kept until the broker has answered it; with the same key it is
// never stored twice. So it may be sent again after whatever happened: a lost socket, a reload, a gateway or a broker that was killed.
//
// Of several tabs each sends what was said in it. A tab holds a lock of the browser as long as it lives, and writes its name on what
// it keeps. The others wait for the lock of whoever has something waiting: who gets it knows that this tab is gone, and what it left
// is theirs. One message is on its way at a time, so the order stays.

import { kept } from "./kept.js";
import { emit, on, placeOf, store, where } from "./state.js";
import { wire } from "./wire.js";

const SOON = 1_000; // ms until what was not refused for good is tried again
const SHOWN = 10_000; // ms for which what is stored is still shown here, until its event is there
const PASSING = new Set(["rate_limited", "unavailable", "out_of_order", "no_session", "server_full", "internal", "offline", "timeout"]);

/**
 * @typedef {object} Waiting
 * @property {string} once the key; sorts by the time when it was said
 * @property {string} place the key of the place
 * @property {string} tab who sends it
 * @property {string} text @property {number} [reply_to] @property {number} [thread] @property {object[]} [files]
 * @property {object} command as the protocol has it
 * @property {"waiting"|"sending"|"refused"} state @property {string} [why] why it was refused
 * @property {number} [seq] of the message, once it is stored
 */
const tab = crypto.randomUUID();
const watched = new Set(); // tabs whose end is waited for
const stored = new Map(); // once -> Waiting, with its `seq`, until the event comes
let sending = ""; // the key of the one on its way
let last = 0;
let started = "";

/** Begin to send what waits, once it is known who one is. */
export function start() {
  if (started === store.me.from) return flush();
  if (!started) {
    navigator.locks?.request(`zchat/tab/${tab}`, () => new Promise(() => {})); // until this tab is gone
    kept.onchange((key) => key.startsWith("out/") && changed());
    on("state", flush);
    on("message", (place, event) => forget(event));
  }
  started = store.me.from;
  changed();
  return flush();
}

/**
 * Say something in a place. What cannot be sent now waits.
 * @param {import("./state.js").Place} place
 * @param {string} text
 * @param {{reply_to?: number, thread?: number, files?: object[], at?: string, kind?: string}} [more] `thread` is where it is shown
 * @returns {Promise<void>} when it is kept
 */
export async function say(place, text, { thread, ...more } = {}) {
  last = Math.max(last + 1, Date.now()); // no two at the same time: they are sorted by it
  const once = `${last}-${crypto.randomUUID().slice(0, 13)}`;
  const command = { type: "say", ...where(place), text, once, ...more };
  const kind = await keep({ once, place: place.key, tab, text, thread, reply_to: more.reply_to, files: more.files, command });
  told(place.key);
  flush();
  return kind;
}

/**
 * What waits for a place, the earliest first; shown behind its messages. The timeline draws it anew on `emit("outbox", place)`,
 * and leaves out an entry whose `seq` is in the log already.
 * @param {import("./state.js").Place} place
 * @returns {Waiting[]}
 */
export function waiting(place) {
  const mine = [...stored.values(), ...all()].filter((one) => one.place === place.key);
  return mine.map((one) => ({ ...one, state: one.why ? "refused" : one.once === sending || one.seq ? "sending" : "waiting" }));
}

/** Try again what was refused. */
export async function again(once) {
  const one = kept.get(key(once));
  if (!one) return;
  await keep({ ...one, tab, why: undefined });
  told(one.place);
  flush();
}

/** Take back what was refused, or waits. @returns {Waiting|undefined} what it was; undefined, if it is on its way already */
export function drop(once) {
  const one = kept.get(key(once));
  if (!one || once === sending) return undefined;
  kept.set(key(once), undefined);
  told(one.place);
  return one;
}

const key = (once) => `out/${store.me.from}/${once}`;
const keep = (one) => kept.set(key(one.once), one);
const all = () => kept.under(key("")).map(([, one]) => one);

function told(place) {
  if (store.places.has(place)) emit("outbox", store.places.get(place));
}

/** Send all that waits here, one after the other. */
async function flush() {
  while (started && !sending && wire.open) {
    const one = all().find((each) => each.tab === tab && !each.why);
    if (!one) return;
    sending = one.once;
    told(one.place);
    const wait = await send(one);
    sending = "";
    told(one.place);
    if (wait) return void setTimeout(flush, wait);
  }
}

/** @returns {Promise<number>} ms to wait before the next one; 0: nothing stands in the way */
async function send(one) {
  try {
    const reply = await wire.ask(one.command);
    kept.set(key(one.once), undefined);
    if (reply.scheduled) emit("notice", "It is kept, and will be said then.");
    else show({ ...one, seq: reply.seq });
    return 0;
  } catch (error) {
    if (!error.code) throw error;
    if (PASSING.has(error.code)) return (error.retry_after ?? 0) * 1000 || SOON;
    await keep({ ...one, why: error.message });
    emit("notice", `It was not said: ${error.message}`);
    return 0;
  }
}

/** Show what is stored until its event is here; both come over the same socket, in either order. */
function show(one) {
  const place = store.places.get(one.place);
  if (!one.seq || !place || place.through >= one.seq) return;
  stored.set(one.once, one);
  setTimeout(() => stored.delete(one.once) && told(one.place), SHOWN);
}

function forget(event) {
  for (const one of stored.values()) if (one.seq === event.seq) stored.delete(one.once) && told(placeOf(event));
}

function changed() {
  for (const one of all()) if (one.tab !== tab) watch(one.tab);
  for (const one of store.places.values()) emit("outbox", one);
}

/** Wait until a tab is gone, and take over what it left. */
async function watch(other) {
  if (watched.has(other)) return;
  watched.add(other);
  if (navigator.locks) await navigator.locks.request(`zchat/tab/${other}`, () => inherit(other));
  else await inherit(other);
  watched.delete(other);
  flush();
}

async function inherit(other) {
  await Promise.all(all().filter((one) => one.tab === other).map((one) => keep({ ...one, tab })));
}
