// Where one writes: in a place, or in a thread of it. Enter sends, Shift-Enter begins a line, and what is pasted stays as it is.
//
// Enter that ends the composition of an IME is not meant for us: then `isComposing` is true, or, in browsers that end the
// composition before the key, the key's code is 229.

import { $, button, h, icon, iconButton } from "./dom.js";
import * as drafts from "./drafts.js";
import { attachTo } from "./files.js";
import { plain } from "./message.js";
import * as outbox from "./outbox.js";
import { told } from "./slash.js";
import { emit, where } from "./state.js";
import { wire } from "./wire.js";

const TYPING = 4_000; // ms between two notices that one types
const TELL_AFTER = 300; // ms
const COMMAND = /^\s*(\/\/?)([a-z]+)(?=\s|$)/; // of the prompt; with two slashes it is said
const composing = (event) => event.isComposing || event.keyCode === 229;

export class Composer {
  /** Where one writes: a place, and the `seq` of the root of a thread in it, or 0. */
  place = null;
  thread = 0;
  #editing = null;
  #answering = null;
  #due = null; // with what it is to be sent as soon as its files are uploaded
  #told = 0;

  /**
   * @param {HTMLElement} root
   * @param {{editLast: () => void, label: string}} hooks
   */
  constructor(root, { editLast, escape }) {
    this.editLast = editLast;
    this.escape = escape;
    this.note = h("div.composer-note", { hidden: true });
    this.strip = h("div.composer-files", { hidden: true });
    this.text = h("textarea", { rows: 1, dir: "auto", aria: { label: "Message", autocomplete: "list" }, enterkeyhint: "send", disabled: true, autocapitalize: "sentences", oninput: () => this.#typed(), onkeydown: (event) => this.#key(event) });
    this.send = button({ class: "send", title: "Send (Enter)", aria: { label: "Send" }, onclick: () => this.submit() }, icon("send"));
    this.suggestions = h("ul.suggestions", { role: "listbox", hidden: true, aria: { label: "Suggestions" } });
    this.box = h("div.composer-box", this.note, this.strip,
      h("div.composer-line", iconButton("attach", "Attach files", () => this.files.pick()), this.text, iconButton("react", "Emoji", (event) => emit("pick-emoji", event.currentTarget, (emoji) => this.insert(emoji))), this.send), this.suggestions);
    root.replaceChildren(this.box, h("div.typing", { aria: { live: "off" } }));
    this.files = attachTo({ box: this.box, strip: this.strip, changed: () => this.#filesChanged() });
    this.completion = { update: () => this.#loadCompletion(), key: () => false };
  }

  /** Completion is loaded with the first letter. */
  #loadCompletion() {
    this.completion.update = () => {};
    import("./completion.js").then(({ complete }) => {
      this.completion = complete(this);
      this.completion.update();
    }, () => {});
  }

  get empty() {
    return this.text.value === "" && this.files.count() === 0;
  }

  /** Write in another place from now on. What was begun in the one before stays there, as its draft. */
  show(place, thread = 0) {
    if (this.place === place && this.thread === thread) return;
    Object.assign(this, { place, thread });
    this.restore();
    this.files.turnTo(this.draft);
    this.text.placeholder = thread ? "Answer in the thread" : `Message ${/^[^+]/.test(place.room ?? "+") ? "#" : ""}${place.name}`;
    this.text.disabled = false;
  }

  /** The name of the draft that is here. */
  get draft() {
    return drafts.nameOf(this.place, this.thread);
  }

  /** Show the draft as it is kept. What one was editing is in it, too, and comes first. */
  restore() {
    const draft = drafts.of(this.draft);
    this.#due = null;
    this.#editing = draft.edit?.item ?? null;
    this.#answering = draft.answering ?? null;
    this.text.value = draft.edit?.text ?? draft.text;
    this.#showNote();
    this.fit();
  }

  /** Another tab has changed a draft: it is shown, unless this one has gone its own way. */
  follow(name, before) {
    if (this.place && name === this.draft && this.text.value === (before.edit?.text ?? before.text)) this.restore();
  }

  keep() {
    if (!this.place) return;
    const { text, answering } = drafts.of(this.draft);
    if (this.#editing) drafts.keep(this.draft, { text, answering, edit: { item: this.#editing, text: this.text.value } });
    else drafts.keep(this.draft, { text: this.text.value, answering: this.#answering ?? undefined });
  }

  /** Take back into the line what was not said. */
  give({ text, files = [] }) {
    if (this.#editing) this.stopEditing();
    this.text.value = [this.text.value, text].filter(Boolean).join("\n");
    this.files.give(files);
    this.keep();
    this.fit();
    this.text.focus();
  }

  /** Answer a message with what is written next. */
  answer(item) {
    this.#answering = { seq: item.seq, nick: item.nick, text: plain(item) };
    this.#showNote();
    this.keep();
    this.text.focus();
  }

  /** Give one's message another text here. What was being written comes back afterwards. */
  edit({ seq, nick, text, thread }, begun = outbox.edited(seq) ?? text) {
    if (!this.#editing) this.keep();
    this.#editing = { seq, nick, text, thread };
    this.text.value = begun;
    this.keep();
    this.#showNote();
    this.fit();
    this.text.focus();
    this.text.setSelectionRange(begun.length, begun.length);
  }

  stopEditing() {
    if (!this.#editing) return;
    drafts.keep(this.draft, { ...drafts.of(this.draft), edit: undefined });
    this.restore();
  }

  insert(words) {
    this.text.setRangeText(words, this.text.selectionStart, this.text.selectionEnd, "end");
    this.#typed();
    this.text.focus();
  }

  /** The height follows the text, up to what the styles allow. */
  fit() {
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight}px`;
    this.send.disabled = this.text.value.trim() === "" && !this.files?.count();
  }

  /** What others type, below the box. */
  showTyping(words) {
    $(".typing", this.box.parentElement).textContent = words;
  }

  /** Say what is written, unless it is a command of the prompt. @param {{at?: string}} [when] for later */
  submit(when = {}) {
    const [, slashes, name] = (!this.#editing && COMMAND.exec(this.text.value)) || [];
    if (!name) return this.#say(when);
    if (name === "me" && slashes === "/") return this.#say({ ...when, kind: "action" }, 3);
    const where = told(name);
    if (!where) return this.#say(when);
    if (slashes === "//") return this.#say(when, 1);
    return emit("notice", where, { label: "Send as text", do: () => this.#say(when) });
  }

  /** @param {number} [from] the letters before it are not said */
  async #say(when, from = 0) {
    const text = from ? this.text.value.trimStart().slice(from).trimStart() : this.text.value;
    if (text.trim() === "" && this.files.count() === 0) return;
    if (this.#editing) return this.#submitEdit(this.#editing, text);
    if (!this.files.ready()) return this.#whenReady(when);
    this.#due = null;
    const files = this.files.take();
    const more = { ...(files.length && { files }), ...this.#answersTo(), thread: this.thread || undefined, ...when };
    const place = this.place;
    this.#answering = null;
    this.text.value = "";
    this.keep();
    this.#showNote();
    this.fit();
    await outbox.say(place, text, more).catch((error) => emit("notice", error.message));
  }

  #whenReady(when) {
    this.#due = this.files.failed() ? null : when;
    emit("notice", this.#due ? "It is sent as soon as the upload is done." : "A file was not uploaded: try again, or take it back.");
  }

  #filesChanged() {
    this.fit();
    if (this.files.failed()) this.#due = null;
    if (this.#due && this.files.ready() && !this.#editing) this.submit(this.#due);
  }

  #answersTo() {
    const seq = this.#answering?.seq ?? this.thread;
    return seq ? { reply_to: seq } : {};
  }

  #submitEdit(item, text) {
    if (text !== (outbox.edited(item.seq) ?? item.text)) outbox.act(this.place, item, { type: "edit", text });
    this.stopEditing();
  }

  #typed() {
    this.keep();
    this.fit();
    this.completion.update();
    if (this.#editing || this.text.value === "" || Date.now() - this.#told < TYPING) return;
    this.#told = Date.now();
    const place = this.place; // what is pasted and sent at once is not told: it could come after what was said
    setTimeout(() => this.text.value && place === this.place && wire.tell({ type: "typing", ...where(place) }), TELL_AFTER);
  }

  #key(event) {
    if (composing(event) || this.completion.key(event)) return;
    if (event.key === "Enter" && !event.shiftKey && !event.altKey) {
      event.preventDefault();
      this.submit();
    } else if (event.key === "ArrowUp" && this.text.value === "" && !event.shiftKey) {
      event.preventDefault();
      this.editLast();
    } else if (event.key === "Escape" && !event.shiftKey) {
      event.stopPropagation();
      this.#leave();
    }
  }

  /** Esc: drop the editing, else the answering, else what the page makes of it. */
  #leave() {
    if (this.#editing) return this.stopEditing();
    if (!this.#answering) return this.escape();
    this.#answering = null;
    this.#showNote();
    return this.keep();
  }

  #showNote() {
    const about = this.#editing ? "Editing your message" : this.#answering && `Answering ${this.#answering.nick}`;
    this.note.hidden = !about;
    this.box.classList.toggle("editing", Boolean(this.#editing));
    if (!about) return;
    this.note.replaceChildren(icon(this.#editing ? "edit" : "reply"), h("span.note-words", h("strong", about), " ", h("bdi.muted", (this.#editing ?? this.#answering).text)),
      iconButton("close", this.#editing ? "Leave it as it was (Esc)" : "Do not answer (Esc)", () => (this.#leave(), this.text.focus())));
  }
}
