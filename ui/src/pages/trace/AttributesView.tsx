/** A span's attributes and its resource: narrowed by a text, copied, and filtered by. */

import { useState } from "react";

import type { Json, Span } from "../../api/types";
import type { ContextRow } from "../../model/context";
import { spanAttributeEquals } from "../../model/filter";
import { toLine, toText } from "../../model/json";
import styles from "./Panel.module.css";
import { Rows } from "./Rows";
import { usePinned } from "./usePinned";

const LONGEST_LINE = 4000;
const LONGEST_CONDITION_VALUE = 300;
const MOST_WITHOUT_BOX = 6;

export function AttributesView({ span }: { span: Span }) {
  const [typed, setTyped] = useState("");
  const pins = usePinned();
  const wanted = typed.trim().toLowerCase();
  const narrow = (rows: ContextRow[]): ContextRow[] =>
    rows.filter(({ label, value }) => `${label}\n${value}`.toLowerCase().includes(wanted));
  const attributes = listRowsOf(span.attributes, true);
  const resource = listRowsOf(span.resource, false);
  const scope = typeof span.scope === "string" && span.scope !== "" ? [makeRow("scope", span.scope, false)] : [];
  const all = [...attributes, ...resource, ...scope];
  const [shown, shownResource] = [narrow(attributes), narrow([...resource, ...scope])];
  return (
    <>
      {all.length > MOST_WITHOUT_BOX ? (
        <input
          type="search"
          className={styles.narrow}
          value={typed}
          placeholder="Narrow by key or value"
          aria-label="Narrow the attributes"
          onChange={(event) => setTyped(event.target.value)}
        />
      ) : null}
      {all.length === 0 ? <p className={styles.faint}>The span has no attributes.</p> : null}
      <Rows title="Attributes" rows={shown} pins={pins} />
      <Rows title="Resource" rows={shownResource} isFolded={wanted === ""} pins={pins} />
      {all.length > 0 && shown.length + shownResource.length === 0 ? (
        <p className={styles.faint}>Nothing fits “{typed}”.</p>
      ) : null}
    </>
  );
}

function listRowsOf(values: Record<string, Json>, isFilterable: boolean): ContextRow[] {
  return Object.entries(values)
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([key, value]) => makeRow(key, value, isFilterable));
}

function makeRow(key: string, value: Json, isFilterable: boolean): ContextRow {
  const plain = typeof value === "object" ? null : String(value);
  const isShort = plain !== null && plain.length <= LONGEST_CONDITION_VALUE;
  return {
    label: key,
    value: toLine(value, LONGEST_LINE),
    whole: toText(value),
    condition: isFilterable && isShort ? spanAttributeEquals(key, plain) : null,
  };
}
