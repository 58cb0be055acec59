// The one store: who one is, the places, what was said in them, what is read. It is filled by the wire, and tells of changes.
//
// Each place has a cursor, `through`. An event at or below it is a repeat and is dropped; one whose `prev` is above it shows that
// something was missed: then the events since the cursor are fetched, and what comes meanwhile is held back. After a lost socket the
// same happens for each place whose messages are here. So there is no gap and no double, whatever happened to the connection.

import { Log } from "./log.js";
import { Refused, wire } from "./wire.js";

const PAGE = 60; // messages that are fetched at once
const READ_AFTER = 400; // ms that a read mark waits for a later one
const KEPT = 12; // places whose messages are kept while another one is on the screen
const TYPING = 6_000; // ms for which somebody who typed is shown

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
  limits: {},
  push: "",
  ready: false,
};

const listeners = new Map();

/**
 * Call `f` when something changes:
 *   `me` · `state` · `ready` (the first hello is here) · `out` (the login is gone; f(why))
 *   `places` (the list, or an unread count) · `here` (another place is on the screen)
 *   `log` f(place, {seqs, live}) messages of it changed or came; `reset` f(place) they were loaded anew
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
      members: new Map(), through: 0, read: 0, unread: 0, mentions: 0, newFrom: undefined, joined: false,
      log: new Log(), threads: new Map(), typing: new Map(), held: null, used: 0,
    };
    store.places.set(key, found);
  }
  return Object.assign(found, fields);
}

// What the gateway tells

wire.on("hello", (hello) => {
  const anew = store.log !== undefined && (store.log !== hello.log || wentBack(hello.epochs));
  Object.assign(store, { me: hello.me, log: hello.log, epochs: hello.epochs ?? [], limits: hello.broker ?? {}, push: hello.push ?? "" });
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
  Object.assign(one, { through: 0, read: 0, newFrom: undefined, held: null });
  one.log.items = [];
}

function greetRoom(told) {
  const one = place(`room/${told.name}`, { topic: told.topic ?? "", mode: told.mode ?? "public", joined: true });
  one.members = new Map((told.members ?? []).map((member) => [member.from, member]));
  count(one, told);
  emit("people", one);
  emit("topic", one);
  return one;
}

function greetTalk(told) {
  const one = place(`with/${told.with}`, { name: told.nick, joined: true });
  count(one, { mentions: told.unread, ...told });
  return one;
}

function count(one, told) {
  if (!one.log.loaded) one.through = told.through ?? 0; // otherwise the cursor is what we have: `refresh` fetches the rest
  one.read = Math.max(one.read, told.read ?? 0);
  Object.assign(one, { head: told.through ?? 0, unread: told.unread ?? 0, mentions: told.mentions ?? 0 });
}

wire.on("events", ({ events }) => events.forEach(take));

wire.on("read", (told) => {
  const one = store.places.get(keyOf(told));
  if (one) marked(one, told.seq);
});

wire.on("state", (told) => {
  Object.assign(store, { why: told.why ?? "", retryIn: told.retry_in ?? 0 });
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

function take(event) {
  if (event.seq === undefined) return PASSING[event.type]?.(event);
  if (event.type === "member" || event.type === "access") return changedMember(event);
  const key = placeOf(event);
  const one = store.places.get(key) ?? place(key, { name: event.room ?? other(event), joined: event.room === undefined });
  if (one.held) one.held.push(event);
  else if (event.seq <= one.through) return undefined;
  else if (event.prev > one.through && one.log.loaded) refresh(one, false, [event]);
  else accept(one, event);
  return undefined;
}

const other = (event) => (event.from === store.me.from ? event.to : event.nick);

function accept(one, event) {
  one.through = one.head = Math.max(one.through, event.seq);
  if (event.room === undefined) one.name = other(event) ?? one.name;
  if (event.type === "topic") {
    one.topic = event.text;
    emit("topic", one);
  }
  if (event.type === "message") said(one, event);
  const seqs = one.log.loaded ? one.log.take(event) : [];
  const root = event.thread ?? one.log.get(event.target)?.thread ?? event.target;
  one.threads.get(root)?.take(event);
  emit("log", one, { seqs, live: event.type === "message", root });
}

function said(one, event) {
  one.typing.delete(event.nick);
  const own = event.from === store.me.from;
  const seen = attentive(one);
  if (own) {
    one.read = Math.max(one.read, event.seq);
    Object.assign(one, { unread: 0, mentions: 0 });
  } else if (event.seq > one.read) {
    if (!seen && one.newFrom === undefined) one.newFrom = one.through - 1 < one.read ? one.read : event.prev;
    one.unread += 1;
    one.mentions += one.room === undefined || mentioned(event) ? 1 : 0;
  }
  emit("places");
  emit("message", one, event);
}

/** A message has one's nick in it, as a word. */
export function mentioned(event) {
  const nick = store.me.nick.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return event.from !== store.me.from && new RegExp(`(^|[^\\p{L}\\p{N}_])@?${nick}($|[^\\p{L}\\p{N}_])`, "iu").test(event.text ?? "");
}

