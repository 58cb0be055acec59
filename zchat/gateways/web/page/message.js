// One message, as elements. What it says comes as markup that the server made and sanitised.

import { $, $$, button, h, html, icon, small, wrap } from "./dom.js";
import { format } from "./routes.js";
import { callsMe, mentioned, mine, store } from "./state.js";
import { dayOf, fullTime, hueOf, initial, many, onlyEmoji, sameDay, sizeOf, timeOf } from "./words.js";

const TOGETHER = 5 * 60_000; // ms within which messages of one author stand under one head
const IMAGES = new Set(["image/png", "image/jpeg", "image/gif", "image/webp", "image/avif"]);
const WIDEST = 420;
const HIGHEST = 300;

/** A message stands under the head of the one before it. */
const follows = (item, before) => item.type === "message" && before?.type === "message" && before.from === item.from && !item.reply_to &&
  item.kind !== "action" && before.kind !== "action" && sameDay(item.time, before.time) && new Date(item.time) - new Date(before.time) < TOGETHER;

/**
 * One row of a timeline: a day line and a line of new messages where they belong, and the message.
 * @param {import("./log.js").Item} item
 * @param {{before?: import("./log.js").Item, place: import("./state.js").Place, isNew: boolean, inThread: number, old?: HTMLElement, quote: (seq: number) => HTMLElement}} context
 */
export function row(item, context) {
  const { before, isNew } = context;
  const newDay = !before || !sameDay(before.time, item.time);
  const head = newDay || isNew || !follows(item, before);
  return h("div.row", { data: { seq: item.seq } },
    newDay && h("div.line.day", { role: "separator" }, h("span", h("time", { datetime: item.time }, dayOf(item.time)))),
    isNew && h("div.line.new", { role: "separator" }, h("span", "new")),
    (KINDS[item.type] ?? message)(item, { ...context, head }));
}

const KINDS = { topic, tombstone };

function topic(item, { place }) {
  return h("article.message.aside", { tabindex: -1, data: { seq: item.seq } }, h("div.gutter"), h("div.body",
    h("bdi.nick", item.nick), item.text ? " set the topic: " : " took the topic away", item.text && h("bdi", item.text), " ", time(item, place)));
}

function tombstone(item, { head, place }) {
  return frame(item, { head, place, kind: "gone" }, h("p.text.muted", item.by === item.from || !item.by ? "Message deleted" : "Message deleted by a moderator"));
}

function message(item, context) {
  const kind = [item.kind !== "message" && item.kind, mentioned(item) && "for-me", item.pinned && "pinned"].filter(Boolean).join(" ");
  const answers = !context.inThread && item.answers > 0;
  return frame(item, { ...context, kind }, 
    item.reply_to && item.reply_to !== context.inThread && context.quote(item),
    item.text && words(item),
    item.files?.length && files(item, context.old),
    (item.reactions?.length || answers) && h("div.under", reactions(item), answers && button({ class: "answers", data: { act: "thread" } },
      icon("thread"), many(item.answers, "answer"))));
}

function frame(item, { head, place, kind }, ...content) {
  return h("article", { class: `message ${head ? "head" : "tail"} ${kind ?? ""}`, tabindex: -1, data: { seq: item.seq } },
    h("div.gutter", head ? avatar(item) : time(item, place)),
    h("div.body",
      head ? h("header",
        button({ class: "nick", dir: "auto", tabindex: -1, data: { act: "who" } }, item.nick), badge(item, place), time(item, place), item.pinned && h("span.pin-mark", { title: "Pinned" }, icon("pin")))
        : h("span.hidden-text", item.nick),
      ...content));
}

function badge(item, place) {
  return place.members.get(item.from)?.bot ? h("span.tag", "bot") : null;
}

export function avatar({ from, nick }, size = "") {
  return h("span", { class: `avatar ${size}`, css: { "--hue": hueOf(from) }, aria: { hidden: "true" } }, initial(nick));
}

function time(item, place) {
  return h("a.time", { tabindex: -1, href: format({ key: place.key, seq: item.seq }), title: fullTime(item.time) },
    h("time", { datetime: item.time }, timeOf(item.time)));
}

function words(item) {
  const box = h("div", { class: onlyEmoji(item.text) ? "text big" : "text", dir: "auto" });
  if (item.html === undefined) box.textContent = item.text;
  else html(box, item.html);
  // One's own nick is marked also where the server saw no mention: it renders for all alike.
  if (mentioned(item)) wrap(box, new RegExp(callsMe(), "giu"), (nick) => h("span.mention", nick), "code, pre, .mention");
  for (const pre of $$("pre", box)) codeBlock(pre);
  for (const link of $$("a[href]", box)) showTarget(link);
  if (item.edited) ($(":scope > p:last-child", box) ?? box).append(" ", h("span.edited", { title: `Edited ${fullTime(item.edited)}` }, "(edited)"));
  return box;
}

