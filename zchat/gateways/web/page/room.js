// The middle: one place, with its head, its messages and where one writes. The thread beside it is built of the same parts.

import { copyLink, hang, moderates, setTopic } from "./actions.js";
import { Composer } from "./composer.js";
import { $, button, h, icon, iconButton } from "./dom.js";
import { part } from "./here.js";
import { later } from "./keys.js";
import { lazy } from "./lazy.js";
import * as outbox from "./outbox.js";
import { plain } from "./message.js";
import { menu, toast } from "./popups.js";
import { format, go } from "./routes.js";
import { markOf } from "./sidebar.js";
import { loadNewer, loadNewest, loadOlder, loadOne } from "./history.js";
import { markRead } from "./marks.js";
import { emit, mine, operates, store } from "./state.js";
import { Timeline } from "./timeline.js";
import { many } from "./words.js";

const who = lazy("people", "who");
const [showMembers, setMode, keepFor] = ["showMembers", "setMode", "keepFor"].map((what) => lazy("moderation", what));
const [showPins, showMentions, showScheduled] = ["showPins", "showMentions", "showScheduled"].map((what) => lazy("lists", what));

/** A timeline with a composer below it, for a place or for a thread. */
export class View {
  constructor({ timeline, composer, label, thread, changedEnd, escape }) {
    this.timeline = new Timeline(timeline, { label, changedEnd });
    this.composer = new Composer(composer, { editLast: () => this.editLast(), escape });
    this.thread = thread;
    this.quotes = new Map(); // seq -> what was said there
    hang(this.timeline, {
      thread,
      answer: (item) => this.composer.answer(item),
      edit: (item) => this.composer.edit(item),
      openThread: (item) => go({ key: store.here.key, thread: item.thread ?? item.seq }),
      who: (item, at) => who({ from: item.from, nick: item.nick, ...store.here.members.get(item.from) }, store.here, at),
      item: (seq) => this.log?.get(seq),
      place: () => store.here,
    });
  }

  get log() {
    return this.timeline.source?.log;
  }

  /** Edit the last message of one's own that is here. */
  editLast() {
    const last = this.log?.items.findLast((item) => mine(item) && item.type === "message" && item.text);
    if (last) this.composer.edit(last);
  }

  source(place, log, root, loads) {
    return { place, log, thread: root, ...loads, intro: () => intro(place, root), quote: (item) => this.quote(place, item),
      waiting: () => this.waiting(place, root) };
  }

  waiting = (place, root) => outbox.waiting(place).filter((one) => !root || [one.reply_to, one.thread].includes(root));

  /** The line of what a message answers. What is not here is fetched, and put into the line, which keeps its height. */
  quote(place, item) {
    const line = h("a.quote", { href: format({ key: place.key, seq: item.reply_to }) }, icon("reply"));
    const fill = (found) => line.append(h("bdi.quote-nick", found?.nick ?? ""), " ", h("span", { dir: "auto" }, quoted(found)));
    const known = this.log?.get(item.reply_to) ?? place.log.get(item.reply_to) ?? this.quotes.get(item.reply_to);
    if (known) fill(known);
    else loadOne(place, item.reply_to).then((found) => (this.quotes.set(item.reply_to, found ?? { type: "tombstone" }), fill(found)), () => {});
    return line;
  }
}

const quoted = (item) => (!item || item.type === "tombstone" ? "a message that was deleted" : plain(item));

function intro(place, root) {
  if (root) return h("div");
  const words = !place.room ? `What you and ${place.name} say to each other is seen by you two alone.`
    : place.mode === "private" ? "Only those who were let in see this room." : place.mode === "announce" ? "Moderators and operators speak here; all read." : "This is where the room begins.";
  return h("div.intro", h("span.intro-mark", icon(markOf(place))), h("h2", { dir: "auto" }, place.name), h("p.muted", words));
}

/** The head of a place. */
export function drawHead(place, { toggles }) {
  const topic = !place.room ? "" : place.topic || "Set a topic";
  $("#title").replaceChildren(icon(markOf(place)), h("h1", { dir: "auto" }, place.name),
    place.room && button({ class: place.topic ? "topic" : "topic unset", dir: "auto", title: place.topic || "Set a topic", onclick: () => setTopic(place) }, topic) || "");
  $("#head-tools").replaceChildren(iconButton("search", "Search (Ctrl-Shift-F)", () => later("search"), { id: "search-button" }), iconButton("pin", "Pinned messages", () => showPins(place)),
    !place.room ? "" : iconButton("people", `People: ${place.members.size}`, toggles.people, { id: "people-button" }),
    iconButton("more", "More", (event) => placeMenu(place, event.currentTarget), { id: "place-menu" }));
}

function placeMenu(place, at) {
  const tends = moderates() && place.room && place.mode !== "private"; // a moderator, of a room for all
  menu(at, [
    ["Mark as read", "check", () => markRead(place)],
    ["Pinned messages", "pin", () => showPins(place)],
    ["What called you", "at", showMentions],
    ["Send later …", "clock", () => emit("say-later")],
    ["Scheduled", "clock", showScheduled],
    ["Copy link", "link", () => copyLink({ key: place.key })],
    place.room && ["Set the topic", "edit", () => setTopic(place)],
    place.mode === "private" && operates(place) && ["Let somebody in …", "plus", () => showMembers(place)],
    (tends || operates(place)) && ["Keep what is said for …", "clock", () => keepFor(place)],
    tends && (place.mode === "announce" ? ["Let everybody speak", "hash", () => setMode(place, "public")]
      : ["Let moderators alone speak", "megaphone", () => setMode(place, "announce")]),
    place.room && null,
    place.room && ["Leave the room", "out", () => part(place).catch((error) => toast(error.message)), true],
  ]);
}

export const loadsOf = (place, timeline) => ({ loadOlder: () => loadOlder(place), loadNewer: () => loadNewer(place), loadNewest: () => loadNewest(place).then(() => timeline.show(timeline.source)) });

/** What others type, in words. */
export function typingWords(place) {
  const now = Date.now();
  const nicks = [...place.typing].filter(([, until]) => until > now).map(([nick]) => nick);
  if (!nicks.length) return "";
  return nicks.length > 3 ? `${many(nicks.length, "person", "people")} are typing` : `${new Intl.ListFormat().format(nicks)} ${nicks.length > 1 ? "are" : "is"} typing`;
}

