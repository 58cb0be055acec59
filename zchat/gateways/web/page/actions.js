// What can be done to a message: the small bar over it, its menu, and the clicks within it.

import { $, button, h, icon, iconButton } from "./dom.js";
import { lazy } from "./lazy.js";
import { ask, confirm, menu, toast } from "./popups.js";
import { format, go, parse } from "./routes.js";
import { act } from "./outbox.js";
import { emit, mine, operates, store, where } from "./state.js";
import { wire } from "./wire.js";

const MODERATES = new Set(["owner", "moderator"]);

export const moderates = () => MODERATES.has(store.me.role);

/** Oneself may delete what others said here. */
const tidies = (place) => place.room && (moderates() || operates(place));

const OFTEN = "👍"; // the reaction that is one click away
const pickEmoji = lazy("picker", "pickEmoji");

/** Ask the broker, and tell when it refuses. @returns {Promise<object|null>} */
export async function tryTo(command) {
  try {
    return await wire.ask(command);
  } catch (error) {
    toast(error.message);
    return null;
  }
}

function react(item, place, emoji) {
  const off = (item.reactions ?? []).some((one) => one.emoji === emoji && mine(one));
  act(place, item, { type: "react", emoji, ...(off && { off }) });
}

async function remove(item, place) {
  const words = mine(item) ? "It is taken back for everybody, for good. Answers to it stay." : `The message of ${item.nick} is deleted for everybody, for good.`;
  if (await confirm("Delete this message?", words, "Delete")) await act(place, item, { type: "delete" });
  $(`#timeline article[data-seq="${item.seq}"]`)?.focus();
}

export const copy = (text, told) => navigator.clipboard.writeText(text).then(() => toast(told), () => toast("The browser does not let this page copy."));

/** Copy the whole address of a place, or of a message in it. */
export const copyLink = (route) => copy(new URL(format(route), location.href).href, "The link is copied.");

/** Everything that the menu of a message offers to oneself. */
function entries(item, place, view) {
  return [
    ["Answer", "reply", () => view.answer(item)],
    !view.thread && [item.thread || item.answers ? "Open the thread" : "Answer in a thread", "thread", () => view.openThread(item)],
    mine(item) && ["Edit", "edit", () => view.edit(item)],
    [item.pinned ? "Unpin" : "Pin", "pin", () => act(place, item, { type: "pin", ...(item.pinned && { off: true }) })],
    null,
    ["Copy link", "link", () => copyLink({ key: place.key, seq: item.seq })],
    ["Copy text", "copy", () => copy(item.text ?? "", "The text is copied.")],
    !view.thread && ["Mark unread from here", "unread", () => tryTo({ type: "unread", ...where(place), seq: item.seq })],
    (mine(item) || tidies(place)) && null,
    (mine(item) || tidies(place)) && ["Delete", "trash", () => remove(item, place), true],
  ];
}

/**
 * Hang what can be done to messages on a timeline.
 * @param {import("./timeline.js").Timeline} timeline
 * @param {{thread: boolean, answer(item): void, edit(item): void, openThread(item): void, who(item, at): void, item(seq): object, place(): object}} view
 */
export function hang(timeline, view) {
  const bar = h("div.message-bar", { role: "toolbar", aria: { label: "Message" } });
  const { list, foot } = timeline;

  const tool = (mark, label, act) => iconButton(mark, label, null, { data: { act } });
  const show = (article) => {
    const item = article && view.item(Number(article.dataset.seq));
    if (!item || item.type !== "message" || bar.parentElement === article) return;
    bar.replaceChildren(button({ class: "icon-button", aria: { label: `React with ${OFTEN}` }, title: `React with ${OFTEN}`, data: { act: "react", emoji: OFTEN } }, OFTEN),
      tool("react", "React", "pick"), tool("reply", "Answer", "answer"),
      mine(item) ? tool("edit", "Edit", "edit") : tool("thread", "Thread", "thread"),
      tool("more", "More", "menu"));
    article.append(bar);
  };

  const hide = () => bar.matches(":hover, :focus-within") || bar.remove();

  const acts = {
    react: (item, at) => react(item, view.place(), at.dataset.emoji),
    pick: (item, at) => pickEmoji(at, (emoji) => react(item, view.place(), emoji)),
    answer: (item) => view.answer(item),
    edit: (item) => view.edit(item),
    thread: (item) => view.openThread(item),
    menu: (item, at) => menu(at, entries(item, view.place(), view)),
    who: (item, at) => view.who(item, at),
    image(_item, at, event) {
      if (!plain(event)) return;
      event.preventDefault();
      lazy("picture", "showPicture")(at);
    },
    "copy-code": (_item, at) => copyCode(at),
  };

  list.addEventListener("click", (event) => {
    const at = event.target.closest("[data-act]");
    const article = event.target.closest("article");
    const item = article && view.item(Number(article.dataset.seq));
    if (at && item) acts[at.dataset.act]?.(item, at, event);
    else if (event.target.closest("a[href]")) follow(event, event.target.closest("a[href]").href);
    else if (article && matchMedia("(hover: none)").matches && !String(getSelection())) bar.parentElement === article ? bar.remove() : show(article);
  });
  list.addEventListener("contextmenu", (event) => {
    const article = event.target.closest("article");
    const item = article && view.item(Number(article.dataset.seq));
    if (item?.type !== "message" || String(getSelection()) || event.target.closest("a, img, pre") || event.shiftKey) return;
    event.preventDefault();
    menu({ getBoundingClientRect: () => new DOMRect(event.clientX, event.clientY, 0, 0) }, entries(item, view.place(), view));
  });
  list.addEventListener("pointerover", (event) => event.pointerType === "mouse" && show(event.target.closest("article")));
  list.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && hide());
  list.addEventListener("focusin", (event) => show(event.target.closest("article")));
  list.addEventListener("keydown", (event) => key(event));
  foot.addEventListener("click", (event) => waitingAct(event));

  const KEYS = { r: "answer", t: "thread", e: "edit", "+": "pick", m: "menu" };
  function key(event) {
    const article = event.target.closest("article");
    const by = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    if (event.target !== article || event.ctrlKey || event.metaKey || event.altKey) return;
    const item = view.item(Number(article.dataset.seq));
    if (by) timeline.focusNext(by);
    else if (event.key === "Delete" && item && (mine(item) || tidies(view.place()))) remove(item, view.place());
    else if (KEYS[event.key] && item?.type === "message" && (event.key !== "e" || mine(item))) acts[KEYS[event.key]](item, article, event);
    else return;
    event.preventDefault();
  }
}

function waitingAct(event) {
  const act = event.target.closest("[data-act]")?.dataset.act;
  if (act) emit("waiting", act, event.target.closest("article").dataset.once);
}

const plain = (event) => !(event.metaKey || event.ctrlKey || event.shiftKey || event.button);

/** A link to a place of ours opens here; any other one does what links do. */
export function follow(event, address) {
  if (!plain(event)) return;
  const target = new URL(address, location.href);
  const route = target.origin === location.origin ? parse(target.pathname, target.search) : null;
  if (!route) return;
  event.preventDefault();
  go(route);
}

async function copyCode(at) {
  await copy($("pre", at.closest(".code")).textContent, "The code is copied.");
  at.replaceChildren(icon("check"), "Copied");
  setTimeout(() => at.replaceChildren(icon("copy"), "Copy"), 2000);
}

export const setTopic = async (place) => {
  const text = await ask(`Topic of ${place.name}`, { label: "What is it about?", value: place.topic, required: false });
  if (text !== null && text !== place.topic) await tryTo({ type: "topic", room: place.room, text });
};