const PASSING = {
  joined(event) {
    const one = place(`room/${event.room}`);
    one.members.set(event.from, { away: null, ...event });
    emit("people", one);
  },
  left(event) {
    const one = place(`room/${event.room}`);
    for (const member of one.members.values()) if (member.nick === event.nick) one.members.delete(member.from);
    emit("people", one);
  },
  renamed(event) {
    if (event.nick === store.me.nick) emit("me", (store.me.nick = event.new));
    eachMember(event, (member) => (member.nick = event.new));
  },
  away: (event) => eachMember(event, (member) => (member.away = event.text ?? null)),
  typing(event) {
    const key = event.room === undefined ? [...store.places.values()].find((one) => one.name === event.nick && one.with)?.key : `room/${event.room}`;
    const one = store.places.get(key);
    if (!one || event.nick === store.me.nick) return;
    one.typing.set(event.nick, Date.now() + TYPING);
    emit("typing", one);
    setTimeout(() => emit("typing", one), TYPING + 50);
  },
  parted(event) {
    const one = store.places.get(`room/${event.room}`);
    if (one) dropRoom(one);
    if (event.by) emit("notice", `${event.by} took you out of ${event.room}.${event.text ? ` “${event.text}”` : ""}`);
  },
  dropped: (event) => emit("notice", `What you wanted to say later was not said: ${event.message}`),
};

function eachMember(event, f) {
  for (const one of store.places.values()) {
    if (event.room !== undefined && one.room !== event.room) continue;
    for (const member of one.members.values()) if (member.nick === event.nick) f(member);
    emit("people", one);
  }
}

function changedMember(event) {
  if (event.change === "role" && event.from === store.me.from) emit("me", (store.me.role = event.role));
  if (event.change === "mode" && store.places.has(`room/${event.room}`)) emit("topic", place(`room/${event.room}`, { mode: event.mode }));
  if (event.change === "admitted" && event.from === store.me.from) emit("notice", `${event.by_nick} let you into ${event.room}.`, `room/${event.room}`);
  emit("member", event);
}

function dropRoom(one) {
  store.places.delete(one.key);
  emit("places");
  if (store.here === one) emit("gone", one);
}

// Asking for what was said

const known = (events) => events.filter((event) => event.seq !== undefined);

async function history(one, query) {
  return wire.ask({ type: "history", ...where(one), ...query });
}

/** Load the newest messages of a place. */
export async function loadNewest(one) {
  one.held ??= [];
  try {
    const page = await history(one, { limit: PAGE, current: true });
    one.log.reset(known(page.events), page.more, false);
    one.through = Math.max(page.upto, 0);
    emit("reset", one);
  } finally {
    release(one);
  }
}

/** Load the messages around one of them. @returns {Promise<boolean>} whether it is there */
export async function loadAround(one, seq) {
  one.held ??= [];
  try {
    const [before, after] = await Promise.all([
      history(one, { before: seq + 1, limit: PAGE / 2, current: true }),
      history(one, { after: seq, limit: PAGE / 2, current: true }),
    ]);
    one.log.reset([...known(before.events), ...known(after.events)], before.more, after.more);
    if (!after.more) one.through = Math.max(one.through, after.upto);
    emit("reset", one);
  } finally {
    release(one);
  }
  return one.log.get(seq) !== undefined;
}

/** Load what was said before the first message here. */
export async function loadOlder(one) {
  const page = await history(one, { before: one.log.first ?? one.through + 1, limit: PAGE, current: true });
  one.log.prepend(known(page.events), page.more);
}

/** Load what was said after the last message here, if it is not the newest. */
export async function loadNewer(one) {
  one.held ??= [];
  try {
    const page = await history(one, { after: one.log.last ?? 0, limit: PAGE, current: true });
    one.log.append(known(page.events), page.more);
    if (!page.more) one.through = Math.max(one.through, page.upto);
  } finally {
    release(one);
  }
}

