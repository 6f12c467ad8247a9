/** What this browser keeps, as state that every part of the page sees change. */

import { useCallback, useSyncExternalStore } from "react";

const CHANGED = "whence:kept";

/** Storage may be full or forbidden; then a value lives as long as the page. */
const memory = new Map<string, string>();

export function readKept(name: string): string | null {
  const held = memory.get(name);
  if (held !== undefined) return held;
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

export function keep(name: string, text: string): void {
  try {
    localStorage.setItem(name, text);
    memory.delete(name);
  } catch {
    memory.set(name, text);
  }
  window.dispatchEvent(new Event(CHANGED));
}

function subscribe(onChange: () => void): () => void {
  window.addEventListener(CHANGED, onChange);
  window.addEventListener("storage", onChange); // another tab
  return () => {
    window.removeEventListener(CHANGED, onChange);
    window.removeEventListener("storage", onChange);
  };
}

export function useKept(name: string): [string | null, (text: string) => void] {
  const text = useSyncExternalStore(subscribe, () => readKept(name));
  const set = useCallback((next: string) => keep(name, next), [name]);
  return [text, set];
}

/** Hand a text to the reader as a file. */
export function saveText(text: string, name: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}
