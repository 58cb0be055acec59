// The choice of an emoji.

import { all, search } from "./emoji.js";
import { $, button, h, searchLine } from "./dom.js";
import { close, popover, walk } from "./popups.js";

/** @param {HTMLElement} at @param {(emoji: string) => void} chosen */
export function pickEmoji(at, chosen) {
  const grid = h("div", { class: "emoji-grid scrolls" });
  const input = searchLine("Search emoji", () => draw());
  const draw = () => grid.replaceChildren(...(input.value.trim() ? search(input.value.trim().replaceAll(":", "")) : all()).map(([emoji, name]) =>
    button({ title: `:${name.replaceAll(":", "")}:`, aria: { label: name }, onclick: () => (close(), chosen(emoji)) }, emoji)));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") $("button", grid)?.click();
    if (event.key === "ArrowDown") $("button", grid)?.focus();
  });
  draw();
  popover(at, h("div", { class: "picker", onkeydown: walk }, input, grid));
}
