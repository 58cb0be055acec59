// The people of a room at the right: who is here, who is away; who somebody is; and what moderators may do.

import { moderates, tryTo } from "./actions.js";
import { $, h, iconButton } from "./dom.js";
import { avatar } from "./message.js";
import { ask, confirm, dialog, menu, toast } from "./popups.js";
import { go } from "./routes.js";
import { store, talk } from "./state.js";
import { fullTime, many, since } from "./words.js";

const RANK = { owner: 0, moderator: 1, member: 2, guest: 3 };
const MOST = 300; // lines; a search finds the others
const rank = (member) => RANK[member.role ?? "guest"];
const collator = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

/** Draw the panel of a place. */
export function drawPeople(root, place, { close }) {
  const all = [...place.members.values()].sort((a, b) => Boolean(a.bot) - Boolean(b.bot) || collator.compare(a.nick, b.nick));
  const people = all.filter((one) => !one.bot);
  const groups = [["Here", people.filter((one) => one.away === null || one.away === undefined)], ["Away", people.filter((one) => typeof one.away === "string")], ["Bots", all.filter((one) => one.bot)]];
  root.replaceChildren(
    h("header", { class: "bar" }, h("h2", {}, many(all.length, "person", "people")), iconButton("close", "Close", close, { class: "icon-button narrow-only" })),
    h("div", { class: "scrolls" }, groups.filter(([, members]) => members.length).map(([label, members]) =>
      h("section", {}, h("h3", {}, label), h("ul", { role: "list" }, members.slice(0, MOST).map((member) => h("li", {}, person(member, place))),
        members.length > MOST && h("li", { class: "small muted" }, `and ${members.length - MOST} more`))))));
}

function person(member, place) {
  return h("button", { type: "button", class: member.away ? "person is-away" : "person", onclick: (event) => who(member, place, event.currentTarget) },
    avatar(member, "small"), h("span", { class: "person-name" }, h("bdi", {}, member.nick), member.away && h("span", { class: "small muted", dir: "auto" }, member.away)),
    !member.bot && (member.role === undefined || rank(member) < 2) && h("span", { class: "tag" }, member.role ?? "guest"));
}

/** The small menu of somebody. */
export function who(member, place, at) {
  const self = member.from === store.me.from;
  const room = place?.room;
  const above = moderates() && !self && rank(member) >= rank(store.me);
  menu(at, [
    !self && { label: `Message ${member.nick}`, icon: "at", do: () => go({ key: talk(member.from, member.nick).key }) },
    { label: "Who is this?", icon: "people", do: () => whois(member) },
    above && null,
    above && room && { label: `Take out of ${room}`, icon: "out", do: () => kick(member, room) },
    above && { label: "Mute …", icon: "bell", do: () => mute(member) },
    above && { label: "Unmute", icon: "bell", do: () => tryTo({ type: "unmute", from: member.from }) },
    above && { label: "Send away", icon: "out", danger: true, do: () => kick(member) },
    above && { label: "Ban …", icon: "close", danger: true, do: () => ban(member) },
  ]);
}

async function whois(member) {
  const told = await tryTo({ type: "who", nick: member.nick });
  const here = told?.members?.find((one) => one.from === member.from) ?? told?.members?.[0];
  const listed = store.me.role ? await tryTo({ type: "members" }) : null;
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

async function kick(member, room) {
  const reason = await ask(room ? `Take ${member.nick} out of ${room}` : `Send ${member.nick} away`, { label: "Reason (shown to all)", required: false, yes: "Do it", hint: "They may come back." });
  if (reason !== null) await tryTo({ type: "kick", from: member.from, ...(room && { room }), ...(reason && { reason }) });
}

async function mute(member) {
  const minutes = await ask(`Mute ${member.nick}`, { label: "For how many minutes? Empty: until you unmute", required: false, yes: "Mute" });
  if (minutes === null) return;
  const until = Number(minutes) > 0 ? { until: new Date(Date.now() + Number(minutes) * 60_000).toISOString() } : {};
  if (await tryTo({ type: "mute", from: member.from, ...until })) toast(`${member.nick} is muted.`);
}

async function ban(member) {
  if (await confirm(`Ban ${member.nick}?`, "They are kept out with all their devices until you take it back.", "Ban")) await tryTo({ type: "ban", from: member.from });
}

export const peopleRoot = () => $("#people");
