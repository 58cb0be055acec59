// An image of a message, as large as the window lets it be.

import { $, h } from "./dom.js";
import { dialog } from "./popups.js";

/** @param {HTMLElement} link the small image, within the link to the file */
export function showPicture(link) {
  const small = $("img", link);
  if (!small) return;
  const box = dialog(small.alt, [h("a", { href: link.href, download: small.alt }, h("img", { src: link.href, alt: small.alt })),
    h("p.small", h("a", { href: link.href, download: small.alt }, "Save"), " · ", h("a", { href: link.href, target: "_blank", rel: "noopener" }, "Open alone"))], { wide: true });
  box.classList.add("picture");
}
