// The choice of an emoji.

import { learn, search, usual } from "./emoji.js";
import { $, button, h, searchLine } from "./dom.js";
import { noConnection } from "./lazy.js";
import { close, popover, walk } from "./popups.js";

/** @param {HTMLElement} at @param {(emoji: string) => void} chosen */
export async function pickEmoji(at, chosen) {
  if (!(await learn().catch(noConnection))) return;
  const grid = h("div.emoji-grid.scrolls");
  const input = searchLine("Search emoji", () => draw());
  const draw = () => grid.replaceChildren(...(input.value.trim() ? search(input.value.trim().replaceAll(":", "")) : usual()).map(([emoji, name]) =>
    button({ title: `:${name.replaceAll(":", "")}:`, aria: { label: name }, onclick: () => (close(), chosen(emoji)) }, emoji)));
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") $("button", grid)?.click();
    if (event.key === "ArrowDown") $("button", grid)?.focus();
  });
  draw();
  popover(at, h("div.picker", { onkeydown: walk }, input, grid));
}
