/** A value as a tree: opened where one looks, searched, wrapped or not, copied whole or in parts. */

import { useVirtualizer } from "@tanstack/react-virtual";
import { useDeferredValue, useEffect, useMemo, useRef, useState } from "react";

import type { Json } from "../api/types";
import { useKept } from "../kept";
import { formatCount } from "../model/format";
import { toText } from "../model/json";
import { chooseOpen, containerOf, findInJson, type JsonRow, listJsonRows, openAll, PAGE } from "../model/jsonTree";
import { CopyButton } from "./CopyButton";
import { JsonLine } from "./JsonLine";
import styles from "./JsonViewer.module.css";
import { LongText } from "./LongText";

const WRAP = "whence.json.wrap";
const ROW_HEIGHT = 20;
/** Shorter values are in the page whole. */
const MOST_PLAIN = 120;
/** A search box for what is more than a glance. */
const LEAST_SEARCHED = 12;
const MOST_HITS = 1000;

interface JsonViewerProps {
  title: string;
  value: Json;
  isSmall?: boolean;
}

export function JsonViewer({ title, value, isSmall = false }: JsonViewerProps) {
  const isPlain = containerOf(value) === null;
  return (
    <section className={`${styles.block} ${isSmall ? styles.small : ""}`} aria-label={title}>
      {isPlain ? <Plain title={title} value={value} /> : <Tree title={title} value={value} />}
    </section>
  );
}

function Plain({ title, value }: { title: string; value: Json }) {
  return (
    <>
      <header>
        <h3>{title}</h3>
        <CopyButton text={() => toText(value)} />
      </header>
      <div className={styles.plain}>
        <LongText text={toText(value)} />
      </div>
    </>
  );
}

function Tree({ title, value }: { title: string; value: Json }) {
  const [open, setOpen] = useState<ReadonlySet<string>>(() => chooseOpen(value));
  const [shown, setShown] = useState<ReadonlyMap<string, number>>(new Map());
  const [keptWrap, keepWrap] = useKept(WRAP);
  const isWrapped = keptWrap !== "off";
  const search = useSearch(value, open, setOpen, shown, setShown);
  const rows = useMemo(() => listJsonRows(value, open, shown), [value, open, shown]);
  const hasSearch = rows.length >= LEAST_SEARCHED || search.typed !== "";
  const toggle = (path: string): void => {
    const next = new Set(open);
    if (!next.delete(path)) next.add(path);
    setOpen(next);
  };
  const showMore = (row: JsonRow): void => {
    const path = row.path.replace(/ more$/, "");
    setShown(new Map(shown).set(path, (shown.get(path) ?? PAGE) + PAGE));
  };
  return (
    <>
      <header>
        <h3>{title}</h3>
        {hasSearch ? <SearchBox {...search} title={title} /> : null}
        <button
          type="button"
          className={styles.tool}
          aria-pressed={isWrapped}
          title={isWrapped ? "Keep each value on one line" : "Wrap long values"}
          onClick={() => keepWrap(isWrapped ? "off" : "on")}
        >
          Wrap
        </button>
        <button
          type="button"
          className={styles.tool}
          title="Open everything, up to 2,000 rows; again: close"
          onClick={() => setOpen(open.size > 1 && rows.length > MOST_PLAIN ? new Set(["$"]) : openAll(value))}
        >
          Expand
        </button>
        <CopyButton text={() => toText(value)} />
      </header>
      <Lines
        rows={rows}
        isWrapped={isWrapped}
        wanted={search.wanted}
        current={search.current}
        onToggle={toggle}
        onMore={showMore}
      />
    </>
  );
}

interface LinesProps {
  rows: readonly JsonRow[];
  isWrapped: boolean;
  wanted: string;
  current: string | null;
  onToggle: (path: string) => void;
  onMore: (row: JsonRow) => void;
}

function Lines({ rows, isWrapped, wanted, current, onToggle, onMore }: LinesProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const isLong = rows.length > MOST_PLAIN;
  const virtualizer = useVirtualizer({
    count: isLong ? rows.length : 0,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    getItemKey: (index) => rows[index]?.path ?? index,
    overscan: 12,
  });
  const at = current === null ? -1 : rows.findIndex((row) => row.path === current);
  useEffect(() => {
    if (at < 0) return;
    if (isLong) virtualizer.scrollToIndex(at, { align: "center" });
    else scroller.current?.querySelector("[data-current]")?.scrollIntoView({ block: "nearest" });
  }, [at, isLong, virtualizer]);
  const line = (row: JsonRow) => (
    <JsonLine
      row={row}
      isWrapped={isWrapped}
      wanted={wanted}
      isCurrent={row.path === current}
      onToggle={onToggle}
      onMore={onMore}
    />
  );
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls takes the focus
    <div ref={scroller} className={styles.lines} tabIndex={0} role="group" aria-label="Value" data-wrap={isWrapped ? "" : undefined}>
      {isLong ? (
        <div style={{ height: virtualizer.getTotalSize(), position: "relative" }}>
          {virtualizer.getVirtualItems().map((item) => {
            const row = rows[item.index];
            return row === undefined ? null : (
              <div
                key={item.key}
                data-index={item.index}
                ref={virtualizer.measureElement}
                className={styles.placed}
                style={{ transform: `translateY(${item.start}px)` }}
              >
                {line(row)}
              </div>
            );
          })}
        </div>
      ) : (
        rows.map((row) => <div key={row.path}>{line(row)}</div>)
      )}
    </div>
  );
}

// --- Search inside --------------------------------------------------------------------------------

type Setter<T> = (value: T) => void;

function useSearch(
  value: Json,
  open: ReadonlySet<string>,
  setOpen: Setter<ReadonlySet<string>>,
  shown: ReadonlyMap<string, number>,
  setShown: Setter<ReadonlyMap<string, number>>,
) {
  const [typed, setTyped] = useState("");
  const [at, setAt] = useState(-1);
  const wanted = useDeferredValue(typed);
  const hits = useMemo(() => findInJson(value, wanted, MOST_HITS), [value, wanted]);
  const go = (by: 1 | -1): void => {
    // Enter may come before the deferred search.
    const known = wanted === typed ? hits : findInJson(value, typed, MOST_HITS);
    const next = (at + by + known.length) % known.length;
    const hit = known[next];
    if (hit === undefined) return;
    setAt(next);
    setOpen(new Set([...open, ...hit.above]));
    const more = new Map(shown);
    hit.above.forEach((path, index) => {
      const place = hit.places[index] ?? 0;
      if (place >= (more.get(path) ?? PAGE)) more.set(path, Math.ceil((place + 1) / PAGE) * PAGE);
    });
    setShown(more);
  };
  const type = (text: string): void => {
    setTyped(text);
    setAt(-1);
  };
  return { typed, type, wanted, hits: hits.length, at, go, current: hits[at]?.path ?? null };
}

type SearchBoxProps = Omit<ReturnType<typeof useSearch>, "wanted" | "current"> & { title: string };

function SearchBox({ typed, type, hits, at, go, title }: SearchBoxProps) {
  const count = hits >= MOST_HITS ? `${formatCount(MOST_HITS)}+` : formatCount(hits);
  return (
    <span className={styles.search}>
      <input
        type="search"
        value={typed}
        placeholder="Find"
        aria-label={`Find in ${title}`}
        onChange={(event) => type(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          go(event.shiftKey ? -1 : 1);
        }}
      />
      {typed.trim() === "" ? null : (
        <span role="status">{at < 0 ? count : `${formatCount(at + 1)} of ${count}`}</span>
      )}
    </span>
  );
}
