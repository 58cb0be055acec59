// Menus, dialogs and passing notices: one of each at a time, which Esc closes, and which give the focus back.

import { $, $$, button, buttons, h, icon, iconButton, rect } from "./dom.js";

let closeOpen = null;

/** Close the menu or dialog that is open. @returns {boolean} whether there was one */
export function close() {
  if (!closeOpen) return false;
  closeOpen();
  return true;
}

function open(element, { backdrop, done }) {
  close();
  const before = document.activeElement;
  const overlay = $("#overlay");
  overlay.className = backdrop ? "dim" : "clear";
  overlay.replaceChildren(element);
  overlay.onpointerdown = (event) => event.target === overlay && close();
  closeOpen = () => {
    closeOpen = null;
    overlay.replaceChildren();
    overlay.className = "";
    done?.();
    if (before?.isConnected) before.focus({ preventScroll: true });
  };
}

addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !closeOpen) return;
  event.stopPropagation();
  close();
}, true);

/**
 * A menu beside a button.
 * @param {HTMLElement} at
 * @param {([label: string, icon: string, act: () => void, danger?: boolean]|null|false|undefined)[]} entries null is a line between two
 */
export function menu(at, entries) {
  const buttons = entries.filter((one) => one || one === null).map((one) => (one ? item(...one) : h("hr")));
  const box = h("div.menu", { role: "menu", onkeydown: walk }, buttons);
  open(box, { backdrop: false });
  beside(box, at);
  $("button", box)?.focus();
}

const item = (label, mark, act, danger) => button({ role: "menuitem", class: danger && "danger", onclick: () => (close(), act()) }, icon(mark), label);

/** Put a box beside a button, within the screen. */
export function beside(box, at) {
  const { left, right, top, bottom } = rect(at);
  const { offsetWidth: width, offsetHeight: height } = box;
  const x = left + width < innerWidth - 8 ? left : right - width;
  const y = bottom + height + 4 < innerHeight - 8 ? bottom + 4 : top - height - 4;
  box.style.left = `${Math.max(8, Math.min(x, innerWidth - width - 8))}px`;
  box.style.top = `${Math.max(8, Math.min(y, innerHeight - height - 8))}px`;
}

/** The arrow keys go through the buttons of a box. */
export function walk(event) {
  const by = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (!by || event.target.matches("input, textarea")) return;
  event.preventDefault();
  const all = $$("button, a[href]", event.currentTarget);
  all[(all.indexOf(document.activeElement) + by + all.length) % all.length]?.focus();
}

/** A box beside a button with anything in it. */
export function popover(at, box) {
  box.classList.add("menu");
  open(box, { backdrop: false });
  beside(box, at);
  $("input, button", box)?.focus();
}

/** A dialog with a title. */
export function dialog(title, content, { wide = false, done } = {}) {
  const box = h(wide ? "section.dialog.wide" : "section.dialog", { role: "dialog", aria: { modal: "true", label: title }, onkeydown: stay },
    h("header", h("h2", title), iconButton("close", "Close", close)), h("div.dialog-content.scrolls", content));
  open(box, { backdrop: true, done });
  ($("input:not([type=hidden]), textarea, select, .dialog-content button", box) ?? $("button", box)).focus();
  return box;
}

/** Tab stays within a dialog. */
function stay(event) {
  if (event.key !== "Tab") return;
  const all = $$("a[href], button, input, textarea, select", event.currentTarget).filter((one) => !one.disabled && one.offsetParent);
  const end = event.shiftKey ? all[0] : all.at(-1);
  if (document.activeElement !== end) return;
  event.preventDefault();
  (event.shiftKey ? all.at(-1) : all[0])?.focus();
}

/** Ask once. @returns {Promise<boolean>} */
export function confirm(title, words, yes) {
  return new Promise((resolve) => {
    let answer = false;
    const say = (value) => ((answer = value), close());
    dialog(title, [h("p", words), buttons(button({ class: "primary danger", onclick: () => say(true) }, yes), button({ onclick: () => say(false) }, "Cancel"))], { done: () => resolve(answer) });
  });
}

/**
 * Ask for lines of text, and do with them what they are for: what `act` throws is told, and the dialog stays.
 * @param {{label: string, value?: string, required?: boolean}[]} lines
 * @returns {Promise<string[]|null>} null: it was closed
 */
export function askFor(title, lines, { yes = "Save", hint = "", danger = false, act = () => {} }) {
  return new Promise((resolve) => {
    let answer = null;
    const why = h("p.login-error", { role: "alert" });
    const inputs = lines.map(({ value = "", required = true }, at) => h("input", { id: `asked-${at}`, dir: "auto", autocomplete: "off", required, value }));
    const send = async (event) => {
      event.preventDefault();
      const texts = inputs.map((input) => input.value.trim());
      try {
        await act(...texts);
      } catch (error) {
        why.textContent = error.message;
        return;
      }
      answer = texts;
      if (box.isConnected) close();
      else resolve(answer);
    };
    const box = dialog(title, h("form", { onsubmit: send }, lines.map(({ label }, at) => [h("label", { for: `asked-${at}` }, label), inputs[at]]), hint && h("p.small.muted", hint), why,
      buttons(h(danger ? "button.primary.danger" : "button.primary", yes), button({ onclick: close }, "Cancel"))), { done: () => resolve(answer) });
    inputs[0].select();
  });
}

/** Ask for a line of text. @returns {Promise<string|null>} null: it was closed */
export const ask = (title, { label, value, required, ...more }) => askFor(title, [{ label, value, required }], more).then((texts) => texts && texts[0]);

/** A passing notice. */
export function toast(words, action) {
  const box = h("div.toast", h("span", words), action && button({ class: "quiet", onclick: () => (box.remove(), action.do()) }, action.label));
  const { top } = rect($("#composer")); // where one types stays in sight
  $("#toasts").style.bottom = `${top ? innerHeight - top + 8 : 24}px`;
  $("#toasts").append(box);
  setTimeout(() => box.remove(), 7_000);
}
