// The page: it comes in, opens the wire, and shows the place that the address names.

import { $, icon } from "./dom.js";
import { takeCode, whoami } from "./entrance.js";
import * as drafts from "./drafts.js";
import { attentive, lookAt, turnTo } from "./here.js";
import { kept } from "./kept.js";
import * as keys from "./keys.js";
import { lazy, moreStyles } from "./lazy.js";
import * as notify from "./notify.js";
import * as outbox from "./outbox.js";
import { close as closePopup, toast } from "./popups.js";
import { drawHead, loadsOf, typingWords, View } from "./room.js";
import * as routes from "./routes.js";
import { register } from "./push.js";
import { applyTheme } from "./theme.js";
import * as sidebar from "./sidebar.js";
import { loadAround, loadNewest } from "./history.js";
import { markRead } from "./marks.js";
import { allPlaces, emit, mine, on, place, store } from "./state.js";
import * as thread from "./thread.js";
import { wire } from "./wire.js";

const UNREAD_MANY = 50; // more than these, and the messages around the first unread one are loaded in place of the newest

let view = null;
const reach = lazy("missing", "reach");
const askIn = lazy("login", "askIn");
const drawPeople = lazy("people", "drawPeople");

async function begin() {
  applyTheme();
  await comeIn();
  await kept.open();
  $("#app").hidden = false;
  build();
  wire.start();
}

async function comeIn() {
  const code = takeCode();
  const { guests, in: inside, nick, away, gone } = await whoami().catch(unreachable);
  // Without a server the page comes out of the cache: it waits for the connection, as it does after a lost one.
  if (gone && !code) return;
  if (inside && !(code && (await lazy("login", "changeLogin")(nick)))) return;
  await askIn({ guests, code, away, stay: inside });
}

const unreachable = (error) => ({ away: error instanceof TypeError ? "The server does not answer." : error.message, gone: error instanceof TypeError });

function build() {
  $("#to-list").append(icon("back"));
  $("#to-list").addEventListener("click", () => routes.goHome());
  view = new View({ timeline: $("#timeline"), composer: $("#composer"), label: "Messages", thread: false, changedEnd: seen, escape: readAll });
  lookAt(view.timeline);
  sidebar.start({ rooms: lazy("rooms", "showRooms"), settings: lazy("settings", "showSettings") });
  thread.start();
  $("#app").dataset.people = localStorage.getItem("people") ?? "shown";
  routes.onRoute((route) => (closePopup(), follow(route)));
  listen();
  keys.start({ escape: readAll, write: () => view.composer.text.focus() });
  notify.start(register());
}

function listen() {
  on("me", whoOneIs);
  drafts.onchange((name, _draft, before) => [view, thread.threadView()].forEach((one) => one.composer.follow(name, before)));
  on("ready", firstSight);
  on("state", drawState);
  on("out", comeBack);
  wire.on("closed", ({ opened }) => opened || stillIn());
  on("here", drawHere);
  on("topic", (one) => one === store.here && drawHere());
  on("people", (one) => one === store.here && drawSoon());
  wire.on("hello", goOn);
  on("log", changed);
  on("reset", (one) => one === store.here && view.timeline.source?.log === one.log && view.timeline.reset());
  on("redraw", (one) => one === store.here && view.timeline.source?.log === one.log && view.timeline.redraw());
  on("outbox", (one) => one === store.here && (view.timeline.drawWaiting(), thread.threadView().timeline.drawWaiting()));
  on("waiting", waitingAct);
  on("typing", (one) => one === store.here && view.composer.showTyping(typingWords(one)));
  on("gone", () => (turnTo(null), routes.go(firstPlace(), { replace: true })));
  on("say-later", () => lazy("later", "sayLater")(view.composer));
  on("notice", (words, action) => toast(words, action?.do && action));
  on("message", speak);
  on("pick-emoji", lazy("picker", "pickEmoji"));
  view.timeline.jump.addEventListener("click", () => view.composer.text.focus());
  addEventListener("focus", () => store.here && seen());
  document.addEventListener("visibilitychange", () => {
    wire.tell({ type: "visible", visible: document.visibilityState === "visible" });
    seen();
  });
}

