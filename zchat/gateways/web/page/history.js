// Asking the broker for what was said: the newest, around an address, earlier, later, a thread, and what was missed.
//
// While a place is asked for, what comes in of it waits in `held`, and is taken afterwards: so the order is that of the log.

import { accept, take } from "./events.js";
import { dropRoom, firstSeen } from "./here.js";
import { Log } from "./log.js";
import { emit, store, where } from "./state.js";
import { recount } from "./marks.js";
import { Refused, wire } from "./wire.js";

const PAGE = 60; // messages that are fetched at once
const [MISSED, ANEW] = ["missed", "anew"];
const AGAIN = 2_000; // ms until what was refused for the moment is asked again
const LONG = 500; // events that are fetched at once to close a gap, and answers of a thread

const known = (events) => events.filter((event) => event.seq !== undefined);

async function history(one, query) {
  return wire.ask({ type: "history", ...where(one), ...query });
}

/** Ask for something of a place; what comes of it meanwhile, such as an edit of what the answer has, waits. */
const held = (one, f) => (hold(one), f().finally(() => release(one)));

/** Load the newest messages of a place. */
export const loadNewest = (one) => held(one, () => newest(one));

async function newest(one) {
  const page = await history(one, { limit: PAGE, current: true });
  one.log.reset(known(page.events), page.more, false);
  one.through = page.upto;
  recount(one);
  emit("reset", one);
}

/** Load the messages around one of them. @returns {Promise<boolean>} whether it is there */
export async function loadAround(one, seq) {
  await held(one, () => around(one, seq));
  return one.log.get(seq) !== undefined;
}

async function around(one, seq) {
  const [before, after] = await Promise.all([
    history(one, { before: seq + 1, limit: PAGE / 2, current: true }),
    history(one, { after: seq, limit: PAGE / 2, current: true }),
  ]);
  one.log.reset([...known(before.events), ...known(after.events)], before.more, after.more);
  if (!after.more) one.through = Math.max(one.through, after.upto);
  emit("reset", one);
}

/** Load what was said before the first message here. */
export const loadOlder = (one) => held(one, async () => {
  const { log, log: { turn } } = one;
  const page = await history(one, { before: log.first ?? one.through + 1, limit: PAGE, current: true });
  if (log.turn === turn) log.prepend(known(page.events), page.more);
});

/** Load what was said after the last message here, if it is not the newest. */
export const loadNewer = (one) => held(one, async () => {
  const { log, log: { turn } } = one;
  const page = await history(one, { after: log.last ?? 0, limit: PAGE, current: true });
  if (log.turn !== turn) return;
  log.append(known(page.events), page.more);
  if (!page.more) one.through = Math.max(one.through, page.upto);
});

/** Load a thread, or return the one that is here. */
export async function loadThread(one, root, anew = false) {
  let log = one.threads.get(root);
  if (log?.loaded && !anew) return log;
  const page = await history(one, { thread: root, limit: LONG, current: true });
  const items = known(page.events);
  const first = items[0]?.seq === root ? [] : [await loadOne(one, root)].filter(Boolean);
  log = log ?? new Log();
  log.reset([...first, ...items], false, false);
  one.threads.set(root, log);
  return log;
}

/** One message as it is now, from what is here or from the broker; undefined if there is none. */
export async function loadOne(one, seq) {
  const here = one.log.get(seq) ?? [...one.threads.values()].map((log) => log.get(seq)).find(Boolean);
  if (here) return here;
  const page = await history(one, { before: seq + 1, limit: 1, current: true });
  return page.events.find((event) => event.seq === seq);
}

/** Fetch what was missed since the cursor. What comes meanwhile waits, and is taken afterwards. */
export async function refresh(one, anew, waiting = []) {
  if (one.held) {
    one.held.push(...waiting);
    one.stale = anew ? ANEW : (one.stale ?? MISSED); // something else is being fetched: afterwards
    return;
  }
  hold(one);
  one.held.push(...waiting);
  try {
    if (anew || one.log.newer) await reload(one);
    else await catchUp(one);
    if (one.log.newer) one.through = Math.max(one.through, one.head, ...one.held.map((event) => event.prev)); // what is between is not here, and not missed
    for (const root of one.threads.keys()) await reloadThread(one, root);
  } catch (error) {
    one.held = []; // the cursor stays where it is, so all that waits is fetched with the next try
    if (!(error instanceof Refused)) throw error;
    if (error.code === "unknown_room") dropRoom(one);
    else if (error.code !== "offline") setTimeout(() => refresh(one, anew), AGAIN); // offline: the next hello does it
  } finally {
    release(one);
  }
}

/** An open thread is fetched again; another one when it is opened. */
async function reloadThread(one, root) {
  if (root !== store.thread || one !== store.here) return void one.threads.delete(root);
  await loadThread(one, root, true);
  return emit("thread", one, root);
}

async function reload(one) {
  if (one.log.newer && one.log.items.length) return around(one, firstSeen(one) || one.log.items[one.log.items.length >> 1].seq);
  return newest(one);
}

async function catchUp(one) {
  for (;;) {
    const page = await history(one, { after: one.through, limit: LONG });
    for (const event of known(page.events)) if (event.seq > one.through) accept(one, event);
    one.through = Math.max(one.through, page.upto);
    if (!page.more) return recount(one);
  }
}

/** Two may ask at the same time: what waits is taken when both have their answers. */
function hold(one) {
  one.held ??= [];
  one.asking += 1;
}

function release(one) {
  one.asking -= 1;
  if (one.asking) return;
  const waiting = one.held ?? [];
  one.held = null;
  for (const event of waiting) take(event);
  if (!one.stale) return;
  const anew = one.stale === ANEW;
  one.stale = undefined;
  refresh(one, anew);
}
