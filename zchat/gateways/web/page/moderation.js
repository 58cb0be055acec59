// Who somebody is, and what moderators do: what the menu of a person offers.

import { tryTo } from "./actions.js";
import { h } from "./dom.js";
import { ask, confirm, dialog, toast } from "./popups.js";
import { store } from "./state.js";
import { fullTime, since } from "./words.js";

export async function whois(member) {
  const told = await tryTo({ type: "who", nick: member.nick });
  const here = told?.members?.find((one) => one.from === member.from) ?? told?.members?.[0];
  const listed = store.me.member ? await tryTo({ type: "members" }) : null;
  const known = listed?.members?.find((one) => one.from === member.from);
  const facts = [
    ["Role", known?.role ?? here?.role ?? "guest: nobody has proved who this is"],
    ["Here", here ? (here.away ? `away: ${here.away}` : `idle ${since(here.idle ?? 0)}`) : "no"],
    ["Rooms", here?.rooms?.join(", ")],
    ["Member since", known?.since && fullTime(known.since)],
    ["Seen", known?.seen && fullTime(known.seen)],
    ["Devices", known?.devices?.map((one) => one.name ?? one.credential).join(", ")],
  ];
  dialog(member.nick, h("dl", { class: "facts" }, facts.filter(([, value]) => value).map(([name, value]) => [h("dt", {}, name), h("dd", { dir: "auto" }, value)])));
}

export async function kick(member, room) {
  const reason = await ask(room ? `Take ${member.nick} out of ${room}` : `Send ${member.nick} away`, { label: "Reason (shown to all)", required: false, yes: "Do it", hint: "They may come back." });
  if (reason !== null) await tryTo({ type: "kick", from: member.from, ...(room && { room }), ...(reason && { reason }) });
}

export async function mute(member) {
  const minutes = await ask(`Mute ${member.nick}`, { label: "For how many minutes? Empty: until you unmute", required: false, yes: "Mute" });
  if (minutes === null) return;
  const until = Number(minutes) > 0 ? { until: new Date(Date.now() + Number(minutes) * 60_000).toISOString() } : {};
  if (await tryTo({ type: "mute", from: member.from, ...until })) toast(`${member.nick} is muted.`);
}

export async function ban(member) {
  if (await confirm(`Ban ${member.nick}?`, "They are kept out with all their devices until you take it back.", "Ban")) await tryTo({ type: "ban", from: member.from });
}