async function firstSight() {
  await follow(routes.current());
  performance.mark("sight");
  await moreStyles();
  for (const name of ["switcher", "search"]) import(`./${name}.js`).catch(() => {}); // what one types behind their keys is theirs
}

function whoOneIs() {
  drafts.belongTo(store.me.from);
  outbox.start();
}

/** What waits, or was refused, is tried again; or taken back into the line, as it was. */
function waitingAct(act, once) {
  const back = outbox[act](once);
  if (act !== "drop" || !back?.text) return;
  const { composer } = back.thread && back.thread === store.thread ? thread.threadView() : view;
  if (back.about) composer.edit({ ...back.about, thread: back.thread }, back.text);
  else composer.give(back);
}

// Where one is

const firstPlace = () => {
  const all = allPlaces().filter((one) => one.joined);
  const last = all.find((one) => one.key === localStorage.getItem("place"));
  return { key: (last ?? all.find((one) => one.mentions) ?? all[0])?.key ?? "room/lobby" };
};

let turns = 0;
let opening = 0; // places that are being loaded

const isPhone = () => matchMedia("(max-width: 640px)").matches;

async function follow(route) {
  if (!route && isPhone()) return pane("list");
  if (!route) return routes.go(firstPlace(), { replace: true });
  const turn = ++turns;
  if (store.state === "online" && !store.places.get(route.key)?.joined) {
    const key = await arrive(route.key, () => turn === turns);
    if (turn !== turns || !key) return undefined;
    if (key !== route.key) return routes.go({ ...route, key }, { replace: true });
  }
  $("#missing").hidden = true;
  const one = place(route.key);
  const moved = store.here !== one;
  pane(route.thread ? "thread" : "middle");
  store.thread = route.thread ?? 0;
  localStorage.setItem("place", one.key);
  if (moved) turnTo(one);
  view.composer.show(one);
  opening += 1;
  thread.show(one, store.thread).catch(refused);
  await open(one, route, moved, () => turn === turns).catch(refused);
  opening -= 1;
  return undefined;
}

/** Come to a place that one is not in. @returns {Promise<string|undefined>} its key; nothing, if there is none */
async function arrive(key, still) {
  opening += 1;
  if (!store.here) pane("middle");
  return reach(key, still).catch(refused).finally(() => (opening -= 1));
}

/** The connection is back: what could not be loaded is loaded now. */
function goOn() {
  const route = routes.current();
  if (opening || (!store.here && !route)) return;
  if (route && route.key !== store.here?.key) follow(route);
  else if (!store.here.log.loaded || !view.timeline.source || (store.thread && !thread.threadView().timeline.source)) follow(routes.current());
  else view.timeline.changed([]);
}

function refused(error) {
  if (error.code === undefined) throw error;
  if (error.code !== "offline") toast(error.message);
}

/** Esc where one writes: all is read here, and the newest is shown. */
function readAll() {
  const one = store.here;
  if (!one) return;
  markRead(one);
  one.newFrom = undefined;
  view.timeline.redraw();
  view.timeline.toEnd();
}

/** The login is gone: come in again. */
async function comeBack(why) {
  $("#app").hidden = true;
  const { guests, away } = await whoami().catch(unreachable);
  await askIn({ guests, away, why: why ?? "This browser's login is gone." });
  location.reload();
}

/** The socket could not be opened: either the server is not there, or this browser is not let in any more. */
async function stillIn() {
  const told = await whoami().catch(() => null);
  if (told && !told.in) emit("out", "This browser's login is gone.", wire.stop());
}

