// Where one is, and what one is in: the place on the screen, and how rooms and conversations come and go.

import { refresh } from "./history.js";
import { Log } from "./log.js";
import { flush } from "./marks.js";
import { allPlaces, emit, place, store } from "./state.js";
import { wire } from "./wire.js";

const KEPT = 12; // places whose messages are kept while another one is on the screen

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
  const loaded = allPlaces().filter((one) => one.log.loaded && one !== store.here).sort((a, b) => b.used - a.used);
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

/** Enter a room, and keep it among one's own. @returns {Promise<Place>} Rejects with Refused. */
export async function join(name) {
  const joined = await wire.ask({ type: "join", room: name });
  const one = place(`room/${joined.room}`, { topic: joined.topic, mode: joined.mode ?? "public", joined: true });
  one.members = new Map(joined.members.map((member) => [member.from, member]));
  if (!one.log.loaded) one.through = one.head = joined.head;
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

/** One is not in this room any more. */
export function dropRoom(one) {
  store.places.delete(one.key);
  emit("places");
  if (store.here === one) emit("gone", one);
}
