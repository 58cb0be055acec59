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

export async function showPins(place) {
  const page = await tryTo({ type: "history", ...where(place), kinds: ["pin"], current: true, limit: 100 });
  if (page) dialog("Pinned messages", page.events.length ? page.events.toReversed().map((item) => line(item, place.key)) : h("p.muted", "Nothing is pinned here. The menu of a message pins it."));
}

export async function showMentions() {
  const found = await tryTo({ type: "mentions", limit: 50 });
  if (found) dialog("What called you", found.events.length ? found.events.toReversed().map((item) => line(item, placeOf(item))) : h("p.muted", "Nobody has called you by your nick yet."));
}

export async function showScheduled() {
  const told = await tryTo({ type: "scheduled" });
  if (!told) return;
  const entries = told.messages.map((one) => h("div.found", small(`${momentOf(one.at)} · ${one.room ?? one.to}`), h("bdi", one.text),
    button({ class: "quiet", onclick: async (event) => (await tryTo({ type: "unschedule", scheduled: one.id })) && event.target.closest(".found").remove() }, "Take back")));
  dialog("Scheduled", entries.length ? entries : h("p.muted", "Nothing waits for its time."));
}
