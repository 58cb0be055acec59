// What is written is said later, by the broker, whether one is here then or not.

import { button, buttons, h } from "./dom.js";
import { close, dialog, toast } from "./popups.js";
import { timeOf } from "./words.js";

const HOUR = 3_600_000;

/** The next time that it is so late on a clock, a number of days ahead. */
function atNine(days) {
  const then = new Date();
  then.setDate(then.getDate() + days);
  then.setHours(9, 0, 0, 0);
  return then;
}

/** Ask when, and leave it to the broker. */
export function sayLater(composer) {
  if (composer.empty) return toast("Write first what is to be sent later.");
  const send = (when) => (close(), composer.submit({ at: when.toISOString() }));
  const input = h("input", { id: "when", type: "datetime-local", required: true });
  const local = (when) => new Date(when - when.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  input.value = local(new Date(Date.now() + HOUR));
  input.min = local(new Date());
  const choices = [["In 20 minutes", new Date(Date.now() + HOUR / 3)], ["In an hour", new Date(Date.now() + HOUR)], [`Tomorrow at ${timeOf(atNine(1))}`, atNine(1)], [`On Monday at ${timeOf(atNine(1))}`, atNine(((8 - new Date().getDay()) % 7) || 7)]];
  return dialog("Send later", [buttons(choices.map(([label, when]) => button({ onclick: () => send(when) }, label))),
    h("form", { onsubmit: (event) => (event.preventDefault(), send(new Date(input.value))) }, h("label", { for: "when" }, "Or at"), input, buttons(h("button.primary", "Send then")))]);
}