function codeBlock(pre) {
  const language = /language-([\w+#-]+)/.exec($("code", pre)?.className ?? "")?.[1];
  pre.dir = "ltr";
  pre.tabIndex = 0;
  const short = !language && !pre.textContent.trim().includes("\n"); // then the button lies over the line
  const box = h("div.code", h("div", { class: short ? "code-bar over" : "code-bar" }, h("span", language ?? ""),
    button({ class: "copy", data: { act: "copy-code" } }, icon("copy"), "Copy")));
  pre.replaceWith(box);
  box.append(pre);
}

/** A link whose words are not its address tells its host behind it; each tells its whole address as its title. */
function showTarget(link) {
  link.title = link.href;
  const words = link.textContent.trim();
  const host = link.host.replace(/^www\./, "");
  if (link.origin === location.origin || !host || words.includes(host)) return;
  link.after(h("span.link-host", ` ${host}`));
}

function files(item, old) {
  const key = item.files.map((file) => file.file).join();
  const kept = old?.querySelector(".files");
  if (kept?.dataset.key === key) return kept; // so that no image is loaded again
  return h("div.files", { data: { key } }, item.files.map((file) => (IMAGES.has(file.type) ? image(item, file) : download(item, file))));
}

const addressOf = (item, file) => `/files/${item.seq}/${file.file}/${encodeURIComponent(file.name)}`;

/** The room of an image is kept from its width and height, before it is here; without them it gets a box of one size. */
function image(item, file) {
  const known = file.width > 0 && file.height > 0;
  const scale = known ? Math.min(1, WIDEST / file.width, HIGHEST / file.height) : 1;
  const [width, height] = known ? [file.width * scale, file.height * scale].map((side) => Math.max(24, Math.round(side))) : [280, 200];
  return h("a.image", { href: addressOf(item, file), target: "_blank", rel: "noopener", title: `${file.name} · ${sizeOf(file.size)}`, data: { act: "image" } },
    h("img", { src: addressOf(item, file), alt: file.name, width, height, loading: "lazy", decoding: "async", class: known ? "" : "unmeasured",
      onerror: (event) => event.target.replaceWith(h("span.lost.muted", { css: { width: `${width}px`, height: `${height}px` } }, `${file.name} is not there any more`)) }));
}

function download(item, file) {
  return h("a.file", { href: addressOf(item, file), download: file.name, rel: "noopener" },
    icon("file"), h("bdi.file-name", file.name), small(sizeOf(file.size)));
}

function reactions(item) {
  const groups = new Map();
  for (const one of item.reactions ?? []) groups.set(one.emoji, [...(groups.get(one.emoji) ?? []), one]);
  return [...groups].map(([emoji, all]) => {
    const own = all.some(mine);
    const who = all.map((one) => (mine(one) ? "you" : one.nick)).join(", ");
    return button({ class: "reaction", title: who, data: { act: "react", emoji }, aria: { pressed: own, label: `${emoji} ${all.length}: ${who}` } },
      h("span.emoji", emoji), h("span", String(all.length)));
  });
}

/** What a message says, in one line, without its marks. */
export function plain(item) {
  const words = item.html === undefined ? item.text : html(document.createElement("template"), item.html).content.textContent;
  return (words || item.files?.map((file) => file.name).join(", ") || "").replace(/\s+/g, " ").trim().slice(0, 200);
}

const ACTS = {
  edit: () => ["edit", "Edit"],
  delete: () => ["trash", "Delete"],
  react: ({ emoji, off }) => ["react", off ? `Take ${emoji} off` : `React with ${emoji}`],
  pin: ({ off }) => ["pin", off ? "Unpin" : "Pin"],
};

/** What was said, or done to a message, and is not stored yet. */
export function pending(entry) {
  const refused = entry.state === "refused";
  const { about, command } = entry;
  const [sign, label] = about ? ACTS[command.type](command) : [];
  return h("article", { class: `message head pending ${refused ? "refused" : ""}`, data: { once: entry.once } },
    h("div.gutter", sign ? icon(sign) : avatar(store.me)),
    h("div.body", h("header", h("span.nick", label ?? store.me.nick), small(refused ? entry.why : entry.state === "waiting" ? "waits for the connection" : "sending")),
      about && h("p.small.muted.about", h("bdi", about.nick), ": ", h("bdi", about.text)),
      entry.text && h("div.text.plain", { dir: "auto" }, entry.text),
      entry.files?.map((file) => h("p.small.muted", file.name)),
      (refused || entry.state === "waiting") && h("p.under", refused && button({ class: "quiet", data: { act: "again" } }, "Try again"), button({ class: "quiet", data: { act: "drop" } }, "Take back"))));
}
