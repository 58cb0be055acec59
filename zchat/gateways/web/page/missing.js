// Where an address leads that names no place one is in: into its room, to its person, or to a pane that tells why there is none.
// A room that nobody has made is not made by a mistake in its name.

import { $, button, buttons, h } from "./dom.js";
import { join, talk, turnTo } from "./here.js";
import { member } from "./members.js";
import { toast } from "./popups.js";
import { go } from "./routes.js";
import { wire } from "./wire.js";

const FIRST = "lobby"; // where everybody begins

/**
 * Come to a place: @returns {Promise<string>} its key; "": there is none, and a pane tells that. Rejects with Refused.
 * @param {string} key @param {() => boolean} still nobody has turned elsewhere
 */
export async function reach(key, still) {
  const [kind, name] = [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];
  const found = kind === "with" ? await person(name) : await room(name);
  if (!found && still()) show(name, ...(kind === "with" ? ["There is nobody at this address", "Perhaps it was a guest who has left."] : lacks(name)));
  return found;
}

async function person(from) {
  const here = await wire.ask({ type: "who" });
  const found = here.members.find((one) => one.from === from) ?? (await member(from).catch(() => null)); // which guests may not ask
  return found || here.more ? talk(from, found?.nick).key : "";
}

async function room(name) {
  const hidden = name.startsWith("+");
  const listed = hidden || name === FIRST ? null : await wire.ask({ type: "rooms" });
  if (listed && !listed.more && !listed.rooms.some((one) => one.room === name.toLocaleLowerCase())) return "";
  try {
    return (await join(name)).key;
  } catch (error) {
    if (error.code === "unknown_room") return "";
    throw error;
  }
}

function lacks(name) {
  if (name.startsWith("+")) return [`${name} is private`, "Ask somebody in it to invite you, or look among all rooms."];
  const make = () => join(name).then((one) => $("#missing").hidden || go({ key: one.key }), (error) => toast(error.message));
  return [`There is no room ${name}`, "Make it? Everybody sees it then.", button({ class: "primary", onclick: make }, `Make ${name}`)];
}

function show(name, title, words, make) {
  turnTo(null);
  $("#app").dataset.pane = "middle";
  $("#title").replaceChildren(h("h1", { dir: "auto" }, name));
  $("#head-tools").replaceChildren();
  for (const part of ["#people", "#thread"]) $(part).hidden = true;
  $("#missing").replaceChildren(h("h2", { dir: "auto" }, title), h("p.muted", words), buttons(make ?? "", button({ onclick: () => $("#rooms-button").click() }, "All rooms")));
  $("#missing").hidden = false;
  $("button", $("#missing")).focus();
}
