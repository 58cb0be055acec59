// The keys, as one table: it is what they do, and what the help tells of them. Within a text only those with Ctrl, Alt or a name
// count, so that every letter can be written. What can be done to the message with the focus is in actions.js.

import { $, $$, h } from "./dom.js";
import { lazy } from "./lazy.js";
import { close, dialog } from "./popups.js";
import { go } from "./routes.js";
import { markRead } from "./marks.js";
import { allPlaces, store } from "./state.js";

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const PANES = ["#side", "#timeline .scroller", "#composer textarea", "#thread textarea", "#people"];

/**
 * Of each its name, as the browser has it, with `Mod` (Ctrl, or ⌘ on a Mac), `Alt`, `Shift` before it; what it does, in words; the function
 * for it, unless it is done elsewhere; and whether it counts only where nobody writes.
 */
const KEYS = [
  ["Anywhere", [
    ["Mod+k", "Go to a room or a person", () => later("switcher")],
    ["Mod+Shift+f", "Search", () => later("search")],
    ["/", "Search", () => later("search"), true],
    ["Alt+ArrowUp", "The room above", () => step(-1)],
    ["Alt+ArrowDown", "The room below", () => step(1)],
    ["Alt+Shift+ArrowUp", "The room above with news", () => step(-1, news)],
    ["Alt+Shift+ArrowDown", "The room below with news", () => step(1, news)],
    ["Escape", "Mark as read, and go to the newest message", () => hooks.escape(), true],
    ["Shift+Escape", "Mark everything as read", readAll],
    ["F6", "Go to the next part of the page", () => pane(1)],
    ["Shift+F6", "… to the one before", () => pane(-1)],
    ["?", "Show the keys", help, true],
    ["Mod+/", "Show the keys", help],
  ]],
  ["Writing", [
    ["Enter", "Send"],
    ["Shift+Enter", "Begin a line"],
    ["ArrowUp", "In the empty line: edit your last message"],
    ["Tab", "Complete a @nick, #room or :emoji:"],
    ["Escape", "Leave the message that you edit as it was"],
  ]],
  ["On a message", [
    ["ArrowUp", "The one above"],
    ["ArrowDown", "The one below"],
    ["r", "Answer"],
    ["t", "Open the thread"],
    ["e", "Edit"],
    ["+", "React"],
    ["m", "All that can be done"],
    ["Delete", "Delete"],
  ]],
];

/** What is not needed at once is loaded when it is. */
export const later = (name) => lazy(name, "open")();

let hooks = { escape() {}, write() {} };

/** @param {{escape: () => void, write: () => void}} given `escape` marks as read; `write` goes to where one writes */
export function start(given) {
  hooks = given;
  addEventListener("keydown", pressed);
}

const TABLE = new Map(KEYS[0][1].map(([key, , act, idle]) => [key, { act, idle }]));

function pressed(event) {
  if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  const found = TABLE.get(nameOf(event));
  if (found && !(found.idle && typing)) {
    if ($("dialog[open]") && !event.target.closest("#app")) return;
    event.preventDefault();
    found.act();
  } else if (!typing && event.target === document.body && event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey) {
    hooks.write(); // who begins to write, writes to the room
  }
}

/** How the table calls a key: `?` needs Shift on one keyboard and not on another, so Shift counts with names and with Mod only. */
function nameOf(event) {
  const mod = MAC ? event.metaKey : event.ctrlKey;
  const key = event.key.length === 1 && mod ? event.key.toLowerCase() : event.key;
  const shift = event.shiftKey && (key.length > 1 || (mod && /\p{L}/u.test(key)));
  return [mod && "Mod", event.altKey && "Alt", shift && "Shift", key].filter(Boolean).join("+");
}

const news = (one) => one.unread > 0;

/** To the next place as the list at the left has them. */
function step(by, which = () => true) {
  const keys = $$("#side-list [data-key]").map((line) => line.dataset.key);
  const at = keys.indexOf(store.here?.key);
  for (let n = 1; n <= keys.length; n++) {
    const key = keys[(at + by * n + keys.length * 2) % keys.length];
    if (key !== store.here?.key && which(store.places.get(key))) return go({ key });
  }
  return undefined;
}

function readAll() {
  for (const one of allPlaces()) if (one.unread) markRead(one, Math.max(one.through, one.head ?? 0));
}

function pane(by) {
  const panes = PANES.map((where) => $(where)).filter((one) => one?.offsetParent);
  const at = panes.findIndex((one) => one === document.activeElement || one.contains(document.activeElement));
  const next = panes[(at + by + panes.length) % panes.length];
  const within = next?.matches("textarea") ? next : (next?.querySelector("[aria-current], a[href], button, article:last-of-type") ?? next);
  (next?.matches(".scroller") ? ($$("article[data-seq]", next).at(-1) ?? next) : within)?.focus();
}

const SIGNS = { Mod: MAC ? "⌘" : "Ctrl", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Alt: MAC ? "⌥" : "Alt", Shift: MAC ? "⇧" : "Shift" };

function help() {
  close();
  const named = (all) => all.reduce((rows, [key, told]) => rows.set(told, [...(rows.get(told) ?? []), key]), new Map());
  const caps = (key, nth) => [nth > 0 && " or ", ...(key === "+" ? ["+"] : key.split("+")).flatMap((one, at) => [at ? " " : "", h("kbd", SIGNS[one] ?? (one.length === 1 ? one.toUpperCase() : one))])];
  dialog("Keys", h("div.keys", KEYS.map(([title, all]) => h("section", h("h3", title),
    h("dl", [...named(all)].map(([told, keys]) => h("div", h("dt", keys.map(caps)), h("dd", told))))))), { wide: true });
}
