// Addresses: every place, message and thread has one, so that back and forward work, and a link can be given to others.
//   /room/general   /room/general/991   /room/general?thread=991   /with/9f86d081884c7d65

/** @typedef {{key: string, seq?: number, thread?: number}} Route */

/** @returns {Route|null} what an address names; null: no place */
export function parse(path, query = "") {
  const [, kind, name, seq] = /^\/(room|with)\/([^/]+)(?:\/(\d{1,16}))?\/?$/.exec(path) ?? [];
  if (!kind) return null;
  const thread = Number(new URLSearchParams(query).get("thread")) || undefined;
  try {
    return { key: `${kind}/${decodeURIComponent(name)}`, seq: seq === undefined ? undefined : Number(seq), thread };
  } catch {
    return null; // % without two digits behind it
  }
}

/** @param {Route} route @returns {string} */
export function format({ key, seq, thread }) {
  const at = key.indexOf("/");
  const path = `/${key.slice(0, at)}/${encodeURIComponent(key.slice(at + 1))}`;
  return `${path}${seq ? `/${seq}` : ""}${thread ? `?thread=${thread}` : ""}`;
}

/** What the address bar names now. */
export const current = () => parse(location.pathname, location.search);

const listeners = [];

/** Call `f(route)` when the address changes: by `go`, or by back and forward. */
export const onRoute = (f) => listeners.push(f);

/** Turn to an address. `replace` keeps the entry of the history that is there. */
export function go(route, { replace = false } = {}) {
  const address = format(route);
  const same = address === location.pathname + location.search;
  history[replace || same ? "replaceState" : "pushState"](null, "", address);
  tell();
}

/** Turn to no place: on a phone, to the list of them. */
export function goHome() {
  history.pushState(null, "", "/");
  tell();
}

const tell = () => listeners.forEach((f) => f(current()));

addEventListener("popstate", tell);
