/** One row of a value: its name, the value or how much it holds, and what can be copied of it. */

import { useState } from "react";

import type { Json } from "../api/types";
import { formatBytes, formatCount, formatNumberOf } from "../model/format";
import { toText } from "../model/json";
import type { JsonRow } from "../model/jsonTree";
import { CopyButton } from "./CopyButton";
import styles from "./JsonViewer.module.css";

const SHOWN_AT_FIRST = 5_000;
const SHOWN_MORE = 20_000;
const INDENT = 14;
const DEEPEST_INDENT = 20;

interface JsonLineProps {
  row: JsonRow;
  isWrapped: boolean;
  wanted: string;
  isCurrent: boolean;
  onToggle: (path: string) => void;
  onMore: (row: JsonRow) => void;
}

export function JsonLine({ row, isWrapped, wanted, isCurrent, onToggle, onMore }: JsonLineProps) {
  const indent = Math.min(row.depth, DEEPEST_INDENT) * INDENT;
  if (row.more > 0) {
    return (
      <div className={styles.line} style={{ paddingLeft: indent + 14 }}>
        <button type="button" className={styles.tool} onClick={() => onMore(row)}>
          {formatCount(row.more)} more
        </button>
      </div>
    );
  }
  const canOpen = row.size !== null && row.size > 0;
  const name = row.key === null ? null : (
    <>
      <span className={styles.key}>
        <Marked text={row.key} wanted={wanted} />
      </span>
      <span className={styles.faint}>: </span>
    </>
  );
  return (
    <div className={styles.line} style={{ paddingLeft: indent }} data-current={isCurrent ? "" : undefined}>
      {canOpen ? (
        <button
          type="button"
          className={styles.twisty}
          aria-expanded={row.isOpen}
          aria-label={row.isOpen ? "Close" : "Open"}
          onClick={() => onToggle(row.path)}
        >
          <svg viewBox="0 0 10 10" width="10" height="10" aria-hidden="true">
            <path d={row.isOpen ? "M2 3.5l3 3 3-3" : "M3.5 2l3 3-3 3"} />
          </svg>
        </button>
      ) : (
        <span className={styles.twisty} />
      )}
      <span className={styles.member} data-wrap={isWrapped ? "" : undefined}>
        {name}
        {row.size === null ? (
          <Leaf value={row.value} wanted={wanted} />
        ) : (
          <Holder row={row} onToggle={onToggle} />
        )}
      </span>
      <span className={styles.copies}>
        <CopyButton text={() => toText(row.value)} label="Value" />
        <CopyButton text={row.path} label="Path" />
      </span>
    </div>
  );
}

function Holder({ row, onToggle }: { row: JsonRow; onToggle: (path: string) => void }) {
  const size = row.size ?? 0;
  const isList = row.isText ? /^\s*\[/.test(row.value as string) : Array.isArray(row.value);
  const said = isList ? `[${formatNumberOf(size, "item")}]` : `{${formatNumberOf(size, "key")}}`;
  return (
    <>
      {row.isText ? <span className={styles.badge}>JSON text</span> : null}
      {size === 0 ? (
        <span className={styles.faint}>{isList ? "[]" : "{}"}</span>
      ) : (
        <button type="button" className={styles.holder} tabIndex={-1} onClick={() => onToggle(row.path)}>
          {said}
        </button>
      )}
    </>
  );
}

function Leaf({ value, wanted }: { value: Json; wanted: string }) {
  const [most, setMost] = useState(SHOWN_AT_FIRST);
  if (typeof value !== "string") {
    const kind = typeof value === "number" ? styles.number : styles.literal;
    return (
      <span className={kind}>
        <Marked text={String(value)} wanted={wanted} />
      </span>
    );
  }
  const isCut = value.length > most;
  return (
    <>
      <span className={styles.string} dir="auto">
        {value === "" ? <span className={styles.faint}>(empty)</span> : null}
        <Marked text={isCut ? `${value.slice(0, most)}…` : value} wanted={wanted} />
      </span>
      {isCut ? (
        <button type="button" className={styles.tool} onClick={() => setMost(most + SHOWN_MORE)}>
          {value.length <= most + SHOWN_MORE
            ? `Show all ${formatBytes(value.length)}`
            : `Show ${formatBytes(SHOWN_MORE)} more of ${formatBytes(value.length)}`}
        </button>
      ) : null}
    </>
  );
}

/** A text with every place of what is looked for marked. */
function Marked({ text, wanted }: { text: string; wanted: string }) {
  const needle = wanted.trim().toLowerCase();
  if (needle === "") return text;
  const low = text.toLowerCase();
  // Where lower case is of another length, places would be off: then nothing is marked.
  if (low.length !== text.length) return text;
  const pieces: React.ReactNode[] = [];
  let at = 0;
  for (let hit = low.indexOf(needle); hit >= 0; hit = low.indexOf(needle, at)) {
    pieces.push(text.slice(at, hit), <mark key={hit}>{text.slice(hit, hit + needle.length)}</mark>);
    at = hit + needle.length;
  }
  pieces.push(text.slice(at));
  return pieces;
}