/** Load a thread, or return the one that is here. */
export async function loadThread(one, root, anew = false) {
  let log = one.threads.get(root);
  if (log?.loaded && !anew) return log;
  const page = await history(one, { thread: root, limit: 500, current: true });
  log = log ?? new Log();
  log.reset(known(page.events), false, false);
  one.threads.set(root, log);
  return log;
}

/** One message as it is now, from what is here or from the broker; undefined if there is none. */
export async function loadOne(one, seq) {
  const here = one.log.get(seq) ?? [...one.threads.values()].map((log) => log.get(seq)).find(Boolean);
  if (here) return here;
  const page = await history(one, { before: seq + 1, limit: 1, current: true });
  return page.events.find((event) => event.seq === seq);
}

/** Fetch what was missed since the cursor. What comes meanwhile waits, and is taken afterwards. */
async function refresh(one, anew, held = []) {
  if (one.held) return void one.held.push(...held);
  one.held = held;
  try {
    if (anew || one.log.newer) await reload(one);
    else await catchUp(one);
    for (const root of anew ? [] : one.threads.keys()) if (root === store.thread && one === store.here) await loadThread(one, root, true);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.code === "unknown_room") dropRoom(one);
  } finally {
    release(one);
  }
}

async function reload(one) {
  if (one.log.newer && one.log.items.length) return loadAround(one, one.log.items[one.log.items.length >> 1].seq);
  return loadNewest(one);
}

async function catchUp(one) {
  for (;;) {
    const page = await history(one, { after: one.through, limit: 500 });
    for (const event of known(page.events)) if (event.seq > one.through) accept(one, event);
    one.through = Math.max(one.through, page.upto);
    if (!page.more) return;
  }
}

function release(one) {
  const held = one.held ?? [];
  one.held = null;
  for (const event of held) take(event);
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
  one.newFrom = undefined;
  flush(one);
}

function letGo() {
  const loaded = [...store.places.values()].filter((one) => one.log.loaded && one !== store.here).sort((a, b) => b.used - a.used);
  for (const one of loaded.slice(KEPT)) {
    one.log = new Log();
    one.threads.clear();
  }
}

let looking = () => true; // whether the newest message of the place on the screen is in sight

/** The timeline tells here whether its end is in sight. */
export const watchEnd = (f) => (looking = f);

/** Somebody looks at the newest message of this place now. */
export const attentive = (one) => one === store.here && document.visibilityState === "visible" && document.hasFocus() && looking();

// Read marks

const marks = new Map(); // key -> timer

/** Mark a place as read through its newest message, and tell the others of one's devices. */
export function markRead(one, seq = one.through) {
  if (seq <= one.read && !one.unread) return;
  marked(one, seq);
  clearTimeout(marks.get(one.key));
  marks.set(one.key, setTimeout(() => flush(one), READ_AFTER));
}

function flush(one) {
  if (!marks.has(one.key)) return;
  clearTimeout(marks.get(one.key));
  marks.delete(one.key);
  wire.ask({ type: "read", ...where(one), seq: one.read }).catch(() => marks.set(one.key, 0)); // 0: again with the next hello
}

wire.on("hello", () => [...marks.keys()].map((key) => store.places.get(key)).forEach((one) => one && flush(one)));

function marked(one, seq) {
  if (seq <= one.read && seq < one.through) return;
  one.read = Math.max(one.read, seq);
  const left = one.log.loaded && !one.log.newer ? one.log.items.filter((item) => item.seq > seq && counts(item)) : [];
  if (seq >= one.through || one.log.loaded) {
    Object.assign(one, { unread: left.length, mentions: left.filter((item) => one.room === undefined || mentioned(item)).length });
  }
  emit("places");
}

const counts = (item) => item.type === "message" && item.from !== store.me.from;

/** Mark a message and all after it as unread, here: the others of one's devices keep their mark, which only goes forward. */
export function markUnread(one, seq) {
  const left = one.log.items.filter((item) => item.seq >= seq && counts(item));
  const before = one.log.items[one.log.index(seq) - 1]?.seq ?? seq - 1;
  Object.assign(one, { read: before, newFrom: before, unread: left.length, mentions: left.filter(mentioned).length });
  emit("places");
  emit("reset", one);
}

// Rooms

/** Enter a room, and keep it among one's own. @returns {Promise<Place>} Rejects with Refused. */
export async function join(name) {
  const joined = await wire.ask({ type: "join", room: name });
  const one = place(`room/${joined.room}`, { topic: joined.topic ?? "", mode: joined.mode ?? "public", joined: true });
  one.members = new Map((joined.members ?? []).map((member) => [member.from, member]));
  if (!one.log.loaded) one.through = one.head = joined.head ?? 0;
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
