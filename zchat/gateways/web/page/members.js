// Members as the broker tells of them, whether they are here or not; and who of them is muted, which is in no roster.

import { emit, store } from "./state.js";
import { wire } from "./wire.js";

const AGAIN = 60_000; // ms until it is asked again who is muted: only moderators are told at once

/** All members. @returns {Promise<object[]>} Rejects with Refused. */
export async function members() {
  const all = [];
  for (let page = { more: true }; page.more; all.push(...page.members)) page = await wire.ask({ type: "members", after: all.at(-1)?.from });
  return all;
}

/** Whom one may see: all members; a guest those who are here. */
export const everybody = async () => (store.me.member ? members() : (await wire.ask({ type: "who" })).members);

/** One member, or undefined. They are told in the order of their `from`. */
export async function member(from) {
  const before = (BigInt(`0x${from}`) - 1n).toString(16).padStart(16, "0");
  const page = await wire.ask({ type: "members", after: before, limit: 1 });
  return page.members.find((one) => one.from === from);
}

let asked = -AGAIN;

/** Learn who is muted everywhere. */
export async function learnMutes() {
  if (!store.me.member || performance.now() < asked + AGAIN) return;
  asked = performance.now();
  const all = await members().catch(() => null);
  if (!all) return;
  store.muted = new Set(all.filter((one) => one.muted).map((one) => one.from));
  emit("people", store.here);
}
