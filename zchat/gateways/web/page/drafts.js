// What was written and not said yet, for each place and each thread.

const drafts = new Map();

/** The name under which the draft of a place, or of a thread in it, is kept. */
export const nameOf = (place, thread = 0) => (thread ? `${place.key}?thread=${thread}` : place.key);

/** @returns {{text: string, reply_to?: number, files?: object[]}} */
export const of = (name) => drafts.get(name) ?? { text: "" };

export const keep = (name, draft) => void drafts.set(name, draft);
