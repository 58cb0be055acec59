// The one store: who one is, the places, what was said in them, what is read. It is filled by the wire, and tells of changes.
//
// Each place has a cursor, `through`. An event at or below it is a repeat and is dropped; one whose `prev` is above it shows that
// something was missed: then the events since the cursor are fetched, and what comes meanwhile is held back. After a lost socket the
// same happens for each place whose messages are here. So there is no gap and no double, whatever happened to the connection.

import { refresh } from "./history.js";
import { Log } from "./log.js";
import { flush, marked } from "./marks.js";
import { passing } from "./passing.js";
import { wire } from "./wire.js";

const KEPT = 12; // places whose messages are kept while another one is on the screen

/**
 * @typedef {object} Member
 * @property {string} from @property {string} nick @property {boolean} bot @property {string|null} away @property {string} [role]
 *
 * @typedef {object} Place a room, or a conversation with one person
 * @property {string} key `room/general` or `with/9f86d081884c7d65`: names it everywhere, also in the address
 * @property {string} [room] the name of the room
 * @property {string} [with] the `from` of the one with whom it is
 * @property {string} name what to show: the room's name, or the nick
 * @property {string} topic @property {string} mode `public`, `announce` or `private`
 * @property {Map<string, Member>} members by `from`
 * @property {number} through the cursor @property {number} read @property {number} unread @property {number} mentions
 * @property {boolean} [operator] whether one operates it, if it is private and that is known
 * @property {boolean} joined one is in it @property {number} head the `seq` of its newest event
 * @property {boolean} unmarked it was marked as unread, and is not marked as read by itself
 * @property {number} [newFrom] the `seq` after which `── new ──` stands
 * @property {Log} log @property {Map<number, Log>} threads by the `seq` of their roots
 * @property {Map<string, number>} typing nick -> until when (ms)
 */

export const store = {
  /** @type {{from: string, nick: string, role?: string, member?: boolean}} */
  me: { from: "", nick: "" },
  /** @type {Map<string, Place>} */
  places: new Map(),
  /** @type {Place|null} the place on the screen */
  here: null,
  /** The `seq` of the root of the thread that is open beside it, or 0. */
  thread: 0,
  /** `offline` (no socket), `waiting` (the gateway does not reach the broker) or `online` */
  state: "offline",
  why: "",
  retryIn: 0,
  /** Why the broker can store nothing now, or "". */
  stalled: "",
  limits: {},
  push: "",
  ready: false,
};

const listeners = new Map();

/**
 * Call `f` when something changes:
 *   `me` · `state` · `ready` (the first hello is here) · `out` (the login is gone; f(why))
 *   `places` (the list, or an unread count) · `here` (another place is on the screen)
 *   `log` f(place, {seqs, root, inThread}) messages of it changed or came, by `seq`; and those of the thread of `root`
 *   `redraw` f(place) the line of new messages moved; `reset` f(place) they were loaded anew; `thread` f(place, root) those of an open thread were
 *   `people` f(place) · `typing` f(place) · `topic` f(place)
 *   `message` f(place, event) a new message of anybody came in, live, once (for notifications)
 *   `notice` f(text) something to tell in passing
 */
export function on(what, f) {
  listeners.set(what, [...(listeners.get(what) ?? []), f]);
}

export function emit(what, ...values) {
  for (const f of listeners.get(what) ?? []) f(...values);
}

export const keyOf = (one) => (one.room === undefined ? `with/${one.with}` : `room/${one.room}`);

/** The fields by which a command names a place. */
export const where = (place) => (place.room === undefined ? { to: place.name, with: place.with } : { room: place.room });

/** The key of the place in which an event was said. The other end of a direct one is `with`, if one said it oneself. */
export function placeOf(event) {
  if (event.room !== undefined) return `room/${event.room}`;
  return `with/${event.from === store.me.from ? event.with : event.from}`;
}

/** Return a place, and make it if it is not known yet. */
export function place(key, fields = {}) {
  let found = store.places.get(key);
  if (!found) {
    const [kind, name] = [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];
    found = {
      key, room: kind === "room" ? name : undefined, with: kind === "with" ? name : undefined, name, topic: "", mode: "public",
      members: new Map(), through: 0, read: 0, unread: 0, mentions: 0, newFrom: undefined, unmarked: false, joined: false,
      log: new Log(), threads: new Map(), typing: new Map(), held: null, asking: 0, used: 0, counted: 0, head: 0,
    };
    store.places.set(key, found);
  }
  return Object.assign(found, fields);
}

