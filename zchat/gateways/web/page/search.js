// What was said, found by its words: here or everywhere, and a jump to where it was said. The words are the broker's: all of them have to
// be there, "a phrase" as it stands, begin* for all that begins so.

import { $$, h, html } from "./dom.js";
import { pick } from "./finder.js";
import { go } from "./routes.js";
import { placeOf, store } from "./state.js";
import { highlight, pattern } from "./terms.js";
import { wire } from "./wire.js";
import { dayOf, timeOf } from "./words.js";

const MOST = 50;
const WAIT = 200; // ms after the last key
const WIDELY = "everywhere";

let last = ""; // what was looked for is there again when one comes back from a jump
let scope = WIDELY;

export function open(text = last) {
  const look = pick({
    label: "Search", hint: "Search for words", text, name: "search", wait: WAIT, find, show, pick: jump, nothing,
    more: [choice(() => look.look())],
  });
}

function choice(changed) {
  const here = store.here?.room;
  if (here === undefined) return h("span");
  const one = (value, label) => {
    const box = h("input", { type: "radio", name: "scope", value, checked: scope === value, onchange: () => changed((scope = value)) });
    return h("label", box, label);
  };
  return h("fieldset.finder-scope", h("legend.hidden-text", "Where to search"), one(WIDELY, "Everywhere"), one("here", `In ${here}`));
}

async function find(text) {
  last = text.trim();
  if (!last) return [];
  const room = scope === "here" ? store.here?.room : undefined;
  const [, nick, words] = /^from:(\S+)\s+(.+)$/.exec(last) ?? [null, undefined, last];
  const { events } = await wire.ask({ type: "search", text: words, limit: MOST, ...(room ? { room } : {}), ...(nick ? { nick } : {}) });
  return events.reverse().map((event) => ({ event, found: pattern(words) }));
}

const nothing = (text) => (text.trim() ? "Nothing was said with all these words." : "“two words” is a phrase, begin* finds what begins so, from:nick finds what somebody said.");

function show({ event, found }) {
  const place = store.places.get(placeOf(event));
  const name = event.room ?? place?.name ?? event.to;
  const words = h("div.text.hit-text", { dir: "auto" });
  if (event.html === undefined) words.textContent = event.text ?? "";
  else html(words, event.html);
  for (const link of $$("a", words)) link.replaceWith(...link.childNodes); // nothing to click within what is clicked
  return h("div.hit",
    h("div.hit-head", h("bdi.hit-place", !event.room ? `@${name}` : name), h("bdi.nick", event.nick),
      h("time.muted", { datetime: event.time }, `${dayOf(event.time)}, ${timeOf(event.time)}`)),
    highlight(words, found));
}

/** An edit is found by its new text, and is where the message is. */
function jump({ event }) {
  go({ key: placeOf(event), seq: event.target ?? event.seq });
}
