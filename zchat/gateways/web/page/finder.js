// A dialog with a line to type in and a list to choose from: of rooms and people, or of what a search has found. The focus stays in the
// line; the arrows move through the list, and a screen reader is told of each entry (the pattern "combobox" of WAI-ARIA).

import { h, iconButton } from "./dom.js";

let opened = null;

/**
 * @param {object} what
 * @param {string} what.label @param {string} what.hint what stands in the empty line
 * @param {string} [what.text] what is in the line at first
 * @param {string} [what.name] a class for the dialog
 * @param {number} [what.wait] ms after the last key before it looks
 * @param {(text: string) => Promise<Entry[]>|Entry[]} what.find
 * @param {(entry: object) => HTMLElement} what.show
 * @param {(entry: object) => void} what.pick
 * @param {(text: string) => string} [what.nothing] what to tell if nothing is found
 * @param {HTMLElement[]} [what.more] further elements between line and list
 */
export function pick(what) {
  opened?.close();
  return new Finder(what);
}

class Finder {
  #entries = [];
  #at = 0;
  #asked = 0;
  #timer = 0;

  constructor(what) {
    this.what = what;
    this.line = h("input.finder-line", {
      type: "text", role: "combobox", placeholder: what.hint, autocomplete: "off", spellcheck: "false", autofocus: true,
      dir: "auto", aria: { label: what.label, controls: "finder-list", expanded: "true", autocomplete: "list" },
      oninput: () => this.#soon(), onkeydown: (event) => this.#key(event),
    });
    this.list = h("div.finder-list", { id: "finder-list", role: "listbox", aria: { label: what.label } });
    this.told = h("p.finder-told", { role: "status" });
    // On a phone the dialog is the whole screen, and there is no Esc: so it has a button there.
    this.dialog = h("dialog", { class: `finder ${what.name ?? ""}`, aria: { label: what.label }, onclose: () => this.#gone(), onclick: (event) => event.target === this.dialog && this.close() },
      h("header.finder-top", this.line, iconButton("close", "Close", () => this.close(), { class: "icon-button narrow-only" })), ...(what.more ?? []), this.told, this.list);
    this.line.value = what.text ?? "";
    opened = this;
    document.body.append(this.dialog);
    this.dialog.showModal();
    this.line.select();
    this.look();
  }

  close() {
    this.dialog.close();
  }

  /** Look again, with what is in the line. */
  async look() {
    const asked = ++this.#asked;
    clearTimeout(this.#timer);
    this.#timer = 0;
    let entries = [];
    let trouble = "";
    try {
      entries = await this.what.find(this.line.value);
    } catch (error) {
      trouble = error.message;
    }
    if (asked === this.#asked && this.dialog.open) this.#fill(entries, trouble);
  }

  #soon() {
    clearTimeout(this.#timer);
    if (!this.what.wait) this.look();
    else this.#timer = setTimeout(() => this.look(), this.what.wait);
  }

  #fill(entries, trouble) {
    this.#entries = entries;
    this.list.replaceChildren(...entries.map((entry, index) => this.#option(entry, index)));
    this.told.textContent = trouble || (entries.length ? "" : (this.what.nothing?.(this.line.value) ?? "Nothing is found."));
    this.list.scrollTop = 0;
    this.#mark(0);
  }

  #option(entry, index) {
    return h("div.finder-option", { role: "option", id: `pick-${index}`, aria: { selected: "false" }, onclick: (event) => this.#chosen(index, event), onmousemove: () => this.#mark(index, false) }, this.what.show(entry));
  }

  #mark(index, scroll = true) {
    this.list.children[this.#at]?.setAttribute("aria-selected", "false");
    this.#at = Math.max(0, Math.min(index, this.#entries.length - 1));
    const option = this.list.children[this.#at];
    option?.setAttribute("aria-selected", "true");
    if (option) this.line.setAttribute("aria-activedescendant", option.id);
    else this.line.removeAttribute("aria-activedescendant");
    if (scroll) option?.scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    if (event.isComposing) return;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 };
    if (event.key in steps) this.#mark(this.#at + steps[event.key]);
    else if (event.key === "Enter") this.#enter();
    else return;
    event.preventDefault();
  }

  async #enter() {
    if (this.#timer) await this.look(); // what is shown may be of an earlier line
    this.#chosen(this.#at);
  }

  #chosen(index, event) {
    const entry = this.#entries[index];
    if (!entry || event?.target.closest("a")) return;
    this.close();
    this.what.pick(entry);
  }

  #gone() {
    this.dialog.remove();
    if (opened === this) opened = null;
  }
}
