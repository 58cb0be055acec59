// Completion while one writes: `@` nicks, `#` rooms, `:` emoji. Up and Down choose, Tab or Enter takes, Esc drops.

import { h } from "./dom.js";
import { allPlaces } from "./state.js";

const MOST = 8;

let emojiNamed = () => {
  import("./emoji.js").then((module) => module.learn().then(() => (emojiNamed = module.search))).catch(() => {}); // a large table: here with the next letter
  return [];
};

const starts = (name, word) => name.toLocaleLowerCase().startsWith(word.toLocaleLowerCase());

const FINDERS = {
  "@": (word, place) => [...new Set([...place.members.values(), ...allPlaces().filter((one) => one.with).map((one) => ({ nick: one.name }))].map((one) => one.nick))]
    .filter((nick) => starts(nick, word)).sort((a, b) => a.localeCompare(b)).map((nick) => ({ show: nick, put: `@${nick} ` })),
  "#": (word) => allPlaces().filter((one) => one.room && starts(one.name, word)).map((one) => ({ show: `#${one.name}`, put: `#${one.name} ` })),
  ":": (word) => (word.length < 2 ? [] : emojiNamed(word).map(([emoji, name]) => ({ show: `${emoji}  ${name}`, put: `${emoji} ` }))),
};

/** The word before the caret that can be completed. */
export function wordBefore(text, caret) {
  const found = /(^|[\s(])([@#:])([^\s@#:]*)$/u.exec(text.slice(0, caret));
  return found && { mark: found[2], word: found[3], from: caret - found[3].length - 1 };
}

/** Hang completion on a composer. */
export function complete(composer) {
  const { text, suggestions } = composer;
  let found = [];
  let chosen = 0;
  let from = 0;

  const close = () => {
    found = [];
    suggestions.hidden = true;
    text.removeAttribute("aria-activedescendant");
  };

  const draw = () => {
    suggestions.hidden = found.length === 0;
    suggestions.replaceChildren(...found.map((one, at) => h("li", { id: `suggestion-${at}`, role: "option", aria: { selected: at === chosen },
      onmousedown: (event) => (event.preventDefault(), take(at)) }, h("bdi", one.show))));
    if (found.length) text.setAttribute("aria-activedescendant", `suggestion-${chosen}`);
  };

  const take = (at) => {
    text.setRangeText(found[at].put, from, text.selectionStart, "end");
    close();
    text.dispatchEvent(new Event("input"));
  };

  const update = () => {
    const before = wordBefore(text.value, text.selectionStart);
    found = before && composer.place ? FINDERS[before.mark](before.word, composer.place).slice(0, MOST) : [];
    [chosen, from] = [0, before?.from ?? 0];
    if (found.length) draw();
    else close();
  };

  const KEYS = {
    ArrowDown: () => ((chosen = (chosen + 1) % found.length), draw()),
    ArrowUp: () => ((chosen = (chosen + found.length - 1) % found.length), draw()),
    Tab: () => take(chosen),
    Enter: () => take(chosen),
    Escape: close,
  };

  text.addEventListener("blur", close);
  return {
    update,
    /** @returns {boolean} whether the key was meant for the suggestions */
    key(event) {
      if (!found.length || !KEYS[event.key] || event.shiftKey) return false;
      event.preventDefault();
      event.stopPropagation();
      KEYS[event.key]();
      return true;
    },
  };
}
