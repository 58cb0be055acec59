// What is no part of a place's chain: who comes and goes, who types, who may do what. It changes the store, and leaves no message.

import { allPlaces, emit, mine, place, store } from "./state.js";
import { many, momentOf } from "./words.js";

const TYPING = 6_000; // ms for which somebody who typed is shown

/** Take such an event. One of a type that is not known is left out. */
export const passing = (event) => PASSING[event.type]?.(event);

const PASSING = {
  member: changedMember,
  access: changedMember,
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
    const key = !event.room ? allPlaces().find((one) => one.name === event.nick && one.with)?.key : `room/${event.room}`;
    const one = store.places.get(key);
    if (!one || event.nick === store.me.nick) return;
    one.typing.set(event.nick, Date.now() + TYPING);
    emit("typing", one);
    setTimeout(() => emit("typing", one), TYPING + 50);
  },
  dropped: (event) => emit("notice", `What you wanted to say later was not said: ${event.message}`),
};

function eachMember(event, f) {
  for (const one of allPlaces()) {
    if (event.room && one.room !== event.room) continue;
    for (const member of one.members.values()) if (member.nick === event.nick) f(member);
    emit("people", one);
  }
}

/** Somebody else has said who speaks in a room, or how long it keeps what is said. */
function newRules({ change, mode, keep, room, from, by_nick: by = "The broker" }) {
  if (change === "operator" && from === store.me.from) emit("notice", `${by} made you an operator of ${room}.`);
  if (change === "mode" && mode !== "private") emit("notice", mode === "announce" ? `${by} made ${room} read-only: only moderators speak there.` : `${by} lets everybody speak in ${room} again.`);
  if (change === "keep") emit("notice", `${by} has ${room} keep what is said ${keep ? `for ${many(keep, "day")}` : keep === 0 ? "for ever" : "as long as the broker is told to"}.`);
}

/** Another mode, or one operator more; nobody operates a room that is simply public again. */
function newAccess(one, { change, mode, from }) {
  if (change === "mode") emit("topic", Object.assign(one, { mode }));
  for (const member of one.members.values()) if (change === "operator" && member.from === from) member.operator = true;
    else if (mode === "public") member.operator = false;
  emit("people", one);
}

/** Somebody may not speak any more, or again. */
function newMute({ change, from, room, until, reason, by_nick: by = "The broker" }) {
  if (!room) emit("people", store.here, store.muted[change === "muted" ? "add" : "delete"](from));
  if (from !== store.me.from) return;
  const where = room ? ` in ${room}` : "";
  emit("notice", change === "muted" ? `${by} muted you${where}${until ? ` until ${momentOf(until)}` : ""}${reason ? `: ${reason}` : "."}` : `${by} lets you speak again${where}.`);
}

function newRole({ from, role }) {
  if (from === store.me.from) emit("me", (store.me.role = role));
  for (const one of allPlaces()) {
    const member = one.members.get(from);
    if (member) emit("people", one, (member.role = role));
  }
}

function changedMember(event) {
  const talk = event.change === "nick" && store.places.get(`with/${event.from}`);
  if (talk) emit("places", (talk.name = event.nick));
  if (event.change === "role") newRole(event);
  if (/^(un)?muted$/.test(event.change)) newMute(event);
  if (event.change === "admitted" && mine(event)) emit("notice", `${event.by_nick} let you into ${event.room}.`);
  const one = store.places.get(`room/${event.room}`);
  if (one) newAccess(one, event);
  if (one && event.by !== store.me.from) newRules(event);
  emit("member", event);
}
