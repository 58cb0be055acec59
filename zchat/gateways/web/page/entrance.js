// Whether one is in, and by what one would come in. The form for it is in login.js, which most starts do not need.

/** @returns {Promise<{guests: boolean, in: boolean, nick?: string, away?: string}>} whether this browser is in and as whom, whether guests are let in, and what is wrong if nobody can tell */
export const whoami = () => asked("/in");

/** The code of the address, which is taken out of it at once. */
export function takeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get("in");
  if (code) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

/**
 * Ask the server for what is no part of the chat; with a body it is a POST.
 * @returns {Promise<object>} Rejects with its `message` and `code`, which is `unavailable` if it, or what it needs, is away; TypeError: it does not answer.
 */
export async function asked(path, body) {
  const answer = await fetch(path, { method: body ? "POST" : "GET", headers: { "Content-Type": "application/json", "X-Zchat": "1" }, body: body && JSON.stringify(body) });
  const { message, code, ...told } = await answer.json().catch(() => ({}));
  if (answer.ok) return told;
  throw Object.assign(new Error(message ?? `The server answered ${answer.status}.`), { code: code ?? (answer.status >= 500 ? "unavailable" : "") });
}
