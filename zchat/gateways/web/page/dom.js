// Elements in few words. `html` is the one place where markup is parsed: what the server has sanitised, and nothing else.

const policy = globalThis.trustedTypes?.createPolicy("zchat-html", { createHTML: (text) => text });

/** Put markup that the server made and sanitised into an element. Never give it text of anybody else. */
export function html(element, sanitised) {
  element.innerHTML = policy ? policy.createHTML(sanitised) : sanitised;
  return element;
}

/**
 * Make an element: `h("button.quiet.danger", { onclick: f, aria: { label: "Close" } }, "text", child, null)`, or without properties
 * `h("p.muted", "text")`. Those that begin with `on` are listeners; `data`, `aria` and `css` are tables; `true` is an empty attribute;
 * null and false are left out.
 * @returns {HTMLElement}
 */
export function h(what, ...children) {
  const [tag, ...classes] = what.split(".");
  const element = document.createElement(tag);
  if (classes.length) element.className = classes.join(" ");
  const properties = children[0]?.constructor === Object ? children.shift() : {};
  for (const [name, value] of Object.entries(properties)) set(element, name, value);
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false));
  return element;
}

function set(element, name, value) {
  if (value == null || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "data") Object.assign(element.dataset, value);
  else if (name === "aria") for (const [key, one] of Object.entries(value)) element.setAttribute(`aria-${key}`, one);
  else if (name === "css") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
  else element.setAttribute(name, value === true ? "" : value);
}

const PATHS = {
  hash: "M7.5 3 6 17M14 3l-1.5 14M3.5 7.5h13.5M3 12.5h13.5",
  lock: "M5.5 9h9a1 1 0 0 1 1 1v6a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1v-6a1 1 0 0 1 1-1zM7 9V6.5a3 3 0 0 1 6 0V9",
  megaphone: "M4 8v4l2 .5V16h2v-3l7 3V4L6 7.5z",
  people: "M7.5 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2 16.5c0-3 2.5-4.5 5.5-4.5s5.5 1.5 5.5 4.5M13 4a3 3 0 0 1 0 5.5M15 12.5c2 .6 3 2 3 4",
  search: "M9 15A6 6 0 1 0 9 3a6 6 0 0 0 0 12zM13.5 13.5 17 17",
  more: "M4.5 10h.01M10 10h.01M15.5 10h.01",
  reply: "M8 5 3 10l5 5M3 10h8c4 0 6 2 6 6",
  react: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM7 12c1.5 2 4.5 2 6 0M7.5 8h.01M12.5 8h.01",
  edit: "M4 16l.8-3.5L13.5 4l2.5 2.5-8.5 8.7z",
  trash: "M4 6h12M8 6V4h4v2M5.5 6l.8 10.5h7.4L14.5 6M8.5 9v5M11.5 9v5",
  pin: "M12 3l5 5-3 1-3.5 3.5.5 2.5-1.5 1.5L4.5 11 6 9.5l2.5.5L12 6.5zM7 13l-4 4",
  thread: "M3.5 4.5h13v9H9L5.5 16.5v-3h-2zM6.5 7.5h7M6.5 10.5h4",
  link: "M8.5 11.5a3 3 0 0 0 4.3 0l2.7-2.7a3 3 0 0 0-4.3-4.3l-1 1M11.5 8.5a3 3 0 0 0-4.3 0l-2.7 2.7a3 3 0 0 0 4.3 4.3l1-1",
  copy: "M7 7h9v9H7zM13 7V4H4v9h3",
  close: "M5 5l10 10M15 5 5 15",
  back: "M12 4l-6 6 6 6",
  down: "M10 4v12M5 11l5 5 5-5",
  plus: "M10 4v12M4 10h12",
  send: "M3.5 10 17 3.5 13 17l-3-5.5z",
  attach: "M15.5 9.5l-5.8 5.8a3.5 3.5 0 0 1-5-5L11 4a2.3 2.3 0 0 1 3.3 3.3l-6 6a1.1 1.1 0 0 1-1.6-1.6L12 6.5",
  settings: "M3 6h8M15 6h2M3 14h2M9 14h8M13 8a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM7 16a2 2 0 1 0 0-4 2 2 0 0 0 0 4z",
  clock: "M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM10 6v4l3 2",
  at: "M13 10a3 3 0 1 1-6 0 3 3 0 0 1 6 0zm0 0v1.5c0 2.5 4 2.5 4-1.5a7 7 0 1 0-3 5.7",
  unread: "M10 17a7 7 0 1 0-7-7M3 13l0-3M10 10h.01",
  check: "M4 10.5 8 14.5 16 5.5",
  file: "M5 3h6l4 4v10H5zM11 3v4h4",
  bell: "M5 14V9a5 5 0 0 1 10 0v5l1 1H4zM8.5 17.5h3",
  out: "M8 4H4v12h4M8 10h9M14 7l3 3-3 3",
};

/** A small icon of our own, drawn in the colour of the text. It says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon", `icon-${name}`);
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** Where an element is on the screen. */
export const rect = (one) => one.getBoundingClientRect();

export const buttons = (...all) => h("div.buttons", ...all);

/** What is said beside something. */
export const small = (...words) => h("span.small.muted", ...words);

/** A line in which one types what is to be found. */
export const searchLine = (label, oninput) => h("input", { type: "search", placeholder: label, aria: { label }, autocomplete: "off", dir: "auto", spellcheck: "false", oninput });

/** A button that sends no form. */
export const button = (properties, ...children) => h("button", { type: "button", ...properties }, ...children);

/** A line of a list from which one chooses: a mark, a name, and what is said beside it. */
export const choice = (act, mark, name, told) => button({ class: "choice", onclick: act }, mark, h("span.choice-name", name), told && small(told));

/** A button that shows an icon only, with its name for those who cannot see it. */
export const iconButton = (name, label, onclick, properties = {}) => button({ class: "icon-button", title: label, aria: { label }, onclick, ...properties }, icon(name));

/** Put an element around each place in the texts of another one where a pattern is found. */
export function wrap(element, pattern, make, skip = null) {
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  const nodes = [];
  while (walker.nextNode()) if (!skip || !walker.currentNode.parentElement.closest(skip)) nodes.push(walker.currentNode);
  for (const node of nodes) {
    let from = 0;
    const parts = [];
    for (const { 0: word, index } of node.data.matchAll(pattern)) {
      parts.push(node.data.slice(from, index), make(word));
      from = index + word.length;
    }
    if (from) node.replaceWith(...parts, node.data.slice(from));
  }
  return element;
}

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
