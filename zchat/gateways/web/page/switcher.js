// Ctrl-K: a few letters, and one is in another room or with another person; also in rooms where one is not yet.

import { h, icon } from "./dom.js";
import { best } from "./fuzzy.js";
import { pick } from "./finder.js";
import { join, talk } from "./here.js";
import { everybody } from "./members.js";
import { go } from "./routes.js";
import { allPlaces, emit, store } from "./state.js";
import { wire } from "./wire.js";
import { avatar } from "./message.js";
import { many } from "./words.js";

const FRESH = 60_000; // ms for which what the broker told of rooms and people is believed
const asked = { at: 0, rooms: [], people: [] };

/**
 * @typedef {object} Aim
 * @property {string} key of the place @property {string} name @property {import("./state.js").Place} [place] if one is there
 * @property {string} [topic] @property {number} [members] @property {string} [from]
 */
export function open() {
  const look = pick({ label: "Go to a room or a person", hint: "Room or person", name: "switcher", find, show, pick: turn, nothing });
  ask().then((news) => news && look.look());
}

const nothing = (text) => (/^[^\s/]+$/.test(text.trim()) ? "Nothing has this name." : "Nothing is found.");

/** @returns {Promise<boolean>} whether there is something new to show */
async function ask() {
  if (Date.now() - asked.at < FRESH || !wire.open) return false;
  const [rooms, people] = await Promise.allSettled([wire.ask({ type: "rooms" }), everybody()]);
  if (rooms.value) asked.rooms = rooms.value.rooms;
  if (people.value) asked.people = people.value;
  asked.at = rooms.value ? Date.now() : 0;
  return true;
}

/** @returns {Aim[]} those with news first, then those where one was last */
function aims() {
  const found = new Map();
  const add = (aim) => found.has(aim.key) || found.set(aim.key, aim);
  const places = allPlaces().filter((one) => one.joined && one !== store.here);
  places.sort((a, b) => b.mentions - a.mentions || Boolean(b.unread) - Boolean(a.unread) || b.used - a.used || (b.head ?? 0) - (a.head ?? 0));
  for (const place of places) add({ key: place.key, name: place.name, place, topic: place.topic, from: place.with });
  for (const { room, topic, members } of asked.rooms) add({ key: `room/${room}`, name: room, topic, members });
  for (const place of allPlaces()) for (const one of place.members.values()) add({ key: `with/${one.from}`, name: one.nick, from: one.from });
  for (const one of asked.people) add({ key: `with/${one.from}`, name: one.nick, from: one.from });
  for (const key of [`with/${store.me.from}`, store.here?.key]) found.delete(key);
  return [...found.values()];
}

function find(text) {
  const kind = /^[#@]/.exec(text.trim())?.[0];
  const fitting = aims().filter((aim) => !kind || (kind === "@") === (aim.from !== undefined));
  const bonus = (aim) => (aim.place ? 3 : 0) + (aim.place?.mentions ? 2 : 0) + (aim.place?.unread ? 1 : 0);
  return best(text.trim().replace(/^[#@]/, ""), fitting, (aim) => aim.name, bonus);
}

function show({ one, at }) {
  const letters = [...one.name].map((letter, index) => (at.includes(index) ? h("b", letter) : letter));
  const mark = !one.from ? icon(one.name.startsWith("+") ? "lock" : "hash") : avatar({ from: one.from, nick: one.name }, "small");
  const told = one.place ? one.topic : !one.from ? [one.members === undefined ? "" : many(one.members, "person", "people"), one.topic].filter(Boolean).join(" · ") : "";
  return h("span.aim", mark, h("bdi.aim-name", ...letters), h("bdi.aim-told", told ?? ""),
    one.place?.unread ? h("span", { class: `badge ${one.place.mentions ? "strong" : ""}` }, String(one.place.unread)) : null);
}

async function turn({ one }) {
  try {
    if (one.from) talk(one.from, one.name);
    else if (!one.place) await join(one.name);
    go({ key: one.key });
  } catch (error) {
    emit("notice", error.message);
  }
}
