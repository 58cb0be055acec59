// The people of a room at the right: who is here, who is away; who somebody is; and what moderators may do.

import { moderates, tryTo } from "./actions.js";
import { button, h, iconButton } from "./dom.js";
import { talk } from "./here.js";
import { lazy } from "./lazy.js";
import { learnMutes } from "./members.js";
import { avatar } from "./message.js";
import { menu } from "./popups.js";
import { go } from "./routes.js";
import { mine, operates, store } from "./state.js";
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
    h("header.bar", h("h2", many(all.length, "person", "people")), iconButton("close", "Close", close, { class: "icon-button narrow-only" })),
    h("div.scrolls", groups.filter(([, members]) => members.length).map(([label, members]) =>
      h("section", h("h3", label), h("ul", { role: "list" }, members.slice(0, MOST).map((member) => h("li", person(member, place))),
        members.length > MOST && h("li.small.muted", `and ${members.length - MOST} more`))))));
}

function person(member, place) {
  return button({ class: member.away ? "person is-away" : "person", onclick: (event) => who(member, place, event.currentTarget) },
    avatar(member, "small"), h("span.person-name", h("bdi", member.nick), member.away && h("bdi.small.muted", member.away)),
    marks(member).map((mark) => h("span.tag", mark)));
}

/** What is said of somebody beside the nick. */
const marks = (member) => [!member.bot && member.role !== "member" && (member.role ?? "guest"), member.operator && "operator", store.muted.has(member.from) && "muted"].filter(Boolean);

const above = (member) => moderates() && rank(member) >= rank(store.me);

/** What one may do with somebody, wherever they are. What one's role never may is not offered; what one may not, the broker refuses. */
export function acts(member) {
  if (mine(member)) return [];
  const write = [`Message ${member.nick}`, "at", () => go({ key: talk(member.from, member.nick).key })];
  return [write, ...(above(member) ? moderation(member) : [])];
}

/** The small menu of somebody. */
export function who(member, place, at) {
  const [write, ...more] = acts(member);
  menu(at, [write, ["Who is this?", "people", () => whois(member)], ...(write ? inRoom(member, place) : []), ...more]);
}

function inRoom(member, place) {
  if (!place?.room) return [];
  const { room } = place;
  const operator = operates(place);
  const lets = operator && place.mode === "private";
  const names = lets ? "Have them operate the room, too" : moderates() && place.mode === "announce" && "Let them speak here";
  const entries = [
    names && member.role && !member.operator && [names, "settings", () => tryTo({ type: "access", room, operator: member.from })],
    (operator || above(member)) && [`Take out of ${room}`, "out", () => kick(member, room)],
    lets && [`Let them into ${room} no more`, "out", () => tryTo({ type: "access", room, expel: member.from }), true],
  ].filter(Boolean);
  return entries.length ? [null, ...entries] : [];
}

const moderation = (member) => [null,
  ["Mute …", "bell", () => mute(member)],
  (store.muted.has(member.from) || !member.role) && ["Unmute", "bell", () => tryTo({ type: "unmute", from: member.from })],
  store.me.role === "owner" && member.role && ["Change the role …", "settings", () => changeRole(member)],
  ["Send away …", "out", () => kick(member), true],
  ["Ban …", "close", () => ban(member), true],
];
