import { useEffect, useState } from "react";

import styles from "./small.module.css";

const SHOWN_MS = 1500;

/** What is long to write is written when it is copied. */
type Text = string | (() => string);

/** Copies a text, and says so for a moment. */
export function CopyButton({ text, label = "Copy" }: { text: Text; label?: string }) {
  const [said, setSaid] = useState<string | null>(null);
  useEffect(() => {
    if (said === null) return;
    const timer = setTimeout(() => setSaid(null), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = (): void => {
    // Without a secure context (plain HTTP beyond loopback) a browser has no clipboard to give.
    const clipboard = navigator.clipboard as Clipboard | undefined;
    if (clipboard === undefined) {
      setSaid("Not allowed here");
      return;
    }
    clipboard.writeText(typeof text === "string" ? text : text()).then(
      () => setSaid("Copied"),
      () => setSaid("Not allowed"),
    );
  };
  return (
    <button type="button" className={styles.copy} onClick={copy} aria-live="polite">
      {said ?? label}
    </button>
  );
}