// What the gateway tells

wire.on("hello", (hello) => {
  const anew = store.log !== undefined && (store.log !== hello.log || wentBack(hello.epochs));
  Object.assign(store, { me: hello.me, log: hello.log, epochs: hello.epochs ?? [], limits: hello.broker ?? {}, push: hello.push ?? "", stalled: hello.stalled ?? "" });
  if (anew) for (const one of store.places.values()) forget(one);
  const told = [...hello.rooms.map((room) => greetRoom(room)), ...hello.talks.map((talk) => greetTalk(talk))];
  for (const one of store.places.values()) if (one.room !== undefined && !told.includes(one)) one.joined = false;
  setState(hello.online === false ? "waiting" : "online");
  emit("me");
  emit("places");
  if (!store.ready) emit("ready", (store.ready = true));
  for (const one of store.places.values()) if (one.log.loaded) refresh(one, anew);
});

/** The log is another one, or an epoch that we know is no more in it: then what we have may not be there any more. */
function wentBack(epochs = []) {
  const last = store.epochs?.at(-1);
  return last !== undefined && !epochs.some(([id, first]) => id === last[0] && first === last[1]);
}

function forget(one) {
  one.threads.clear();
  Object.assign(one, { through: 0, read: 0, newFrom: undefined, held: one.held && [] });
  one.log.items = [];
}

function greetRoom(told) {
  const one = place(`room/${told.name}`, { topic: told.topic ?? "", mode: told.mode ?? "public", joined: true });
  one.members = new Map((told.members ?? []).map((member) => [member.from, member]));
  one.operator = undefined;
  count(one, told);
  emit("people", one);
  emit("topic", one);
  return one;
}

function greetTalk(told) {
  const one = place(`with/${told.with}`, { name: told.nick, joined: true });
  count(one, { ...told, mentions: told.unread });
  return one;
}

function count(one, told) {
  if (!one.log.loaded) one.through = told.through ?? 0; // otherwise the cursor is what we have: `refresh` fetches the rest
  one.counted = told.through ?? 0; // what is unread through here is counted already
  one.read = told.unmarked ? told.read : Math.max(one.read, told.read ?? 0);
  Object.assign(one, { head: told.through ?? 0, unread: told.unread ?? 0, mentions: told.mentions ?? 0 });
}

wire.on("me", ({ me }) => emit("me", (store.me = me)));

wire.on("room", ({ room }) => {
  const one = greetRoom(room);
  emit("places");
  if (one.log.loaded) refresh(one);
});

wire.on("parted", ({ room, why }) => {
  const one = store.places.get(`room/${room}`);
  if (one) dropRoom(one);
  if (why) emit("notice", why);
});

wire.on("events", ({ events }) => events.forEach(take));

wire.on("read", (told) => {
  const one = store.places.get(keyOf(told));
  if (one) marked(one, told.seq);
});

wire.on("state", (told) => {
  Object.assign(store, { why: told.why ?? "", retryIn: told.retry_in ?? 0, stalled: told.stalled ?? "" });
  setState(told.online ? "online" : "waiting");
});

wire.on("closed", ({ wait }) => {
  store.retryIn = wait / 1000;
  setState("offline");
});

wire.on("out", ({ why }) => {
  wire.stop();
  emit("out", why);
});

function setState(state) {
  store.state = state;
  emit("state");
}

// Events

/** Take an event as it comes in. */
export function take(event) {
  if (event.seq === undefined || event.type === "member" || event.type === "access") return passing(event);
  const key = placeOf(event);
  const one = store.places.get(key) ?? place(key, { name: event.room ?? other(event), joined: event.room === undefined });
  if (one.held) one.held.push(event);
  else if (event.seq <= one.through) return undefined;
  else if (event.prev > one.through && one.log.loaded) refresh(one, false, [event]);
  else accept(one, event);
  return undefined;
}

const other = (event) => (event.from === store.me.from ? event.to : event.nick);

