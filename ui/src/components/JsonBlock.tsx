/** One value: indented and coloured JSON, or the text itself; cut at first where it is very long. */

import { useMemo, useState } from "react";

import type { Json } from "../api/types";
import { formatBytes } from "../model/format";
import { toText, tokenise } from "../model/json";
import { CopyButton } from "./CopyButton";
import styles from "./JsonBlock.module.css";

const SHOWN_AT_FIRST = 20_000;
const LONGEST_COLOURED = 60_000;

export function JsonBlock({ value, title }: { value: Json; title: string }) {
  const [showsAll, setShowsAll] = useState(false);
  const text = useMemo(() => toText(value), [value]);
  const isCut = !showsAll && text.length > SHOWN_AT_FIRST;
  const shown = isCut ? text.slice(0, SHOWN_AT_FIRST) : text;
  const isJson = typeof value !== "string";
  const tokens = useMemo(
    () => (isJson && shown.length <= LONGEST_COLOURED ? tokenise(shown) : null),
    [isJson, shown],
  );
  return (
    <section className={styles.block} aria-label={title}>
      <header>
        <h3>{title}</h3>
        <CopyButton text={text} />
      </header>
      <pre>
        {tokens === null
          ? shown
          : tokens.map((token, index) =>
              token.kind === "plain" ? (
                token.text
              ) : (
                // eslint-disable-next-line react/no-array-index-key -- pieces of one text
                <span key={index} className={styles[token.kind]}>
                  {token.text}
                </span>
              ),
            )}
        {isCut ? "…" : null}
      </pre>
      {isCut ? (
        <button type="button" className="quiet-button" onClick={() => setShowsAll(true)}>
          Show all {formatBytes(text.length)}
        </button>
      ) : null}
    </section>
  );
}
