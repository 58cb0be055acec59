// The part of the settings that is about being told.

import { $, h } from "./dom.js";
import { want, wanted } from "./notify.js";
import { on, possible, set } from "./push.js";
import { emit } from "./state.js";

export function section() {
  const pushed = choice("Also when no page is open: the push service of the browser's maker is told that there is something, and not what", false, set, on);
  pushed.hidden = !possible();
  on().then((yes) => ($("input", pushed).checked = yes));
  return h("fieldset.choices-told", h("legend", "Tell me of mentions and direct messages"),
    choice("While a page is open, and I look elsewhere", wanted(), async (yes) => {
      if (yes && !(await want(yes))) throw new Error("The browser does not let this page tell you. Its settings for this site have it.");
      if (!yes) await want(false);
    }, wanted), pushed);
}

function choice(label, checked, act, really) {
  const change = async ({ target }) => {
    await act(target.checked).catch((error) => emit("notice", error.message));
    target.checked = await really();
  };
  return h("label", h("input", { type: "checkbox", checked, onchange: change }), label);
}
