// Files that go with what is said: pasted, dropped or chosen. Each is uploaded at once, may be taken back until the message is said, and
// belongs to a draft: so it is there again after a turn to another room, or a reload, and goes on where there was no connection.
//
// What was pasted as text stays text: programs that copy a table put a picture of it beside its text, and mean the text.

import { $, button, h, icon, iconButton } from "./dom.js";
import { kept } from "./kept.js";
import { emit, on, store } from "./state.js";
import { sizeOf } from "./words.js";

const MOST = 10; // files of a message, as the protocol has it
const SHOWN = /^image\/(png|jpeg|gif|webp|avif)$/; // as a picture

/**
 * @typedef {object} Chosen
 * @property {string} id @property {string} name @property {string} type @property {number} size @property {Blob} blob
 * @property {object} [sent] the attachment, once it is uploaded
 * @property {number} part how much of it is uploaded: 0 to 1
 * @property {string} [why] why it was not @property {boolean} [waits] there is no connection
 */

/**
 * Hang on to a composer: `strip` is an element for previews above the text, `changed` is called when a file came, is ready, or is gone.
 * `turnTo(draft)` shows those of a draft; `take` gives the attachments for `say`, and empties the strip.
 * @param {{box: HTMLElement, strip: HTMLElement, changed: () => void}} composer
 */
export function attachTo({ box, strip, changed }) {
  const chosen = () => (aim.add([...chooser.files]), (chooser.value = ""));
  const chooser = h("input", { type: "file", multiple: true, hidden: true, tabindex: "-1", aria: { label: "Files to send" }, onchange: chosen });
  let files = new Files("", () => {});
  let aim = files; // where one was when the chooser was opened
  const show = () => {
    draw(strip, files);
    changed();
  };
  box.append(chooser);
  watchPaste(box, (found) => files.add(found));
  watchDrop(box, (found) => files.add(found));
  return {
    pick: () => ((aim = files), chooser.click()),
    add: (found) => files.add(found),
    give: (sent) => files.give(sent),
    ready: () => files.all.every((one) => one.sent),
    failed: () => files.all.some((one) => one.why),
    count: () => files.all.length,
    take: () => files.take(),
    turnTo(draft) {
      files.changed = () => {};
      files = filesOf(draft);
      files.changed = show;
      show();
    },
  };
}

function watchPaste(box, add) {
  box.addEventListener("paste", (event) => {
    const { files, types } = event.clipboardData;
    if (!files.length || types.includes("text/plain")) return;
    event.preventDefault();
    add([...files].map(named));
  });
}

/** What is pasted is called `image.png`, whatever it is: a name by which it is found again is better. */
function named(file) {
  if (!/^image\.\w+$/.test(file.name)) return file;
  const time = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replaceAll(":", ".").replace("T", " ");
  return new File([file], `pasted ${time}.${file.name.split(".").at(-1)}`, { type: file.type });
}

function watchDrop(box, add) {
  const area = box.closest("main, aside") ?? box;
  const carries = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const over = (by) => area.classList.toggle("dropping", (depth = Math.max(0, depth + by)) > 0);
  area.addEventListener("dragenter", (event) => carries(event) && over(1));
  area.addEventListener("dragleave", (event) => carries(event) && over(-1));
  area.addEventListener("drop", (event) => {
    over(-depth);
    if (carries(event) && !event.defaultPrevented) add([...event.dataTransfer.files]);
  });
}

// Beside the places for it a file must not be opened in place of the page.
for (const type of ["dragover", "drop"]) addEventListener(type, (event) => event.dataTransfer?.types.includes("Files") && event.preventDefault());

const lists = new Map(); // name of a draft -> Files

function filesOf(draft) {
  const key = `file/${store.me.from}/${draft}/`;
  if (!lists.has(key)) lists.set(key, new Files(key, () => {}));
  return lists.get(key);
}

kept.onchange((key, value) => {
  if (key.startsWith("file/")) lists.get(key.slice(0, key.lastIndexOf("/") + 1))?.told(key, value);
});

on("state", () => store.state !== "offline" && lists.forEach((files) => files.all.forEach((one) => one.waits && files.send(one))));

/** The files of one draft. */
class Files {
  /** @type {Chosen[]} */
  all = [];

  constructor(key, changed) {
    Object.assign(this, { key, changed });
    for (const [, one] of key ? kept.under(key) : []) {
      this.all.push(one);
      if (!one.sent) this.send(one);
    }
  }

  add(files) {
    const most = store.limits.file ?? Infinity;
    for (const file of files) {
      const why = refusal(file, most, this.all.length);
      if (why) emit("notice", why);
      else this.#take(file);
    }
    this.changed();
  }

