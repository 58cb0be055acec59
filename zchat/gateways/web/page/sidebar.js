// The rooms and conversations at the left, with what is unread in them.

import { follow } from "./actions.js";
import { $, h, icon, iconButton, small } from "./dom.js";
import { avatar } from "./message.js";
import { format } from "./routes.js";
import { allPlaces, on, store } from "./state.js";
import { inOrder } from "./words.js";

export function start({ rooms, newTalk, settings }) {
  $("#side-tools").append(iconButton("plus", "Join or make a room", rooms, { id: "rooms-button" }));
  for (const what of ["places", "here", "topic"]) on(what, draw);
  on("me", () => drawMe(settings));
  on("people", (one) => one.with === undefined || draw());
  start.newTalk = newTalk;
  draw();
}

let waiting = 0;

function draw() {
  if (waiting) return;
  waiting = requestAnimationFrame(() => {
    waiting = 0;
    const places = allPlaces().filter((one) => one.joined || one === store.here);
    const rooms = places.filter((one) => one.room).sort((a, b) => inOrder(a.name, b.name));
    const talks = places.filter((one) => !one.room).sort((a, b) => (b.head ?? 0) - (a.head ?? 0));
    fill("Rooms", rooms);
    fill("Direct messages", talks);
    title(places);
  });
}

/** The lines are kept where they can be, so that the focus stays on the one that has it. */
function fill(label, places) {
  const id = `side-${label.split(" ")[0].toLowerCase()}`;
  let section = $(`#${id}`);
  if (!section) {
    section = h("section", { id, aria: { labelledby: `${id}-title` } }, h("h2", { id: `${id}-title` }, label), h("ul", { role: "list" }));
    $("#side-list").append(section);
  }
  const list = $("ul", section);
  const lines = new Map([...list.children].map((line) => [line.dataset.key, line]));
  const wanted = places.map((one) => update(lines.get(one.key) ?? make(one), one));
  for (const line of list.children) if (!wanted.includes(line)) line.remove();
  wanted.forEach((line, at) => list.children[at] !== line && list.insertBefore(line, list.children[at] ?? null));
  section.hidden = places.length === 0;
}

function make(one) {
  const link = h("a.place", { href: format({ key: one.key }), onclick: (event) => follow(event, link.href) },
    h("span.place-mark"), h("bdi.place-name"), h("span.badge"));
  return h("li", { data: { key: one.key } }, link);
}

export const markOf = (one) => (!one.room ? "at" : one.mode === "private" ? "lock" : one.mode === "announce" ? "megaphone" : "hash");

function update(line, one) {
  const link = $("a", line);
  const mark = markOf(one);
  if (line.dataset.mark !== mark + one.name) {
    line.dataset.mark = mark + one.name;
    $(".place-mark", line).replaceChildren(one.with ? avatar({ from: one.with, nick: one.name }, "tiny") : icon(mark));
  }
  const badge = $(".badge", line);
  $(".place-name", line).textContent = one.name;
  badge.textContent = one.unread ? (one.unread > 99 ? "99+" : one.unread) : "";
  badge.classList.toggle("strong", one.mentions > 0);
  badge.setAttribute("aria-label", one.unread ? `${one.unread} unread${one.mentions ? `, ${one.mentions} for you` : ""}` : "");
  link.classList.toggle("has-unread", one.unread > 0);
  const here = one === store.here;
  if (here && !link.ariaCurrent) queueMicrotask(() => link.scrollIntoView({ block: "nearest" })); // once it is in the list
  link.ariaCurrent = here ? "page" : null;
  return line;
}

/** How many messages call one, and whether there is anything new. */
export function news(places) {
  return [places.reduce((sum, one) => sum + one.mentions, 0), places.some((one) => one.unread)];
}

function title(places) {
  const [calls, unread] = news(places);
  document.title = `${calls ? `(${calls}) ` : unread ? "• " : ""}${store.here ? `${store.here.name} · ` : ""}zchat`;
}

function drawMe(settings) {
  const { nick, role } = store.me;
  $("#side-me").replaceChildren(avatar(store.me, "small"),
    h("span.me", h("bdi.me-nick", nick), small(role ?? "guest")),
    iconButton("settings", "Settings", settings, { id: "settings-button" }));
}
