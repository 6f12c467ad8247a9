/** Listens for a page's keyboard shortcuts, and shows them on `?`. */

import { useEffect, useRef, useState } from "react";

import { findShortcut, type Shortcut } from "../model/shortcuts";
import styles from "./Shortcuts.module.css";

const SHOWN_KEY: Readonly<Record<string, string>> = {
  Escape: "Esc",
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
};

/** The frame around the pages listens for it. */
const PALETTE = { keys: ["Ctrl K"], does: "Go to a page, a view, a version, a trace" };

/** The key belongs to what has the focus: text being typed, or Enter on a link or a button. */
function isTaken({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable) return true;
  if (target.matches("input:not([type=checkbox]), textarea, select")) return true;
  if (target.closest("[role=dialog]") !== null) return true;
  return (key === "Enter" || key === " ") && target.matches("a, button, summary, input");
}

export function Shortcuts({ table }: { table: readonly Shortcut[] }) {
  const [isOpen, setOpen] = useState(false);
  const dialog = useRef<HTMLDialogElement>(null);

  useEffect(() => {
    const help: Shortcut = { keys: ["?"], does: "Show these shortcuts", run: () => setOpen(true) };
    const press = (event: KeyboardEvent): void => {
      // A dialog keeps its keys to itself.
      if (event.defaultPrevented || document.querySelector("dialog[open]") !== null) return;
      const found = findShortcut([...table, help], event, isTaken(event));
      if (found === null) return;
      event.preventDefault();
      found.run();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [table]);

  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);

  if (!isOpen) return null;
  return (
    <dialog
      ref={dialog}
      className={styles.dialog}
      aria-label="Keyboard shortcuts"
      onClose={() => setOpen(false)}
    >
      <div className={styles.head}>
        <h2>Keyboard shortcuts</h2>
        <button type="button" className="quiet-button" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </div>
      <dl className={styles.list}>
        {[...table, PALETTE].map((shortcut) => (
          <div key={shortcut.does}>
            <dt>
              {shortcut.keys.map((key) => (
                <kbd key={key}>{SHOWN_KEY[key] ?? key}</kbd>
              ))}
            </dt>
            <dd>{shortcut.does}</dd>
          </div>
        ))}
      </dl>
    </dialog>
  );
}
