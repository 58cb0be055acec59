// The one store: who one is, the places, what was said in them, what is read. It tells of changes; what changes it is in events.js (what
// comes), marks.js (what is read), history.js (what is asked for) and here.js (where one is).

import { Log } from "./log.js";

/**
 * @typedef {object} Member
 * @property {string} from @property {string} nick @property {boolean} bot @property {string|null} away @property {string} [role]
 * @property {boolean} [operator] they operate the room in whose list they are
 *
 * @typedef {object} Place a room, or a conversation with one person
 * @property {string} key `room/general` or `with/9f86d081884c7d65`: names it everywhere, also in the address
 * @property {string} [room] the name of the room
 * @property {string} [with] the `from` of the one with whom it is
 * @property {string} name what to show: the room's name, or the nick
 * @property {string} topic @property {string} mode `public`, `announce` or `private`
 * @property {Map<string, Member>} members by `from`
 * @property {number} through the cursor @property {number} read @property {number} unread @property {number} mentions
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
  /** The `from`s of those who are muted everywhere, as far as that is known. */
  muted: new Set(),
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

export const keyOf = (one) => (!one.room ? `with/${one.with}` : `room/${one.room}`);

/** The fields by which a command names a place. */
export const where = (place) => (!place.room ? { to: place.name, with: place.with } : { room: place.room });

export const allPlaces = () => [...store.places.values()];

/** It is of oneself. */
export const mine = (item) => item.from === store.me.from;

/** One operates this room oneself. */
export const operates = (place) => Boolean(place.members.get(store.me.from)?.operator);

/** The key of the place in which an event was said. The other end of a direct one is `with`, if one said it oneself. */
export function placeOf(event) {
  if (event.room) return `room/${event.room}`;
  return `with/${mine(event) ? event.with : event.from}`;
}

/** Return a place, and make it if it is not known yet. */
export function place(key, fields = {}) {
  let found = store.places.get(key);
  if (!found) {
    const [kind, name] = [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];
    found = {
      key, room: kind === "room" ? name : undefined, with: kind === "with" ? name : undefined, name, topic: "", mode: name[0] === "+" ? "private" : "public",
      members: new Map(), through: 0, read: 0, unread: 0, mentions: 0, unmarked: false, joined: false,
      log: new Log(), threads: new Map(), typing: new Map(), held: null, asking: 0, used: 0, counted: 0, head: 0,
    };
    store.places.set(key, found);
  }
  return Object.assign(found, fields);
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
export const mentioned = (event) => !mine(event) && callsMe().test(event.text ?? "");
