// What is said, or done to a message, and not yet stored. Each has a key, `once`, and is kept until the broker has answered it; with the
// same key nothing is said twice. So it may be sent again after whatever happened: a lost socket, a reload, a gateway or a broker that was
// killed. What is done to a message has no key at the broker, and needs none: done twice it is done once.
//
// Of several tabs each sends what was said in it. A tab holds a lock of the browser as long as it lives, and writes its name on what
// it keeps. The others wait for the lock of whoever has something waiting: who gets it knows that this tab is gone, and what it left
// is theirs. One message is on its way at a time, so the order stays.

import { kept } from "./kept.js";
import { allPlaces, emit, on, store, where } from "./state.js";
import { wire } from "./wire.js";

const SOON = 1_000; // ms until what was not refused for good is tried again
const SHOWN = 10_000; // ms for which what is stored is still shown here, until its event is there
const SLOW = 1_000; // ms after which what is done to a message is shown as waiting: before, it is done
const PASSING = new Set(["rate_limited", "unavailable", "out_of_order", "no_session", "server_full", "internal", "offline", "timeout"]);

/**
 * @typedef {object} Waiting
 * @property {string} once the key; sorts by the time when it was said
 * @property {string} place the key of the place
 * @property {string} tab who sends it
 * @property {string} text @property {number} [reply_to] @property {number} [thread] @property {object[]} [files]
 * @property {object} command as the protocol has it
 * @property {{seq: number, nick: string, text: string}} [about] the message that something is done to
 * @property {"waiting"|"sending"|"refused"} state @property {string} [why] why it was refused
 * @property {number} [seq] of its event, once it is stored
 */
const tab = crypto.randomUUID();
const watched = new Set(); // tabs whose end is waited for
const stored = new Map(); // once -> Waiting, with its `seq`, for a while: its event may come later
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
    on("log", (place) => stored.size && told(place.key));
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
  const once = nextKey();
  const command = { type: "say", ...where(place), text, once, ...more };
  return begin({ once, place: place.key, tab, text, thread, reply_to: more.reply_to, files: more.files, command });
}

/**
 * Do something to a message: edit, delete, react or pin. It is done after what was said before.
 * @param {import("./state.js").Place} place @param {import("./log.js").Item} item @param {object} command without the `seq`
 * @returns {Promise<void>} when it is kept
 */
export async function act(place, item, command) {
  const { type, emoji } = command;
  const before = all().filter((one) => one.command.seq === item.seq && one.once !== sending);
  const same = before.filter((one) => one.command.type === type && one.command.emoji === emoji);
  for (const one of type === "delete" ? before : same) kept.set(key(one.once), undefined);
  if (same.length && (type === "react" || type === "pin")) return told(place.key); // the second click takes back the first one
  const about = { seq: item.seq, nick: item.nick, text: item.text ?? "" };
  const once = nextKey();
  setTimeout(() => told(place.key), SLOW);
  return begin({ once, place: place.key, tab, text: command.text ?? "", thread: item.thread ?? item.seq, about, command: { ...command, seq: item.seq } });
}

/** The text that one's message is to get, if that waits. */
export const edited = (seq) => begun().findLast((one) => one.command.type === "edit" && one.command.seq === seq)?.text;

function nextKey() {
  last = Math.max(last + 1, Date.now()); // no two at the same time: they are sorted by it
  return `${last}-${crypto.randomUUID().slice(0, 13)}`;
}

async function begin(one) {
  await keep(one);
  told(one.place);
  flush();
}

/**
 * What waits for a place, the earliest first; shown behind its messages. The timeline draws it anew on `emit("outbox", place)`.
 * @param {import("./state.js").Place} place
 * @returns {Waiting[]}
 */
export function waiting(place) {
  const mine = begun().filter((one) => one.place === place.key && !fresh(one));
  return mine.map((one) => ({ ...one, state: one.why ? "refused" : one.once === sending || one.seq ? "sending" : "waiting" }));
}

/** What is done to a message shows there as soon as the broker has answered: no word of it before, if that is soon. */
const fresh = (one) => one.about && !one.why && wire.open && Date.now() - Number.parseInt(one.once) < SLOW;

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
/** What is not to be seen among the messages yet: what has no answer, and what is stored and did not come back. */
const begun = () => [...stored.values(), ...all()].filter((one) => !(one.seq <= store.places.get(one.place)?.through));

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
    const reply = isDone(one) ? {} : await wire.ask(one.command);
    kept.set(key(one.once), undefined);
    if (reply.scheduled) emit("notice", "It is kept, and will be said then.");
    else show({ ...one, seq: reply.seq });
    return 0;
  } catch (error) {
    if (!error.code) throw error;
    if (PASSING.has(error.code)) return (error.retry_after ?? 0) * 1000 || SOON;
    await refused(one, error);
    return 0;
  }
}

/** An edit that was answered into a lost connection is not made again, over a later one. */
const isDone = ({ place, command }) => command.type === "edit" && store.places.get(place)?.log.get(command.seq)?.text === command.text;

/** What somebody wrote stays, with the reason. */
async function refused(one, { code, message }) {
  const { type } = one.command;
  await kept.set(key(one.once), type === "say" || type === "edit" ? { ...one, why: message } : undefined);
  if (type !== "delete" || code !== "bad_target") emit("notice", `It was not ${type === "say" ? "said" : "done"}: ${message}`);
}

/** Show what is stored until its event is here; both come over the same socket, in either order. */
function show(one) {
  if (!one.seq) return;
  stored.set(one.once, one);
  setTimeout(() => stored.delete(one.once) && told(one.place), SHOWN);
}

function changed() {
  for (const one of all()) if (one.tab !== tab) watch(one.tab);
  for (const one of allPlaces()) emit("outbox", one);
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
