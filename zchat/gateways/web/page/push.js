// The service worker, and notices that come when no page is open. Off by default: what the push service of the browser's maker gets to
// know is that, and when, something came for this browser; what it carries is encrypted.

import { asked } from "./entrance.js";
import { store } from "./state.js";

const policy = globalThis.trustedTypes?.createPolicy("zchat-worker", { createScriptURL: () => "/worker.js" });

/** Let the worker keep the shell of the page, for a start without a connection. @returns {Promise<ServiceWorkerRegistration|null>} */
export async function register() {
  if (!navigator.serviceWorker) return null; // a page without TLS beyond loopback
  try {
    await navigator.serviceWorker.register(policy?.createScriptURL("") ?? "/worker.js", { updateViaCache: "none" });
    const registered = await navigator.serviceWorker.ready;
    const shell = performance.getEntriesByType("resource").map(({ name }) => new URL(name)).filter(({ origin, pathname }) => origin === location.origin && pathname.startsWith("/assets/"));
    registered.active?.postMessage({ shell: [...new Set(shell.map(({ pathname }) => pathname))] });
    return registered;
  } catch (error) {
    console.info("No service worker:", error);
    return null;
  }
}

export const possible = () => Boolean(navigator.serviceWorker && globalThis.PushManager && store.push);

const subscription = async () => (await navigator.serviceWorker.getRegistration())?.pushManager.getSubscription();

/** The gateway forgets a subscription that is of no use any more, of which the browser need not know. @returns {Promise<boolean>} whether this browser is told when no page is open */
export const on = async () => possible() && Boolean(await subscription()) && (await asked("/push")).on;

/** Be told also when no page is open, or not any more. Rejects if the browser or the gateway does not let us. */
export async function set(yes) {
  const before = await subscription();
  if (!yes) await asked("/push", { subscription: null });
  await before?.unsubscribe(); // also to be told anew: it may be gone at its service, or be for an older key
  if (!yes) return;
  const { pushManager } = await navigator.serviceWorker.ready;
  await asked("/push", { subscription: await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: store.push }) });
}