  #take(file) {
    const one = { id: crypto.randomUUID(), name: file.name || "file", type: file.type, size: file.size, blob: file, part: 0 };
    this.all.push(one);
    this.#keep(one);
    this.send(one);
  }

  /** Take back attachments that were not said. */
  give(sent) {
    for (const one of sent) {
      const taken = { id: crypto.randomUUID(), name: one.name, type: one.type ?? "", size: one.size, sent: one, part: 1 };
      this.all.push(taken);
      this.#keep(taken);
    }
    this.changed();
  }

  /** Upload it, or go on with it. */
  async send(one) {
    Object.assign(one, { waits: false, why: undefined });
    try {
      one.sent = await put(one, () => this.changed());
      if (this.all.includes(one)) this.#keep(one); // unless another tab has taken it back
    } catch (error) {
      Object.assign(one, error.offline ? { waits: true } : { why: error.message });
    }
    this.changed();
  }

  drop(one) {
    one.request?.abort();
    this.#forget(one);
    this.changed();
  }

  take() {
    const sent = this.all.map((one) => one.sent);
    for (const one of [...this.all]) this.#forget(one);
    this.changed();
    return sent;
  }

  /** Another tab has changed this draft. */
  told(key, value) {
    const here = this.all.findIndex((one) => this.key + one.id === key);
    if (value === undefined && here >= 0) this.all.splice(here, 1);
    else if (value && here < 0) this.all.push(value);
    else if (value?.sent) this.all[here].sent = value.sent;
    this.changed();
  }

  #keep({ request: _request, url: _url, ...one }) {
    kept.set(this.key + one.id, one);
  }

  #forget(one) {
    this.all = this.all.filter((each) => each !== one);
    if (one.url) URL.revokeObjectURL(one.url);
    kept.set(this.key + one.id, undefined);
  }
}

function refusal(file, most, count) {
  if (most === 0) return "No files can be sent here.";
  if (count >= MOST) return `${file.name} does not go with it: a message has up to ${MOST} files.`;
  if (file.size > most) return `${file.name} has ${sizeOf(file.size)}: up to ${sizeOf(most)} can be sent.`;
  return "";
}

/** XMLHttpRequest, for `fetch` does not tell how far an upload is. @returns {Promise<object>} the attachment */
function put(one, changed) {
  const request = (one.request = new XMLHttpRequest());
  return new Promise((resolve, reject) => {
    request.open("PUT", `/files?name=${encodeURIComponent(one.name)}`);
    request.setRequestHeader("X-Zchat", "1");
    request.setRequestHeader("Content-Type", one.type || "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded, total }) => {
      one.part = total ? loaded / total : 0;
      changed();
    };
    request.onload = () => (request.status < 300 ? resolve(request.response) : reject(new Error(told(request))));
    request.onerror = request.ontimeout = () => reject(Object.assign(new Error("There is no connection now."), { offline: true }));
    request.send(one.blob);
  });
}

const told = ({ response, status }) => response?.message ?? (status === 413 ? "It is too big." : `The server answered ${status}.`);

// The strip: the chips stay the elements that they are, so that the focus stays where it is.

function draw(strip, files) {
  const chips = new Map([...strip.children].map((chip) => [chip.dataset.id, chip]));
  strip.replaceChildren(...files.all.map((one) => update(chips.get(one.id) ?? chip(one, files), one)));
  strip.hidden = files.all.length === 0;
}

function chip(one, files) {
  const picture = SHOWN.test(one.type) && one.blob;
  const preview = picture ? h("img", { src: (one.url ??= URL.createObjectURL(one.blob)), alt: "" }) : icon("file");
  return h("div.chip", { data: { id: one.id } },
    h("span.chip-preview", preview),
    h("span.chip-words", h("bdi.chip-name", one.name), h("span.chip-told", { role: "status" })),
    h("progress", { max: 1, aria: { label: `Upload of ${one.name}` } }),
    button({ class: "chip-again", onclick: () => files.send(one) }, "Try again"),
    iconButton("close", `Take ${one.name} back`, () => files.drop(one)));
}

function update(element, one) {
  const [progress, again, words] = ["progress", ".chip-again", ".chip-told"].map((name) => $(name, element));
  progress.hidden = Boolean(one.sent || one.why || one.waits);
  progress.value = one.part;
  again.hidden = !one.why;
  element.classList.toggle("failed", Boolean(one.why));
  const said = one.why ?? (one.waits ? "Waits for the connection" : sizeOf(one.size));
  if (words.textContent !== said) words.textContent = said;
  return element;
}
