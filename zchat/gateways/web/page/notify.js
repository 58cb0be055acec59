// What one is told of when one looks elsewhere: that one was named, or written to. Once, whatever number of tabs is open, and not at all
// for what is on the screen of one of them, or was read on another device.
//
// Each tab that hears a message claims it; the first one has it. A tab where it is in sight claims it at once and says nothing; the
// others wait a moment before they do. So no tab has to know of the others.

import { $ } from "./dom.js";
import { attentive } from "./here.js";
import { kept } from "./kept.js";
import { format, go } from "./routes.js";
import { news } from "./sidebar.js";
import { allPlaces, mentioned, mine, on, store } from "./state.js";

const MOMENT = 500; // ms in which a tab that shows it, or another device that read it, goes first
const CLAIMS = 200; // that are kept
const LONGEST = 180; // letters of a message that are shown
const SETTING = "zchat/notify";

let worker = null; // the registration of the service worker, which can show notices also on phones

export function start(registered) {
  registered?.then((found) => (worker = found)).catch(() => {});
  on("message", consider);
  on("places", () => {
    mark();
    soon();
  });
  navigator.serviceWorker?.addEventListener("message", ({ data }) => data.go && go(data.go));
}

/** One wants to be told, and the browser lets us. */
export const wanted = () => globalThis.Notification?.permission === "granted" && localStorage.getItem(SETTING) !== "off";

/** Be told from now on, or not any more. @returns {Promise<boolean>} whether one is */
export async function want(yes) {
  localStorage.setItem(SETTING, yes ? "on" : "off");
  if (yes && globalThis.Notification && Notification.permission !== "granted") await Notification.requestPermission();
  return wanted();
}

const concerns = (place, event) => !mine(event) && event.seq > place.read && (!place.room || mentioned(event));

async function consider(place, event) {
  if (!concerns(place, event)) return;
  const claim = `told/${store.me.from}/${String(event.seq).padStart(16, "0")}`;
  if (attentive(place)) return void kept.claim(claim, 1);
  if (!wanted()) return;
  await new Promise((resolve) => setTimeout(resolve, MOMENT));
  if (event.seq <= place.read || attentive(place) || !(await kept.claim(claim, 1))) return;
  show(place, event);
  for (const [old] of kept.under(`told/${store.me.from}/`).slice(0, -CLAIMS)) kept.set(old, undefined);
}

async function show(place, event) {
  worker ??= (await navigator.serviceWorker?.getRegistration()) ?? null; // that of an earlier visit, if ours is on its way

  const title = !place.room ? event.nick : `${event.nick} in ${place.name}`;
  const route = { key: place.key, seq: event.seq };
  const text = [...(event.text ?? "")];
  const words = text.length > LONGEST ? `${text.slice(0, LONGEST).join("")}…` : text.join("");
  const body = words || (event.files ?? []).map((file) => file.name).join(", ");
  const options = { body, tag: place.key, renotify: true, icon: "/assets/icon-192.png", badge: "/assets/badge.png", data: { ...route, address: format(route) } };
  if (worker?.active) return alone(() => worker.showNotification(title, options));
  const notice = new Notification(title, options);
  notice.onclick = () => {
    focus();
    go(route);
    notice.close();
  };
  return undefined;
}

// Chromium forgets a notice that it is about to show while another tab, or the worker, asks for those that there are.
const alone = (act) => navigator.locks.request("notices", act);

// What was read, here or elsewhere, is told of no more.
let timer = 0;

function soon() {
  clearTimeout(timer);
  timer = setTimeout(() => worker && alone(closeRead), MOMENT);
}

async function closeRead() {
  for (const notice of await worker.getNotifications()) {
    const place = store.places.get(notice.data?.key);
    if (place && place.read >= notice.data.seq) notice.close();
  }
}

// The icon of the tab has the count of what is for oneself, or a point for what is new; the title, too, which the sidebar writes.

let shown = "";

function mark() {
  const [calls, unread] = news(allPlaces());
  const told = calls ? String(Math.min(calls, 99)) : unread ? "•" : "";
  if (told === shown) return;
  shown = told;
  $('link[rel="icon"]').href = told ? drawn(told) : "/assets/icon.svg";
  if (calls) navigator.setAppBadge?.(calls).catch(() => {});
  else navigator.clearAppBadge?.().catch(() => {});
}

function drawn(told) {
  const point = told === "•";
  const badge = point
    ? '<circle cx="52" cy="12" r="10" fill="#e5484d"/>'
    : `<rect x="${told.length > 1 ? 16 : 26}" y="20" width="${told.length > 1 ? 48 : 38}" height="44" rx="16" fill="#d13438"/>
       <text x="${told.length > 1 ? 40 : 45}" y="54" font-family="sans-serif" font-weight="700" font-size="34" fill="#fff" text-anchor="middle">${told}</text>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="15" fill="#3d5a80"/>
    <path d="M18 21h28L20 43h27" fill="none" stroke="#fff" stroke-width="6.500" stroke-linecap="round" stroke-linejoin="round"/>${badge}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
