// One's devices: a link that brings in another one, and how to leave with this browser. A member who leaves with the only one
// needs whoever runs the server to come in again, for otherwise a device lets in another one. All browsers of a member are one device here.

import { copy, tryTo } from "./actions.js";
import { button, buttons, h, small } from "./dom.js";
import { asked } from "./entrance.js";
import { kept } from "./kept.js";
import { member } from "./members.js";
import { close, confirm, dialog, toast } from "./popups.js";
import { store } from "./state.js";
import { momentOf } from "./words.js";

const HOUR = 3_600_000;

/** @returns {Promise<{credential: string, name?: string}[]|undefined>} undefined: nobody could tell */
async function devices() {
  return (await member(store.me.from).catch(() => null))?.devices;
}

/** Make a link by which another device comes in as oneself, and show it. */
async function addDevice() {
  const until = new Date(Date.now() + HOUR).toISOString();
  const made = await tryTo({ type: "invite", self: true, expires: until });
  if (!made) return;
  showLink("Another device of yours", `Open this link there, such as on your phone. It counts once, until ${momentOf(until)}. Whoever opens it is you: show it to nobody.`, made);
}

/** Show the links of an invitation. */
export function showLink(title, words, { url, link }) {
  const line = (id, label, value) => value && [h("label", { for: id }, label), h("input", { id, readonly: true, dir: "ltr", value, onfocus: (event) => event.target.select() })];
  dialog(title, [h("p.muted", words), line("for-browser", "For a browser", url), line("for-terminal", "For a terminal", link), buttons(button({ class: "primary", onclick: () => copy(url, "The link is copied.") }, "Copy the link"))]);
}

const onlyHere = () => asked("/out", { others: true }).then(() => toast("Only this browser is in now."), (error) => toast(error.message));

const add = () => button({ onclick: addDevice }, "Make a link for another device");

export async function showDevices() {
  const all = await devices();
  const remove = async ({ credential, name }) => {
    if (await confirm("Remove this device?", `${name ?? credential} cannot come in as ${store.me.nick} any more. If it is the one that carries this page, this browser is out, too.`, "Remove")) {
      await tryTo({ type: "credential", from: store.me.from, remove: credential });
      showDevices();
    }
  };
  dialog("Your devices", [all ? all.map((one) => h("div.choice-line", h("span.choice-name", h("bdi", one.name ?? "a device"), small(one.credential.slice(0, 16))),
    all.length > 1 && button({ class: "quiet danger", aria: { label: `Remove ${one.name ?? one.credential}` }, onclick: () => remove(one) }, "Remove"))) : h("p.muted", "Nobody can tell now which they are."), buttons(add(), button({ onclick: onlyHere }, "Log your other browsers out"))]);
}

/** Ask, and leave this browser's login, and nothing of it behind. */
export async function comeOut() {
  const { member, nick } = store.me;
  const all = member && (await devices());
  const last = all?.length === 1;
  const words = !member ? `You come back as a guest, if guests are let in; somebody else may be ${nick} then.`
    : last ? `This page is the only device of ${nick}. If no other browser of yours is in, only who runs this server can let you in again (zchat web link --for ${nick}). Make a link for another device first.` : `${nick} comes in again by a link from another device.`;
  dialog("Log this browser out?", [h("p", words), buttons(last && add(), button({ class: last ? "danger" : "primary danger", onclick: leave }, "Log out"), button({ onclick: close }, "Cancel"))]);
}

async function leave() {
  await kept.clear();
  await asked("/out", {}).catch(() => {});
  location.assign("/");
}
