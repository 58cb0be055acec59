// The keys, as one table: it is what they do, and what the help tells of them. Within a text only those with Ctrl, Alt or a name
// count, so that every letter can be written. What can be done to the message with the focus is in actions.js.

import { h } from "./dom.js";
import { lazy } from "./lazy.js";
import { close, dialog } from "./popups.js";
import { go } from "./routes.js";
import { markRead } from "./marks.js";
import { store } from "./state.js";

const MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const PANES = ["#side", "#timeline .scroller", "#composer textarea", "#thread textarea", "#people"];

/**
 * `key` as the browser calls it, with `Mod` (Ctrl, or ⌘ on a Mac), `Alt`, `Shift` before it; `text`: also while one writes.
 * What has no `do` is told in the help and done elsewhere.
 */
const KEYS = [
  ["Anywhere", [
    { key: "Mod+k", text: true, told: "Go to a room or a person", do: () => later("switcher") },
    { key: "Mod+Shift+f", text: true, told: "Search", do: () => later("search") },
    { key: "/", told: "Search", do: () => later("search") },
    { key: "Alt+ArrowUp", text: true, told: "The room above", do: () => step(-1) },
    { key: "Alt+ArrowDown", text: true, told: "The room below", do: () => step(1) },
    { key: "Alt+Shift+ArrowUp", text: true, told: "The room above with news", do: () => step(-1, news) },
    { key: "Alt+Shift+ArrowDown", text: true, told: "The room below with news", do: () => step(1, news) },
    { key: "Escape", told: "Mark as read, and go to the newest message", do: () => hooks.escape() },
    { key: "Shift+Escape", text: true, told: "Mark everything as read", do: readAll },
    { key: "F6", text: true, told: "Go to the next part of the page", do: () => pane(1) },
    { key: "Shift+F6", text: true, told: "… to the one before", do: () => pane(-1) },
    { key: "?", told: "Show the keys", do: help },
    { key: "Mod+/", text: true, told: "Show the keys", do: help },
  ]],
  ["Writing", [
    { key: "Enter", told: "Send" },
    { key: "Shift+Enter", told: "Begin a line" },
    { key: "ArrowUp", told: "In the empty line: edit your last message" },
    { key: "Tab", told: "Complete a @nick, #room or :emoji:" },
    { key: "Escape", told: "Leave the message that you edit as it was" },
  ]],
  ["On a message", [
    { key: "ArrowUp", told: "The one above" },
    { key: "ArrowDown", told: "The one below" },
    { key: "r", told: "Answer" },
    { key: "t", told: "Open the thread" },
    { key: "e", told: "Edit" },
    { key: "+", told: "React" },
    { key: "m", told: "All that can be done" },
    { key: "Delete", told: "Delete" },
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

const TABLE = new Map(KEYS[0][1].map((one) => [one.key, one]));

function pressed(event) {
  if (event.defaultPrevented || event.isComposing || event.keyCode === 229) return;
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  const found = TABLE.get(nameOf(event));
  if (found && (found.text || !typing)) {
    if (document.querySelector("dialog[open]") && !event.target.closest("#app")) return;
    event.preventDefault();
    found.do();
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
  const keys = [...document.querySelectorAll("#side-list [data-key]")].map((line) => line.dataset.key);
  const at = keys.indexOf(store.here?.key);
  for (let n = 1; n <= keys.length; n++) {
    const key = keys[(at + by * n + keys.length * 2) % keys.length];
    if (key !== store.here?.key && which(store.places.get(key))) return go({ key });
  }
  return undefined;
}

function readAll() {
  for (const one of store.places.values()) if (one.unread) markRead(one, Math.max(one.through, one.head ?? 0));
}

function pane(by) {
  const panes = PANES.map((where) => document.querySelector(where)).filter((one) => one?.offsetParent);
  const at = panes.findIndex((one) => one === document.activeElement || one.contains(document.activeElement));
  const next = panes[(at + by + panes.length) % panes.length];
  const within = next?.matches("textarea") ? next : (next?.querySelector("[aria-current], a[href], button, article:last-of-type") ?? next);
  (next?.matches(".scroller") ? ([...next.querySelectorAll("article[data-seq]")].at(-1) ?? next) : within)?.focus();
}

const SIGNS = { Mod: MAC ? "⌘" : "Ctrl", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Alt: MAC ? "⌥" : "Alt", Shift: MAC ? "⇧" : "Shift" };

function help() {
  close();
  const named = (all) => all.reduce((rows, one) => rows.set(one.told, [...(rows.get(one.told) ?? []), one.key]), new Map());
  const caps = (key, nth) => [nth > 0 && " or ", ...(key === "+" ? ["+"] : key.split("+")).flatMap((one, at) => [at ? " " : "", h("kbd", {}, SIGNS[one] ?? (one.length === 1 ? one.toUpperCase() : one))])];
  dialog("Keys", h("div", { class: "keys" }, KEYS.map(([title, all]) => h("section", {}, h("h3", {}, title),
    h("dl", {}, [...named(all)].map(([told, keys]) => h("div", {}, h("dt", {}, keys.map(caps)), h("dd", {}, told))))))), { wide: true });
}
