// What is not needed for the first sight of a room is loaded when it is asked for.

import { h } from "./dom.js";
import { emit } from "./state.js";

let styles = null;

/** Load the styles of what lies over the page. @returns {Promise<void>} */
export function moreStyles() {
  styles ??= new Promise((done) => document.head.append(h("link", { rel: "stylesheet", href: "/assets/more.css", onload: done, onerror: done })));
  return styles;
}

export const noConnection = () => emit("notice", "There is no connection now.");

/**
 * A function of a module which is loaded at the first call: `lazy("rooms", "showRooms")`.
 * @param {string} name of the module @param {string} what of its functions
 */
export const lazy = (name, what) => (...given) => import(`./${name}.js`).then((module) => module[what](...given), noConnection);
