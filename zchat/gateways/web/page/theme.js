// Light or dark: as the system has it, or as one has chosen.

export const THEMES = { system: "As the system", light: "Light", dark: "Dark" };

/** Use the theme that was chosen. */
export function applyTheme(theme = localStorage.getItem("theme") ?? "system") {
  document.documentElement.dataset.theme = theme in THEMES ? theme : "system";
}

addEventListener("storage", (event) => event.key === "theme" && applyTheme(event.newValue ?? "system"));
