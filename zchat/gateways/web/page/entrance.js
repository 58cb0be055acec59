// Whether one is in, and by what one would come in. The form for it is in login.js, which most starts do not need.

/** @returns {Promise<{guests: boolean, in: boolean, nick?: string, away?: string}>} whether this browser is in and as whom, whether guests are let in, and what is wrong if nobody can tell */
export async function whoami() {
  const answer = await fetch("/in", { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`The server answered ${answer.status}.`);
  return answer.json();
}

/** The code of the address, which is taken out of it at once. */
export function takeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get("in");
  if (code) history.replaceState(null, "", location.pathname + location.search);
  return code;
}
