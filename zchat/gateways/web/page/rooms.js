// Joining a room, making one, and beginning a conversation.

import { tryTo } from "./actions.js";
import { showLink } from "./devices.js";
import { $, button, buttons, choice, h, icon, searchLine, small } from "./dom.js";
import { join, talk } from "./here.js";
import { everybody } from "./members.js";
import { close, dialog, toast } from "./popups.js";
import { go } from "./routes.js";
import { showMembers } from "./moderation.js";
import { markOf } from "./sidebar.js";
import { mine, store } from "./state.js";
import { many } from "./words.js";

/** Join a room by its name, and turn to it. */
export async function enter(name) {
  const { here } = store;
  try {
    const one = await join(name);
    if (here !== store.here) return; // one has turned elsewhere meanwhile
    close();
    go({ key: one.key });
  } catch (error) {
    toast(error.message);
  }
}

/** The dialog with all rooms and all people. */
export async function showRooms() {
  const list = h("div.choices");
  let draw = () => {}; // until the answers are there
  const input = searchLine("Find or make a room, or a person", () => draw());
  const asked = Promise.all([tryTo({ type: "rooms" }), everybody().catch(() => [])]);
  const send = async (event) => {
    event.preventDefault();
    const { value } = input;
    await asked; // Enter may come before the answers
    if (list.isConnected && value === input.value) $("button", list)?.click();
  };
  dialog("Rooms and people", [h("form", { onsubmit: send }, input),
    store.me.member && buttons(button({ onclick: invite }, "Invite somebody"), button({ onclick: () => showMembers() }, "All members")), list]);
  const [rooms, people] = await asked;
  draw = () => list.replaceChildren(...choices(input.value.trim(), rooms?.rooms ?? [], people));
  draw();
}

function choices(word, rooms, people) {
  const has = (name) => name.toLocaleLowerCase().includes(word.toLocaleLowerCase());
  const name = word.toLocaleLowerCase().replace(/\s+/g, "-"); // which is what a room can be called
  const exact = rooms.some((one) => one.room === name);
  return [
    ...rooms.filter((one) => has(one.room) || has(one.topic ?? "")).sort((a, b) => (b.members ?? 0) - (a.members ?? 0)).slice(0, 100).map(roomChoice),
    ...people.filter((one) => !mine(one) && has(one.nick)).slice(0, 50).map((one) => choice(() => (close(), go({ key: talk(one.from, one.nick).key })), icon("at"), h("bdi", one.nick), one.role ?? "guest")),
    ...(word && !exact ? [makeChoice(name)] : []),
  ];
}

function roomChoice(one) {
  const inside = store.places.get(`room/${one.room}`)?.joined;
  return choice(() => enter(one.room), icon(markOf(one)), [h("bdi", one.room), one.topic && h("bdi.small.muted", one.topic)],
    inside ? "you are in" : many(one.members ?? 0, "person", "people"));
}

function makeChoice(name) {
  const hidden = name.startsWith("+");
  return choice(() => (hidden ? makePrivate(name) : enter(name)), icon("plus"),
    [`Make ${name}`, small(hidden ? "A private room: only those who are let in see it." : "A room for everybody. A name that begins with + makes a private one.")]);
}

async function makePrivate(name) {
  if (await tryTo({ type: "access", room: name, mode: "private" })) await enter(name);
}

/** A link that brings somebody in, once. */
async function invite() {
  const made = await tryTo({ type: "invite" });
  if (made) showLink("Invite somebody", "This link brings one person in, within seven days. Whoever has it may use it.", made);
}
