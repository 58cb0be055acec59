// How times, sizes and names are shown.

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const dayOfYear = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const ago = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });

export const timeOf = (time) => clock.format(new Date(time));
/** A time of today, or of another day with its date. */
export const momentOf = (time) => (sameDay(time, Date.now()) ? timeOf(time) : moment.format(new Date(time)));
/** A sentence of the broker's, with its times as they are here. */
export const withTimes = (text) => text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, (time) => momentOf(time));
export const fullTime = (time) => full.format(new Date(time));

export const sameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();

export function dayOf(time) {
  const [then, now] = [new Date(time), new Date()];
  const days = Math.round((midnight(then) - midnight(now)) / 86_400_000);
  if (days === 0 || days === -1) return capital(ago.format(days, "day"));
  return (then.getFullYear() === now.getFullYear() ? day : dayOfYear).format(then);
}

const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
/** What begins a sentence, as the texts of a broker do not. */
export const capital = (text) => text.charAt(0).toLocaleUpperCase() + text.slice(1);

/** How long it is since somebody did something: `3 min`, `2 h`, `5 d`. */
export function since(seconds) {
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

export function sizeOf(bytes) {
  if (bytes === undefined) return "";
  const step = bytes < 1024 ? 0 : bytes < 1024 ** 2 ? 1 : 2;
  return `${(bytes / 1024 ** step).toFixed(step && bytes / 1024 ** step < 10 ? 1 : 0)} ${["bytes", "KiB", "MiB"][step]}`;
}

export const many = (count, one, more = `${one}s`) => `${count} ${count === 1 ? one : more}`;

/** The order of names. */
export const inOrder = new Intl.Collator(undefined, { sensitivity: "base", numeric: true }).compare;

/** A colour of a person: the same for the same `from`, on all pages. */
export function hueOf(from) {
  let hash = 0x811c9dc5; // FNV-1a
  for (const letter of from) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  return (hash >>> 0) % 360;
}

const letters = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** The first letter of a nick, as people see letters. */
export function initial(nick) {
  const [first] = letters.segment(nick);
  return (first?.segment ?? "?").toLocaleUpperCase();
}

const EMOJI = /^(?:\p{RGI_Emoji}|\s){1,12}$/v;

/** A text of a few emoji and nothing else. */
export const onlyEmoji = (text) => text.length < 60 && EMOJI.test(text.trim());
