// What was said and is not stored yet.

import { wire } from "./wire.js";
import { where } from "./state.js";

/**
 * Say something in a place. What cannot be sent now waits.
 * @param {import("./state.js").Place} place
 * @param {string} text
 * @param {{reply_to?: number, files?: object[], at?: string, kind?: string}} [more]
 */
export async function say(place, text, more = {}) {
  return wire.ask({ type: "say", ...where(place), text, once: crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`, ...more });
}

/**
 * What waits for a place, the earliest first; shown behind its messages. `state`: `waiting`, `sending` or `refused` (with `why`).
 * The timeline draws it anew on `emit("outbox", place)`, and leaves out an entry whose `seq` is in the log already.
 * @returns {{once: string, text: string, reply_to?: number, thread?: number, state: string, why?: string, seq?: number}[]}
 */
export function waiting(_place) {
  return [];
}

/** Try again what was refused, or take it back. */
export function again(_once) {}
export function drop(_once) {}
