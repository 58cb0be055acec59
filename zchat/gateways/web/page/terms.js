// The words of a search, as the broker takes them, and where they are in what was found. No state, no page but the nodes it is given.

import { h, wrap } from "./dom.js";

const TERM = /(["“„«])(.+?)["”“»]|(\S+)/gu;
const UNSPACED = /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}]/u; // written without spaces: found within a sentence
const LETTER = "[\\p{L}\\p{N}_]";

/** A pattern for all words of a search, or null if it has none. @param {string} text */
export function pattern(text) {
  const words = [...text.matchAll(TERM)].map(([, , phrase, word]) => (phrase === undefined ? one(word) : bounded(spaced(phrase))));
  const found = words.filter(Boolean);
  return found.length ? new RegExp(found.join("|"), "giu") : null;
}

function one(word) {
  const begins = word.endsWith("*");
  const letters = word.replace(/^[^\p{L}\p{N}_]+|[^\p{L}\p{N}_]+$/gu, "");
  if (!letters) return "";
  if (UNSPACED.test(letters)) return escaped(letters);
  return begins ? `(?<!${LETTER})${escaped(letters)}${LETTER}*` : bounded(spaced(letters));
}

const escaped = (text) => text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
const spaced = (text) => text.split(/[^\p{L}\p{N}_]+/u).filter(Boolean).map(escaped).join("[^\\p{L}\\p{N}_]+");
const bounded = (inner) => inner && `(?<!${LETTER})${inner}(?!${LETTER})`;

/** Put `<mark>` around what the pattern finds in the texts of an element. */
export const highlight = (element, found) => (found ? wrap(element, found, (word) => h("mark", word)) : element);
