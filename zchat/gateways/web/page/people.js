// The people of a room at the right: who is here, who is away; who somebody is; and what moderators may do.

import { moderates, tryTo } from "./actions.js";
import { button, h, iconButton } from "./dom.js";
import { talk } from "./here.js";
import { lazy } from "./lazy.js";
import { learnMutes } from "./members.js";
import { avatar } from "./message.js";
import { menu } from "./popups.js";
import { go } from "./routes.js";
import { operates, store } from "./state.js";
import { inOrder, many } from "./words.js";

const RANK = { owner: 0, moderator: 1, member: 2, guest: 3 };
const MOST = 300; // lines; a search finds the others
const rank = (member) => RANK[member.role ?? "guest"];
const [whois, kick, mute, ban, changeRole] = ["whois", "kick", "mute", "ban", "changeRole"].map((what) => lazy("moderation", what));

/** Draw the panel of a place. */
export function drawPeople(root, place, { close }) {
  learnMutes();
  const all = [...place.members.values()].sort((a, b) => Boolean(a.bot) - Boolean(b.bot) || inOrder(a.nick, b.nick));
  const people = all.filter((one) => !one.bot);
  const groups = [["Here", people.filter((one) => one.away === null || one.away === undefined)], ["Away", people.filter((one) => typeof one.away === "string")], ["Bots", all.filter((one) => one.bot)]];
  root.replaceChildren(
    h("header", { class: "bar" }, h("h2", {}, many(all.length, "person", "people")), iconButton("close", "Close", close, { class: "icon-button narrow-only" })),
    h("div", { class: "scrolls" }, groups.filter(([, members]) => members.length).map(([label, members]) =>
      h("section", {}, h("h3", {}, label), h("ul", { role: "list" }, members.slice(0, MOST).map((member) => h("li", {}, person(member, place))),
        members.length > MOST && h("li", { class: "small muted" }, `and ${members.length - MOST} more`))))));
}

function person(member, place) {
  return button({ class: member.away ? "person is-away" : "person", onclick: (event) => who(member, place, event.currentTarget) },
    avatar(member, "small"), h("span", { class: "person-name" }, h("bdi", {}, member.nick), member.away && h("span", { class: "small muted", dir: "auto" }, member.away)),
    marks(member).map((mark) => h("span", { class: "tag" }, mark)));
}

/** What is said of somebody beside the nick. */
const marks = (member) => [!member.bot && member.role !== "member" && (member.role ?? "guest"), member.operator && "operator", store.muted.has(member.from) && "muted"].filter(Boolean);

/** What one may do with somebody, wherever they are. What one's role never may is not offered; what one may not, the broker refuses. */
export function acts(member) {
  if (member.from === store.me.from) return [];
  const write = { label: `Message ${member.nick}`, icon: "at", do: () => go({ key: talk(member.from, member.nick).key }) };
  return [write, ...(moderates() && rank(member) >= rank(store.me) ? moderation(member) : [])];
}

/** The small menu of somebody. */
export function who(member, place, at) {
  const [write, ...more] = acts(member);
  menu(at, [write, { label: "Who is this?", icon: "people", do: () => whois(member) }, ...(write ? inRoom(member, place) : []), ...more]);
}

function inRoom(member, place) {
  if (place?.room === undefined) return [];
  const { room } = place;
  const operator = operates(place);
  const above = moderates() && rank(member) >= rank(store.me);
  const [names, lets] = place.mode === "private" ? [operator && "Have them operate the room, too", operator] : [moderates() && place.mode === "announce" && "Let them speak here"];
  const entries = [
    names && member.role && !member.operator && { label: names, icon: "settings", do: () => tryTo({ type: "access", room, operator: member.from }) },
    (above || operator) && { label: `Take out of ${room}`, icon: "out", do: () => kick(member, room) },
    lets && { label: `Let them into ${room} no more`, icon: "out", danger: true, do: () => tryTo({ type: "access", room, expel: member.from }) },
  ].filter(Boolean);
  return entries.length ? [null, ...entries] : [];
}

const moderation = (member) => [null,
  { label: "Mute …", icon: "bell", do: () => mute(member) },
  (store.muted.has(member.from) || !member.role) && { label: "Unmute", icon: "bell", do: () => tryTo({ type: "unmute", from: member.from }) },
  store.me.role === "owner" && member.role && { label: "Change the role …", icon: "settings", do: () => changeRole(member) },
  { label: "Send away …", icon: "out", danger: true, do: () => kick(member) },
  { label: "Ban …", icon: "close", danger: true, do: () => ban(member) },
];
