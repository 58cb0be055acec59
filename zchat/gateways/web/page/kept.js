// What the page keeps in the browser: drafts, and what is said but not yet stored. A table in memory, IndexedDB behind it.
//
// Not localStorage: Chromium writes that to the disk five seconds later, and ever more seldom for who writes often, so a browser that
// is killed takes the last words with it. A transaction of IndexedDB that was committed is with the system at once. It answers
// late, though, so all of it is read when the page starts, and from then on reading is a look into a table. What one tab changes is
// told to the others, which change their tables. Where there is no IndexedDB, as in some private windows, the table is all there is.

const STORE = "kept";

export class Kept {
  #table = new Map();
  #database = null;
  #channel = null;
  #listeners = [];

  constructor(name) {
    this.name = name;
  }

  /** Read what was kept. Until then the table is empty. */
  async open() {
    this.#channel = new BroadcastChannel(this.name);
    this.#channel.onmessage = ({ data: [key, value] }) => this.#change(key, value);
    try {
      this.#database = await opened(this.name);
      const changed = this.#table; // while it was read, by this tab or by another one
      this.#table = new Map(await all(this.#database));
      for (const [key, value] of changed) this.#table.set(key, value);
    } catch (error) {
      console.warn("Nothing can be kept in this browser beyond this page:", error);
    }
    return this;
  }

  get(key) {
    return this.#table.get(key);
  }

  /** All pairs whose key begins so, in order of their keys. */
  under(prefix) {
    return [...this.#table].filter(([key, value]) => key.startsWith(prefix) && value !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
  }

  /** Keep a value; undefined forgets it. @returns {Promise<void>} when it is with the system */
  set(key, value) {
    if (value === undefined) this.#table.delete(key);
    else this.#table.set(key, value);
    this.#channel?.postMessage([key, value]);
    return this.#write((store) => (value === undefined ? store.delete(key) : store.put(value, key)));
  }

  /** Keep a value unless there is one, in any tab. @returns {Promise<boolean>} whether it was this tab that did it */
  claim(key, value) {
    if (this.#table.has(key)) return Promise.resolve(false);
    if (!this.#database) return Promise.resolve(Boolean(this.#table.set(key, value)));
    return new Promise((resolve) => {
      const transaction = this.#database.transaction(STORE, "readwrite");
      transaction.oncomplete = () => {
        this.#table.set(key, value);
        resolve(true);
      };
      transaction.onabort = () => resolve(false); // there was one
      transaction.objectStore(STORE).add(value, key);
    });
  }

  clear() {
    for (const key of this.#table.keys()) this.#channel?.postMessage([key, undefined]);
    this.#table.clear();
    return this.#write((store) => store.clear());
  }

  /** Call `f(key, value, before)` with what another tab has changed. */
  onchange(f) {
    this.#listeners.push(f);
  }

  #change(key, value) {
    const before = this.#table.get(key);
    if (value === undefined) this.#table.delete(key);
    else this.#table.set(key, value);
    for (const f of this.#listeners) f(key, value, before);
  }

  #write(change) {
    if (!this.#database) return Promise.resolve();
    return new Promise((resolve) => {
      const transaction = this.#database.transaction(STORE, "readwrite");
      transaction.oncomplete = transaction.onabort = transaction.onerror = () => resolve(); // a full disk: the table still has it
      change(transaction.objectStore(STORE));
      transaction.commit(); // at once: the page may be left in the next moment
    });
  }
}

function opened(name) {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(name, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = asked.onblocked = () => reject(asked.error);
  });
}

function all(database) {
  return new Promise((resolve, reject) => {
    const found = [];
    const cursor = database.transaction(STORE).objectStore(STORE).openCursor();
    cursor.onerror = () => reject(cursor.error);
    cursor.onsuccess = () => {
      if (!cursor.result) return resolve(found);
      found.push([cursor.result.key, cursor.result.value]);
      cursor.result.continue();
    };
  });
}

export const kept = new Kept("zchat");
