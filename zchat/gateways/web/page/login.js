// Coming in: by a code in the fragment of a link (`#in=CODE`, which no log sees), or as a guest with a nick alone.
//
// The door is a loop: send what there is to send, else ask for it. While the server or its broker is away it waits for them by itself,
// and then sends again what could not be sent, for a code counts only once it has brought somebody in.

import { $, button, h } from "./dom.js";
import { asked, whoami } from "./entrance.js";
import { moreStyles } from "./lazy.js";
import { confirm, toast } from "./popups.js";

const AGAIN = 2_000; // ms until who is away is asked again
const NEEDS_NICK = new Set(["nick_needed", "bad_nick", "nick_taken"]);
const AWAY = new Set(["unavailable", "rate_limited"]);

/**
 * Anybody can send a link that would let one go on as somebody else, and write where they read: who is in is asked first.
 * @returns {Promise<boolean>}
 */
export async function changeLogin(nick) {
  await moreStyles();
  return confirm(nick ? `You are in as ${nick}` : "You are in already", "Come in anew, as whoever this link is for? If you did not ask for the link, do not.", "Come in anew");
}

/**
 * Come in by the code that one has brought, or show how to, until it worked.
 * @typedef {object} Door
 * @property {boolean} [guests] whether they are let in @property {string|null} [code] of an invitation, to which a nick belongs
 * @property {string} [why] what went wrong @property {string} [away] why nobody can come in now @property {boolean} [stay] one is in already
 * @property {string} [nick] @property {string} [link] what was typed
 * @param {Door} door
 * @returns {Promise<void>}
 */
export async function askIn(door) {
  await moreStyles();
  const box = $("#login");
  const ask = new Asking(box, door);
  let sent = door.code ? { code: door.code } : null;
  door.code = null; // until it is known that it wants a nick
  for (;;) {
    while (sent && sent !== DONE && !door.away) sent = await tried(sent, door);
    if (sent === DONE) break;
    const next = await ask.next();
    if (next.back) Object.assign(door, { guests: next.back.guests, away: "" });
    if (next.leave || (next.back?.in && !door.stay)) break;
    sent = next.send ?? sent;
    if (next.send) door.away = "";
  }
  box.hidden = true;
  box.replaceChildren();
}

const DONE = {};

/** @returns {Promise<object|null>} what is to be sent again; DONE when one is in; null: the door tells what is wrong */
async function tried(sent, door) {
  try {
    await asked("/in", sent);
    return DONE;
  } catch (error) {
    const away = error instanceof TypeError ? "The server does not answer." : AWAY.has(error.code) && error.message;
    Object.assign(door, { away: away || "", why: "" });
    if (away) return sent;
    if (NEEDS_NICK.has(error.code) && sent.code && !sent.nick) {
      door.code = sent.code;
      return door.nick ? { code: sent.code, nick: door.nick } : null;
    }
    if (error.code === "bad_invite") {
      door.code = null;
      if (door.stay) return toast(error.message), DONE; // the link is of no use, and one is in
    }
    door.why = error.message;
    return null;
  }
}

/** The form, and beside it the waiting for who is away: whichever comes first. */
class Asking {
  constructor(box, door) {
    Object.assign(this, { box, door });
  }

  /** @returns {Promise<{send?: object, leave?: boolean, back?: object}>} */
  next() {
    this.box.hidden = false;
    return new Promise((resolve) => {
      const form = this.form(resolve);
      this.box.replaceChildren(form);
      $("input", form).focus();
      if (this.door.away) this.wait(form, resolve);
    });
  }

  async wait(form, resolve) {
    while (form.isConnected) {
      await new Promise((done) => setTimeout(done, AGAIN));
      const told = await whoami().catch((error) => ({ away: error.message }));
      if (!told.away) return resolve({ back: told });
    }
    return undefined;
  }

  form(resolve) {
    const { code, guests, why, away, stay } = this.door;
    const wantsNick = Boolean(code) || guests;
    const sends = (event) => {
      event.preventDefault();
      resolve({ send: code ? { code, nick: this.door.nick.trim() } : this.door.link ? { code: codeIn(this.door.link) } : { nick: this.door.nick.trim() } });
    };
    const nick = wantsNick && this.field("nick", "Your nick", { autocomplete: "nickname", maxlength: 32, dir: "auto", required: code || !this.door.link });
    const link = !code && this.field("link", guests ? "Or a link, if you were sent one" : "Link or code", { autocomplete: "off", required: !guests });
    if (nick && link) link[1].addEventListener("input", () => (nick[1].required = !link[1].value));
    return h("form.login-card", { onsubmit: sends }, h("h1", "zchat"), h("p.muted", lead(this.door)), nick, link,
      h("p.login-error", { role: "alert" }, away ? `${away} This page goes on by itself as soon as it can.` : why),
      h("button.primary", "Come in"),
      stay && button({ onclick: () => resolve({ leave: true }) }, "Stay as you are"),
      !code && h("p.small.muted", "An invitation is such a link, too. A link for a browser of yours: “Your devices” in the settings of a page that you are in, ", h("code", "/web"), " at the prompt, or ", h("code", "zchat web link"), "."));
  }

  /** What is typed stays when the form is drawn anew. */
  field(name, label, more) {
    const input = h("input", { id: name, name, spellcheck: "false", value: this.door[name], oninput: () => (this.door[name] = input.value), ...more });
    return [h("label", { for: name }, label), input];
  }
}

function lead({ guests, code }) {
  if (code) return "You were invited. How shall the others see you?";
  if (guests) return "Guests are let in here: a nick is enough.";
  return "Members come in here by a link, which works once.";
}

/** The code of a link, or what was pasted as it stands. */
function codeIn(text) {
  return /[#&]in=([^&\s]+)/.exec(text)?.[1] ?? text.trim().split("/").at(-1);
}
