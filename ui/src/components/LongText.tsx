/** A text as it is: line ends kept, cut at first where it is very long. */

import { useState } from "react";

import { formatBytes } from "../model/format";
import styles from "./LongText.module.css";

const SHOWN_AT_FIRST = 20_000;
const SHOWN_MORE = 200_000;

export function LongText({ text }: { text: string }) {
  const [most, setMost] = useState(SHOWN_AT_FIRST);
  const isCut = text.length > most;
  const isLast = text.length <= most + SHOWN_MORE;
  return (
    <>
      <div className={styles.text} dir="auto">
        {isCut ? `${text.slice(0, most)}…` : text}
      </div>
      {isCut ? (
        <button type="button" className="quiet-button" onClick={() => setMost(most + SHOWN_MORE)}>
          {isLast
            ? `Show all ${formatBytes(text.length)}`
            : `Show ${formatBytes(SHOWN_MORE)} more of ${formatBytes(text.length)}`}
        </button>
      ) : null}
    </>
  );
}
