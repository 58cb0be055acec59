// What is not needed for the first sight of a room is loaded when it is asked for.

import { emit } from "./state.js";

/**
 * A function of a module which is loaded at the first call: `lazy("rooms", "showRooms")`.
 * @param {string} name of the module @param {string} what of its functions
 */
export const lazy = (name, what) => (...given) => import(`./${name}.js`).then((module) => module[what](...given), () => emit("notice", "There is no connection now."));
