/** Keyboard shortcuts as a table: each page has one, and `?` shows it. */

export interface Shortcut {
  /** `KeyboardEvent.key` values; the first is the one shown. */
  keys: readonly string[];
  does: string;
  run: () => void;
  /** Also while typing into a field. */
  inFields?: boolean;
}

export interface KeyPress {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

export function findShortcut(
  shortcuts: readonly Shortcut[],
  press: KeyPress,
  isTyping: boolean,
): Shortcut | null {
  if (press.ctrlKey || press.metaKey || press.altKey) return null;
  const found = shortcuts.find(({ keys }) => keys.includes(press.key));
  return found === undefined || (isTyping && found.inFields !== true) ? null : found;
}
