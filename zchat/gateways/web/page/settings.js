// What one chooses for this browser, and what one is to the others.

import { button, h } from "./dom.js";
import { comeOut, showDevices } from "./devices.js";
import { ask, dialog } from "./popups.js";
import { tryTo } from "./actions.js";
import { section as notices } from "./notices.js";
import { store } from "./state.js";
import { applyTheme, THEMES } from "./theme.js";
import { wire } from "./wire.js";

function chooseTheme(theme) {
  localStorage.setItem("theme", theme);
  applyTheme(theme);
}

export function showSettings() {
  const now = document.documentElement.dataset.theme;
  dialog("Settings", [
    h("fieldset.choice-row", h("legend", "Looks"), Object.entries(THEMES).map(([theme, label]) =>
      h("label", h("input", { type: "radio", name: "theme", value: theme, checked: theme === now, onchange: () => chooseTheme(theme) }), label))),
    notices(),
    h("fieldset", h("legend", "You"), h("div.buttons",
      button({ onclick: rename }, "Change your nick"), button({ onclick: beAway }, "Be away …"),
      store.me.member && button({ onclick: showDevices }, "Your devices …"), button({ class: "danger", onclick: comeOut }, "Log this browser out …"))),
  ]);
}

async function rename() {
  await ask("Change your nick", { label: "Nick", value: store.me.nick, act: async (nick) => nick === store.me.nick || wire.ask({ type: "nick", nick }) });
}

async function beAway() {
  const text = await ask("Be away", { label: "What the others see. Empty: you are back.", required: false, value: "" });
  if (text !== null) await tryTo({ type: "away", ...(text && { text }) });
}
