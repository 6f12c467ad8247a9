/** Light, dark, or what the system says; remembered on this browser. */

export type Theme = "system" | "light" | "dark";

const THEMES: readonly Theme[] = ["system", "light", "dark"];
const KEY_NAME = "whence.theme";

export function readTheme(): Theme {
  const kept = localStorage.getItem(KEY_NAME);
  return THEMES.find((theme) => theme === kept) ?? "system";
}

export function applyTheme(theme: Theme): void {
  if (theme === "system") {
    localStorage.removeItem(KEY_NAME);
    delete document.documentElement.dataset["theme"];
  } else {
    localStorage.setItem(KEY_NAME, theme);
    document.documentElement.dataset["theme"] = theme;
  }
}

export function nextTheme(theme: Theme): Theme {
  return THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? "system";
}
