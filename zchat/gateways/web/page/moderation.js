// Who somebody is, and what moderators do: what the menu of a person offers.

import { tryTo } from "./actions.js";
import { button, buttons, choice, h, searchLine } from "./dom.js";
import { member as toldOf, members } from "./members.js";
import { avatar } from "./message.js";
import { acts } from "./people.js";
import { ask, askFor, close, dialog, toast } from "./popups.js";
import { emit, store } from "./state.js";
import { wire } from "./wire.js";
import { inOrder, many, momentOf, since } from "./words.js";

export async function whois(member) {
  const told = await wire.ask({ type: "who", nick: member.nick }).catch(() => null); // refused for whoever is not here
  const here = told?.members?.find((one) => one.from === member.from);
  const known = store.me.member ? await toldOf(member.from).catch(() => null) : null;
  const facts = [
    ["Role", known?.role ?? here?.role ?? "guest: nobody has proved who this is"],
    ["May not", [known?.banned && "come in: banned", known?.muted && "speak: muted"].filter(Boolean).join(", ")],
    ["Here", here ? (here.away ? `away: ${here.away}` : `idle ${since(here.idle ?? 0)}`) : "no"],
    ["Rooms", here?.rooms?.join(", ")],
    ["Member since", known?.since && momentOf(known.since)],
    ["Seen", known?.seen && momentOf(known.seen)],
    ["Devices", known?.devices?.map((one) => one.name ?? one.credential).join(", ")],
  ];
  dialog(member.nick, [h("dl.facts", facts.filter(([, value]) => value).map(([name, value]) => [h("dt", name), h("dd", { dir: "auto" }, value)])),
    buttons(acts({ ...member, role: known?.role ?? member.role }).map((one) => one && button({ class: one[3] && "danger", onclick: () => (close(), one[2]()) }, one[0])))]);
}

const REASON = { label: "Reason", required: false };
const UNTIL = { label: "For how long? 30m, 2h, 1d; empty: until you take it back", required: false };

const UNITS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** How many ms `30m`, `2h`, `1d` and `2w` are; what has no unit is of the one that is given. NaN: it is no such thing. */
function spanOf(text, unit) {
  const [, count, named = unit] = /^([1-9]\d{0,5})\s*([mhdw]?)$/i.exec(text)?.map((part) => part || undefined) ?? [];
  return Number(count) * UNITS[named?.toLowerCase()];
}

/** The moment until which something holds, as a command has it. */
function untilOf(text) {
  if (!text) return {};
  const span = spanOf(text, "m");
  if (Number.isNaN(span)) throw new Error(`"${text}" is no length of time. Write 30m, 2h, 1d, or a number of minutes.`);
  return { until: new Date(Date.now() + span).toISOString() };
}

export async function kick(member, room) {
  const act = (reason) => wire.ask({ type: "kick", from: member.from, ...(room && { room }), ...(reason && { reason }) });
  await ask(room ? `Take ${member.nick} out of ${room}` : `Send ${member.nick} away`, { label: "Reason (shown to all)", required: false, yes: "Do it", hint: "They may come back.", act });
}

/** Mute or ban: until when, and why. */
async function keepFrom(member, type, title, hint, told) {
  let until;
  const act = (span, reason) => wire.ask({ type, from: member.from, ...(until = untilOf(span)), ...(reason && { reason }) });
  if (await askFor(`${title} ${member.nick}`, [UNTIL, REASON], { yes: title, hint, danger: true, act })) toast(`${member.nick} is ${told}${until.until ? ` until ${momentOf(until.until)}` : ""}.`);
}

export const mute = (member) => keepFrom(member, "mute", "Mute", "They read, and cannot speak.", "muted");
export const ban = (member) => keepFrom(member, "ban", "Ban", "They are kept out with all their devices.", "banned");

export function changeRole(member) {
  const set = async (role) => (close(), (await tryTo({ type: "role", from: member.from, role })) && toast(`${member.nick} is ${role} now.`));
  dialog(`The role of ${member.nick}`, buttons(["member", "moderator", "owner"].map((role) => button({ disabled: role === member.role, onclick: () => set(role) }, role))));
}

/** All members, also those who are not here; in a private room one lets them in by it. */
export async function showMembers(place) {
  const all = await members().catch((error) => toast(error.message));
  if (!all) return;
  all.sort((a, b) => inOrder(a.nick, b.nick));
  const list = h("div.choices");
  const input = searchLine("Find a member", () => draw());
  const draw = () => list.replaceChildren(...all.filter((one) => one.nick.toLocaleLowerCase().includes(input.value.trim().toLocaleLowerCase())).slice(0, 200).map((one) => line(one, place)));
  draw();
  dialog(place ? `Let somebody into ${place.room}` : "Members", [input, list]);
}

function line(member, place) {
  const act = place ? () => admit(member, place) : () => whois(member);
  const banned = member.banned && !place && button({ class: "quiet", onclick: async (event) => (event.stopPropagation(), (await tryTo({ type: "unban", from: member.from })) && event.target.remove()) }, "Unban");
  const told = [member.role, member.present && "here", member.banned && "banned", member.muted && "muted"].filter(Boolean).join(" · ");
  return h("div.choice-line", choice(act, avatar(member, "small"), h("bdi", member.nick), told), banned);
}

async function admit(member, place) {
  if (await tryTo({ type: "access", room: place.room, admit: member.from })) toast(`${member.nick} may come into ${place.room} now.`);
}

/** For how many days what is said is kept: a number, 0 for ever, or "default". */
function daysOf(text) {
  if (/^(for ?ever|0)$/i.test(text)) return 0;
  if (/^default$/i.test(text)) return "default";
  const days = spanOf(text, "d") / 86_400_000;
  if (days >= 1 && Number.isInteger(days)) return days;
  throw new Error(`"${text}" is no number of days. Write 30d, 4w, for ever or default.`);
}

/** For how long a room keeps what is said: undefined, if that cannot be asked now. */
async function keptNow(room) {
  const told = await wire.ask({ type: "rooms" }).catch(() => null);
  const keep = told?.rooms.find((one) => one.room === room)?.keep;
  return keep === undefined ? told && !told.more ? "default" : undefined : keep ? `${keep}d` : "for ever";
}

/** Have what is said in a room deleted after so many days. */
export async function keepFor(place) {
  const { room } = place;
  const value = await keptNow(room);
  const act = (text) => wire.ask({ type: "access", room, keep: daysOf(text) });
  const hint = `30d, 4w, for ever, or default: as the server says. What is older is deleted for everybody, for good, also what was said until now.${value ? "" : " What holds now is not known."}`;
  const text = await ask(`Keep what is said in ${room}`, { label: "For how long?", value, yes: "Keep so", hint, act });
  if (text === null) return;
  const keep = daysOf(text);
  toast(`What is said in ${room} is kept ${keep === "default" ? "as long as the server says" : keep ? `for ${many(keep, "day")}` : "for ever"}.`);
}

/** Make a room read-only but for moderators and its operators, or open it again. */
export async function setMode(place, mode) {
  if (await tryTo({ type: "access", room: place.room, mode })) emit("topic", Object.assign(place, { mode }));
}
