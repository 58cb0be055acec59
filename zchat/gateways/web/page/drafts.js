// What was begun and not said: a draft for each place, each thread and each message that is being edited. It is kept at every change,
// and is in the line again after a reload, a turn to another room, or a crash. An empty one is no draft.

import { kept } from "./kept.js";

/**
 * @typedef {object} Draft
 * @property {string} text
 * @property {number} [reply_to] the `seq` that is answered
 * @property {number} [edit] the `seq` of the message whose text is being changed
 * @property {object[]} [files] what was chosen to go with it, see files.js
 */
const NOTHING = { text: "" };
let prefix = "draft/";

/** Whose drafts they are from now on: a browser may be used by several. */
export const belongTo = (from) => void (prefix = `draft/${from}/`);

/** The name under which the draft of a place, or of a thread in it, is kept. */
export const nameOf = (place, thread = 0) => (thread ? `${place.key}?thread=${thread}` : place.key);

/** @returns {Draft} */
export const of = (name) => kept.get(prefix + name) ?? NOTHING;

/** Keep a draft. @param {string} name @param {Draft} draft @returns {Promise<void>} when it is with the system */
export function keep(name, { text, ...more }) {
  const rest = Object.fromEntries(Object.entries(more).filter(([, value]) => (Array.isArray(value) ? value.length : value)));
  const empty = !text && Object.keys(rest).length === 0;
  return kept.set(prefix + name, empty ? undefined : { text, ...rest });
}

/** Call `f(name, draft, before)` when another tab has changed a draft. */
export function onchange(f) {
  kept.onchange((key, value, before) => {
    if (key.startsWith(prefix)) f(key.slice(prefix.length), value ?? NOTHING, before ?? NOTHING);
  });
}
