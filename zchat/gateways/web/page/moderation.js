// Who somebody is, and what moderators do: what the menu of a person offers.

import { tryTo } from "./actions.js";
import { button, buttons, h, searchLine, small } from "./dom.js";
import { avatar } from "./message.js";
import { ask, close, confirm, dialog, toast } from "./popups.js";
import { emit, store } from "./state.js";
import { wire } from "./wire.js";
import { fullTime, many, since } from "./words.js";

export async function whois(member) {
  const told = await wire.ask({ type: "who", nick: member.nick }).catch(() => null); // refused for whoever is not here
  const here = told?.members?.find((one) => one.from === member.from);
  const listed = store.me.member ? await tryTo({ type: "members" }) : null;
  const known = listed?.members?.find((one) => one.from === member.from);
  const facts = [
    ["Role", known?.role ?? here?.role ?? "guest: nobody has proved who this is"],
    ["Here", here ? (here.away ? `away: ${here.away}` : `idle ${since(here.idle ?? 0)}`) : "no"],
    ["Rooms", here?.rooms?.join(", ")],
    ["Member since", known?.since && fullTime(known.since)],
    ["Seen", known?.seen && fullTime(known.seen)],
    ["Devices", known?.devices?.map((one) => one.name ?? one.credential).join(", ")],
  ];
  dialog(member.nick, h("dl", { class: "facts" }, facts.filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", { dir: "auto" }, value)])));
}

export async function kick(member, room) {
  const reason = await ask(room ? `Take ${member.nick} out of ${room}` : `Send ${member.nick} away`, { label: "Reason (shown to all)", required: false, yes: "Do it", hint: "They may come back." });
  if (reason !== null) await tryTo({ type: "kick", from: member.from, ...(room && { room }), ...(reason && { reason }) });
}

export async function mute(member) {
  const minutes = await ask(`Mute ${member.nick}`, { label: "For how many minutes? Empty: until you unmute", required: false, yes: "Mute" });
  if (minutes === null) return;
  const until = Number(minutes) > 0 ? { until: new Date(Date.now() + Number(minutes) * 60_000).toISOString() } : {};
  if (await tryTo({ type: "mute", from: member.from, ...until })) toast(`${member.nick} is muted.`);
}

export async function ban(member) {
  if (await confirm(`Ban ${member.nick}?`, "They are kept out with all their devices until you take it back.", "Ban")) await tryTo({ type: "ban", from: member.from });
}

export function changeRole(member) {
  const set = async (role) => (close(), (await tryTo({ type: "role", from: member.from, role })) && toast(`${member.nick} is ${role} now.`));
  dialog(`The role of ${member.nick}`, buttons(["member", "moderator", "owner"].map((role) => button({ disabled: role === member.role, onclick: () => set(role) }, role))));
}

/** All members, also those who are not here; in a private room one lets them in by it. */
export async function showMembers(place) {
  const told = await tryTo({ type: "members" });
  if (!told) return;
  const list = h("div", { class: "choices" });
  const input = searchLine("Find a member", () => draw());
  const draw = () => list.replaceChildren(...told.members.filter((one) => one.nick.toLocaleLowerCase().includes(input.value.trim().toLocaleLowerCase())).slice(0, 200).map((one) => line(one, place)));
  draw();
  dialog(place ? `Let somebody into ${place.room}` : "Members", [input, list]);
}

function line(member, place) {
  const act = place ? () => admit(member, place) : () => whois(member);
  const banned = member.banned && !place && button({ class: "quiet", onclick: async (event) => (event.stopPropagation(), (await tryTo({ type: "unban", from: member.from })) && event.target.remove()) }, "Unban");
  return h("div", { class: "choice-line" }, button({ class: "choice", onclick: act }, avatar(member, "small"), h("span", { class: "choice-name" }, h("bdi", {}, member.nick)),
    small([member.role, member.present && "here", member.banned && "banned"].filter(Boolean).join(" · "))), banned);
}

async function admit(member, place) {
  if (await tryTo({ type: "access", room: place.room, admit: member.from })) toast(`${member.nick} may come into ${place.room} now.`);
}

/** Have what is said in a room deleted after so many days. */
export async function keepFor(place) {
  const days = await ask(`Keep what is said in ${place.room}`, { label: "For how many days? Empty: for ever", required: false, yes: "Keep so", hint: "What is older is deleted for everybody, for good, also what was said until now." });
  if (days === null) return;
  const keep = days === "" ? 0 : Number(days);
  if (!Number.isInteger(keep) || keep < 0) return toast("How many days is a number, such as 30.");
  if (await tryTo({ type: "access", room: place.room, keep })) toast(keep ? `What is said in ${place.room} is kept for ${many(keep, "day")}.` : `What is said in ${place.room} is kept for ever.`);
}

/** Make a room read-only but for moderators and its operators, or open it again. */
export async function setMode(place, mode) {
  if (await tryTo({ type: "access", room: place.room, mode })) emit("topic", Object.assign(place, { mode }));
}
