// Lists of messages: what is pinned in a place, what called one, what is to be said later.

import { follow, tryTo } from "./actions.js";
import { button, h, small } from "./dom.js";
import { plain } from "./message.js";
import { close, dialog } from "./popups.js";
import { format } from "./routes.js";
import { placeOf, where } from "./state.js";
import { momentOf } from "./words.js";

const line = (item, key) => h("a.found", { href: format({ key, seq: item.seq }), onclick: (event) => (follow(event, format({ key, seq: item.seq })), event.defaultPrevented && close()) },
  small(`${item.nick} · ${momentOf(item.time)} · ${key.replace("room/", "#").replace(/^with\/.*/, "direct")}`), h("bdi", plain(item)));

/** Ask for a list and show it, unless one has begun to write meanwhile: a dialog would take the words. */
async function list(title, asked, entry, nothing) {
  const at = document.activeElement;
  const told = await tryTo(asked);
  const now = document.activeElement;
  if (!told || (now !== at && now.matches("input, textarea"))) return;
  const all = told.messages ?? told.events.toReversed();
  dialog(title, all.length ? all.map(entry) : h("p.muted", nothing));
}

export const showPins = (place) => list("Pinned messages", { type: "history", ...where(place), kinds: ["pin"], current: true, limit: 100 },
  (item) => line(item, place.key), "Nothing is pinned here. The menu of a message pins it.");

export const showMentions = () => list("What called you", { type: "mentions", limit: 50 }, (item) => line(item, placeOf(item)), "Nobody has called you yet.");

export const showScheduled = () => list("Scheduled", { type: "scheduled" }, (one) => h("div.found", small(`${momentOf(one.at)} · ${one.room ?? one.to}`), h("bdi", one.text),
  button({ class: "quiet", onclick: async (event) => (await tryTo({ type: "unschedule", scheduled: one.id })) && event.target.closest(".found").remove() }, "Take back")), "Nothing waits for its time.");
