// What the gateway tells, as it changes the store.
//
// Each place has a cursor, `through`. An event at or below it is a repeat and is dropped; one whose `prev` is above it shows that
// something was missed: then the events since the cursor are fetched, and what comes meanwhile is held back. After a lost socket the
// same happens for each place whose messages are here. So there is no gap and no double, whatever happened to the connection.

import { attentive, dropRoom } from "./here.js";
import { refresh } from "./history.js";
import { marked } from "./marks.js";
import { passing } from "./passing.js";
import { allPlaces, emit, keyOf, mentioned, mine, place, placeOf, store } from "./state.js";
import { wire } from "./wire.js";

wire.on("hello", (hello) => {
  const anew = store.log !== undefined && (store.log !== hello.log || wentBack(hello.epochs));
  Object.assign(store, { me: hello.me, log: hello.log, epochs: hello.epochs, limits: hello.broker, push: hello.push ?? "", stalled: hello.stalled ?? "" });
  if (anew) for (const one of allPlaces()) forget(one);
  const told = [...hello.rooms.map((room) => greetRoom(room)), ...hello.talks.map((talk) => greetTalk(talk))];
  for (const one of allPlaces()) if (one.room && !told.includes(one)) one.joined = false;
  setState(hello.online === false ? "waiting" : "online");
  emit("me");
  emit("places");
  if (!store.ready) emit("ready", (store.ready = true));
  for (const one of allPlaces()) if (one.log.loaded) refresh(one, anew);
});

/** The log is another one, or an epoch that we know is no more in it: then what we have may not be there any more. */
function wentBack(epochs) {
  const last = store.epochs?.at(-1);
  return last !== undefined && !epochs.some(([id, first]) => id === last[0] && first === last[1]);
}

function forget(one) {
  one.threads.clear();
  Object.assign(one, { through: 0, read: 0, newFrom: undefined, held: one.held && [] });
  one.log.items = [];
}

function greetRoom(told) {
  const one = place(`room/${told.name}`, { topic: told.topic, mode: told.mode, joined: true });
  one.members = new Map(told.members.map((member) => [member.from, member]));
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
  if (!one.log.loaded) one.through = told.through; // otherwise the cursor is what we have: `refresh` fetches the rest
  one.counted = told.through; // what is unread through here is counted already
  one.read = told.unmarked ? told.read : Math.max(one.read, told.read);
  Object.assign(one, { head: told.through, unread: told.unread, mentions: told.mentions });
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
  const one = store.places.get(key) ?? place(key, { name: event.room ?? other(event), joined: !event.room });
  if (one.held) one.held.push(event);
  else if (event.seq <= one.through) return undefined;
  else if (event.prev > one.through && one.log.loaded) refresh(one, false, [event]);
  else accept(one, event);
  return undefined;
}

const other = (event) => (mine(event) ? event.to : event.nick);

/** Take an event that is the next one of its place. */
export function accept(one, event) {
  one.through = one.head = Math.max(one.through, event.seq);
  if (!event.room) one.name = other(event) ?? one.name;
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
  const own = mine(event);
  if (own) {
    one.read = Math.max(one.read, event.seq);
    Object.assign(one, { unread: 0, mentions: 0, newFrom: undefined, unmarked: false });
  } else if (event.seq > Math.max(one.read, one.counted)) {
    if (one === store.here && !attentive(one) && one.unread === 0) moveNew(one, event.prev);
    one.unread += 1;
    one.mentions += !one.room || mentioned(event) ? 1 : 0;
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
