// The service worker: it keeps the shell of the page (the page itself, scripts, styles, icons) for a start without a connection, and shows
// what is pushed. It has nothing of what was said.
//
// The network comes first, always: so a page is never older than the server. Only where it does not answer the page comes out of the
// cache, and then its scripts do, too, so that no page is made of two versions. It touches neither the login nor files nor the socket.

const SHELL = "shell";
const PATIENCE = 8_000; // ms for the network, before the page of the last time is better than none
const PAGE = /^\/(?:(?:room|with)\/.*)?$/;
const old = new Set(); // clients whose page came out of the cache

addEventListener("install", (event) => event.waitUntil(skipWaiting()));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("message", (event) => event.data.shell && event.waitUntil(keepAll(event.data.shell)));

addEventListener("fetch", (event) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin) return;
  if (event.request.mode === "navigate" && PAGE.test(pathname)) event.respondWith(page(event));
  else if (pathname.startsWith("/assets/")) event.respondWith(old.has(event.clientId) ? cached(event.request) : fresh(event.request, event.request));
});

const page = (event) => fresh(event.request, "/", () => old.add(event.resultingClientId));

async function fresh(request, name, failed = () => {}) {
  const cache = await caches.open(SHELL);
  const kept = await cache.match(name);
  const network = fetch(request);
  try {
    const answer = await (kept ? inTime(network) : network);
    if (answer.ok && !answer.redirected) await cache.put(name, answer.clone());
    return answer;
  } catch (error) {
    if (!kept) throw error;
    failed();
    return kept;
  }
}

async function cached(request) {
  const cache = await caches.open(SHELL);
  return (await cache.match(request)) ?? fetch(request);
}

function inTime(network) {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error("The network does not answer.")), PATIENCE));
  return Promise.race([network, late]);
}

async function keepAll(paths) {
  const cache = await caches.open(SHELL);
  const add = (path) => cache.add(new Request(path, { cache: "no-cache" }));
  await Promise.allSettled(paths.map(add));
  await add("/").catch(() => {}); // last: a page that is here has its scripts here
}

// Push: what comes is as little as can be, see `zchat web`.

addEventListener("push", (event) => event.waitUntil(pushed(event.data)));

async function pushed(data) {
  const windows = await clients.matchAll({ type: "window" });
  if (windows.some((one) => one.focused)) return; // the page tells it
  let told = {};
  try {
    told = data?.json() ?? {};
  } catch {
    // a notice without words
  }
  const { title = "zchat", body = "There is something for you.", tag = "push", ...rest } = told;
  const options = { body, tag, renotify: true, icon: "/assets/icon-192.png", badge: "/assets/badge.png", data: { address: "/", ...rest } };
  await navigator.locks.request("notices", () => registration.showNotification(title, options)); // notify.js says why
}

addEventListener("pushsubscriptionchange", (event) => event.waitUntil(changed(event)));

/** The browser has another subscription, or wants us to make one. */
async function changed({ oldSubscription, newSubscription }) {
  const subscription = newSubscription ?? (oldSubscription && (await registration.pushManager.subscribe(oldSubscription.options)));
  if (subscription) await fetch("/push", { method: "POST", headers: { "Content-Type": "application/json", "X-Zchat": "1" }, body: JSON.stringify({ subscription }) });
}

addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(turnTo(event.notification.data ?? {}));
});

async function turnTo({ key, seq, address = "/" }) {
  const [one] = await clients.matchAll({ type: "window" });
  if (!one) return void (await clients.openWindow(address));
  await one.focus();
  if (key) one.postMessage({ go: { key, seq } });
}