/** Take an event that is the next one of its place. */
export function accept(one, event) {
  one.through = one.head = Math.max(one.through, event.seq);
  if (event.room === undefined) one.name = other(event) ?? one.name;
  if (event.type === "topic") {
    one.topic = event.text;
    emit("topic", one);
  }
  if (event.type === "message") said(one, event);
  const root = event.thread ?? one.log.get(event.target)?.thread ?? event.target;
  const seqs = one.log.loaded ? one.log.take(event) : [];
  const inThread = one.threads.get(root)?.take({ ...event }) ?? [];
  emit("log", one, { seqs, root, inThread });
}

function said(one, event) {
  if (one.typing.delete(event.nick)) emit("typing", one);
  const own = event.from === store.me.from;
  if (own) {
    one.read = Math.max(one.read, event.seq);
    Object.assign(one, { unread: 0, mentions: 0, newFrom: undefined, unmarked: false });
  } else if (event.seq > Math.max(one.read, one.counted)) {
    if (one === store.here && !attentive(one) && one.unread === 0) moveNew(one, event.prev);
    one.unread += 1;
    one.mentions += one.room === undefined || mentioned(event) ? 1 : 0;
  }
  emit("places");
  emit("message", one, event);
}

/** Nobody looks: the line of new messages stands before the first of those that come now. */
function moveNew(one, seq) {
  const drawn = one.newFrom !== undefined;
  one.newFrom = seq;
  if (drawn) emit("redraw", one);
}

let calling = { nick: "", pattern: /^(?!)/ };

/** Finds one's nick in a text, as a whole word, with or without an `@`. The gateway and the prompt have the same. */
export function callsMe() {
  const { nick } = store.me;
  if (nick !== calling.nick) {
    const escaped = nick.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    calling = { nick, pattern: new RegExp(`(?<![\\p{L}\\p{N}_@/.-])@?${escaped}(?![-.]?[\\p{L}\\p{N}_])`, "iu") };
  }
  return calling.pattern;
}

/** A message of somebody else calls one by one's nick. */
export const mentioned = (event) => event.from !== store.me.from && callsMe().test(event.text ?? "");

/** One is not in this room any more. */
export function dropRoom(one) {
  store.places.delete(one.key);
  emit("places");
  if (store.here === one) emit("gone", one);
}

// Being somewhere

/** Turn to a place. `null`: to none. */
export function turnTo(one) {
  const before = store.here;
  if (before && before !== one) leave(before);
  store.here = one;
  if (one) {
    one.used = Date.now();
    if (before !== one) one.newFrom = one.unread ? one.read : undefined;
    letGo();
  }
  emit("here", before);
}

function leave(one) {
  Object.assign(one, { newFrom: undefined, unmarked: false });
  flush(one);
}

function letGo() {
  const loaded = [...store.places.values()].filter((one) => one.log.loaded && one !== store.here).sort((a, b) => b.used - a.used);
  for (const one of loaded.slice(KEPT)) {
    one.log = new Log();
    one.threads.clear();
  }
}

let looking = { atEnd: true, firstSeen: 0 };

/** The timeline of the place on the screen: whether its newest message is in sight, and the first message in sight. */
export const lookAt = (timeline) => (looking = timeline);

/** The first message in sight, if this place is on the screen. */
export const firstSeen = (one) => (one === store.here ? looking.firstSeen : 0);

/** Somebody looks at the newest message of this place now. */
export const attentive = (one) => one === store.here && document.visibilityState === "visible" && document.hasFocus() && looking.atEnd;

// Rooms

/** Enter a room, and keep it among one's own. @returns {Promise<Place>} Rejects with Refused. */
export async function join(name) {
  const joined = await wire.ask({ type: "join", room: name });
  const one = place(`room/${joined.room}`, { topic: joined.topic ?? "", mode: joined.mode ?? "public", joined: true });
  one.members = new Map((joined.members ?? []).map((member) => [member.from, member]));
  if (!one.log.loaded) one.through = one.head = joined.head ?? 0;
  else if (joined.head > one.through && !one.log.newer) refresh(one); // said after its messages were loaded, and before one was in
  one.read = Math.max(one.read, one.through);
  emit("places");
  emit("people", one);
  return one;
}

/** Leave a room. */
export async function part(one) {
  await wire.ask({ type: "part", room: one.room });
  dropRoom(one);
}

/** A conversation with somebody, which may be new. */
export function talk(from, nick) {
  const one = place(`with/${from}`, nick ? { name: nick, joined: true } : { joined: true });
  emit("places");
  return one;
}
