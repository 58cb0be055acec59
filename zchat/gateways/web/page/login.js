// Coming in: by a code in the fragment of a link (`#in=CODE`, which no log sees), or as a guest with a nick alone.

import { $, h } from "./dom.js";
import { moreStyles } from "./lazy.js";
import { kept } from "./kept.js";
import { confirm } from "./popups.js";

const headers = { "Content-Type": "application/json", "X-Zchat": "1" };

async function post(body) {
  const answer = await fetch("/in", { method: "POST", headers, body: JSON.stringify(body) });
  const told = await answer.json().catch(() => ({}));
  if (answer.ok) return;
  throw Object.assign(new Error(told.message ?? `The server answered ${answer.status}.`), { code: told.code });
}

/** Leave this browser's login, and nothing of it behind. */
export async function comeOut() {
  await kept.clear();
  await fetch("/out", { method: "POST", headers, body: "{}" });
  location.assign("/");
}

/**
 * Show how to come in, until it worked.
 * @param {{guests: boolean, code?: string|null, why?: string}} options
 * @returns {Promise<void>}
 */
export async function askIn({ guests, code = null, why = "" }) {
  await moreStyles();
  return new Promise((resolve) => {
    const box = $("#login");
    box.hidden = false;
    const done = () => ((box.hidden = true), box.replaceChildren(), resolve());
    const draw = (state) => {
      box.replaceChildren(form({ guests, done, draw, ...state }));
      $("input", box)?.focus();
    };
    draw({ code, why });
  });
}

/**
 * Anybody can send a link that would let one go on as somebody else, and write where they read: who is in is asked first.
 * @returns {Promise<boolean>}
 */
export async function changeLogin(nick) {
  await moreStyles();
  return confirm(nick ? `You are in as ${nick}` : "You are in already", "Come in anew, as whoever this link is for? If you did not ask for the link, do not.", "Come in anew");
}

/** A code may need no nick: one of one's own. Only the server knows. */
export async function tryCode(code) {
  try {
    await post({ code });
    return true;
  } catch (error) {
    if (NEEDS_NICK.has(error.code)) return false;
    throw error;
  }
}

const NEEDS_NICK = new Set(["nick_needed", "bad_nick", "nick_taken"]);

function form({ guests, code, why, done, draw }) {
  const said = h("p", { class: "login-error", role: "alert" }, why);
  const nick = h("input", { id: "nick", name: "nick", autocomplete: "nickname", required: true, maxlength: 32, dir: "auto", spellcheck: "false" });
  const link = h("input", { id: "code", name: "code", autocomplete: "off", required: true, spellcheck: "false", placeholder: "Link or code" });
  const button = h("button", { type: "submit", class: "primary" }, "Come in");
  const wantsNick = Boolean(code) || guests;
  const send = async (event) => {
    event.preventDefault();
    said.textContent = "";
    button.disabled = true;
    const used = code ?? codeIn(link.value);
    try {
      await post(body({ code: used, nick: nick.value.trim() }));
      done();
    } catch (error) {
      if (!wantsNick && NEEDS_NICK.has(error.code)) return draw({ code: used, why: "" });
      if (code && error.code === "bad_invite") return draw({ code: null, why: error.message });
      said.textContent = error instanceof TypeError ? "The server does not answer. Is it running?" : error.message;
      button.disabled = false;
    }
  };
  return h("form", { class: "login-card", onsubmit: send },
    h("h1", {}, "zchat"),
    h("p", { class: "muted" }, lead({ guests, code })),
    wantsNick && h("label", { for: "nick" }, "Your nick"),
    wantsNick && nick,
    !code && !guests && h("label", { for: "code" }, "Link or code"),
    !code && !guests && link,
    said,
    button,
    !code && h("p", { class: "small muted" }, !guests && "An invitation is such a link, too. ", "A link for a browser of yours: ", h("code", {}, "/web"), " at the prompt, or ", h("code", {}, "zchat web link"), "."));
}

function lead({ guests, code }) {
  if (code) return "You were invited. How shall the others see you?";
  if (guests) return "Guests are let in here: a nick is enough.";
  return "Members come in here by a link, which works once.";
}

/** The code of a link, or what was pasted as it stands. */
export function codeIn(text) {
  return /[#&]in=([^&\s]+)/.exec(text)?.[1] ?? text.trim().split("/").at(-1);
}

const body = ({ code, nick }) => Object.fromEntries(Object.entries({ code, nick }).filter(([, value]) => value));