async function open(one, { seq }, moved, still) {
  const timeline = view.timeline;
  if (moved) timeline.blank(() => view.waiting(one, 0));
  if (moved && !seq && matchMedia("(hover: hover)").matches && !store.thread) view.composer.text.focus(); // before one may type elsewhere
  if (seq && one.log.index(seq) < 0) {
    const found = await loadAround(one, seq);
    if (!still()) return;
    if (!found) toast("There is no such message here, or it was deleted.");
  } else if (!one.log.loaded && one.unread > UNREAD_MANY) await loadAround(one, one.read);
  else if (!one.log.loaded || (!seq && moved && one.log.newer)) await loadNewest(one);
  if (!still()) return;
  if (moved || timeline.source?.log !== one.log || (seq && !timeline.rowOf(seq))) timeline.show(view.source(one, one.log, 0, loadsOf(one, timeline)), seq);
  if (seq) timeline.light(seq);
  seen();
}

function pane(name) {
  $("#app").dataset.pane = name;
}

function drawHere() {
  const one = store.here;
  if (!one) return;
  drawHead(one, { toggles: { people: togglePeople } });
  drawPanel();
  view.composer.showTyping(typingWords(one));
}

let soon = 0;

/** Many come and go at once: they are drawn once. */
function drawSoon() {
  cancelAnimationFrame(soon);
  soon = requestAnimationFrame(drawHere);
}

function drawPanel() {
  const one = store.here;
  const root = $("#people");
  root.hidden = !one.room;
  if (!root.hidden) drawPeople(root, one, { close: togglePeople });
}

function togglePeople() {
  const app = $("#app");
  if (matchMedia("(max-width: 1000px)").matches) return pane(app.dataset.pane === "people" ? "middle" : "people");
  app.dataset.people = app.dataset.people === "shown" ? "hidden" : "shown";
  return localStorage.setItem("people", app.dataset.people);
}

// What happens there

const waiting = new Map(); // place -> seqs: what came in one frame is drawn at once

function changed(one, { seqs }) {
  if (one !== store.here || !seqs.length) return;
  if (!waiting.size) queueMicrotask(draw);
  waiting.set(one, [...(waiting.get(one) ?? []), ...seqs]);
}

function draw() {
  const seqs = waiting.get(store.here);
  waiting.clear();
  if (seqs && view.timeline.source?.place === store.here) view.timeline.changed(seqs);
}

/** Somebody looks at the messages: those through the last one in sight are read. */
function seen() {
  const one = store.here;
  if (!one || !view.timeline.source || view.timeline.source.place !== one || document.visibilityState !== "visible" || !document.hasFocus()) return;
  if (one.unmarked) return;
  if (attentive(one)) markRead(one);
  else if (one.unread) markRead(one, Math.max(one.read, view.timeline.lastSeen));
}

/** What comes in where one is, is told to screen readers, once and in turn. */
function speak(one, event) {
  if (one !== store.here || mine(event)) return;
  $("#spoken").textContent = `${event.nick}: ${event.text || "a file"}`;
}

// The connection

let told = 0;

const TOLD = {
  offline: () => "Connecting. What you say waits until the connection is back.",
  waiting: () => `${store.why ? `The broker is away: ${store.why.replace(/\.$/, "")}` : "The server is connecting to the broker"}. What you say waits.`,
  online: () => (store.stalled ? `Nothing can be stored now, so what you say waits: ${store.stalled}` : ""),
};

/** A connection that is back in a moment is not worth a word. */
function drawState() {
  const banner = $("#banner");
  clearTimeout(told);
  const words = TOLD[store.state]();
  if (!words) return void (banner.hidden = true);
  told = setTimeout(() => {
    banner.textContent = words;
    banner.hidden = false;
  }, banner.hidden ? 800 : 0);
  return undefined;
}

// A link that is put into the address of an open page is followed, too.
addEventListener("hashchange", () => location.hash.includes("in=") && location.reload());

begin();
