/**
 * Building filter text: the pages never parse a filter's meaning, they only add and remove whole
 * conditions joined by a top-level AND.
 *
 * The language quotes values with ' or ", with no escapes, so a value that holds both can't be
 * written (`null`). Keys with anything but letters, digits, _ and dots stand in backticks.
 */

/** Metadata keys that are fields of their own. `environment` is absent: its bare field holds the
 * normalised name, the metadata key the verbatim one. */
const BARE_FIELD_OF: Readonly<Record<string, string>> = {
  app_version: "app_version",
  "mlflow.source.git.commit": "commit",
  "mlflow.source.git.branch": "branch",
  "mlflow.trace.session": "session",
  "mlflow.trace.user": "user",
};

export function quoteValue(value: string): string | null {
  if (!value.includes("'")) return `'${value}'`;
  return value.includes('"') ? null : `"${value}"`;
}

export function quoteKey(key: string): string | null {
  if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(key)) return key;
  return key === "" || key.includes("`") ? null : `\`${key}\``;
}

/** `field = 'value'`, or null where the language can't say it. */
export function equals(field: string, value: string): string | null {
  const quoted = quoteValue(value);
  return quoted === null ? null : `${field} = ${quoted}`;
}

export function metadataEquals(key: string, value: string): string | null {
  return equalsIn("metadata", key, value, BARE_FIELD_OF[key]);
}

export function tagEquals(key: string, value: string): string | null {
  return equalsIn("tags", key, value);
}

export function spanAttributeEquals(key: string, value: string): string | null {
  return equalsIn("span.attributes", key, value);
}

function equalsIn(prefix: string, key: string, value: string, field?: string): string | null {
  if (field !== undefined) return equals(field, value);
  const quoted = quoteKey(key);
  return quoted === null ? null : equals(`${prefix}.${quoted}`, value);
}

/** Split at the top-level ANDs; null where a top-level OR makes that impossible. */
export function splitConditions(filter: string): string[] | null {
  const conditions: string[] = [];
  let start = 0;
  let depth = 0;
  let quote = "";
  for (let at = 0; at < filter.length; at += 1) {
    const char = filter.charAt(at);
    if (quote !== "") {
      if (char === quote) quote = "";
    } else if (char === "'" || char === '"' || char === "`") {
      quote = char;
    } else if (char === "(") {
      depth += 1;
    } else if (char === ")") {
      depth -= 1;
    } else if (depth === 0 && isWordStart(filter, at)) {
      const word = /^(and|or)\b(?!\.)/i.exec(filter.slice(at, at + 4))?.[0];
      if (word?.toLowerCase() === "or") return null;
      if (word !== undefined) {
        conditions.push(filter.slice(start, at));
        start = at + word.length;
        at = start - 1;
      }
    }
  }
  conditions.push(filter.slice(start));
  return conditions.map((text) => text.trim()).filter((text) => text !== "");
}

function isWordStart(text: string, at: number): boolean {
  return at === 0 || /[\s)'"`]/.test(text.charAt(at - 1));
}

export function hasCondition(filter: string, condition: string): boolean {
  return splitConditions(filter)?.includes(condition) ?? false;
}

/** Add a condition that is not there yet; what stood there keeps its meaning. */
export function addCondition(filter: string, condition: string): string {
  const present = splitConditions(filter);
  if (present === null) return `(${filter.trim()}) AND ${condition}`;
  return present.includes(condition) ? filter : [...present, condition].join(" AND ");
}

export function removeCondition(filter: string, condition: string): string {
  const present = splitConditions(filter);
  return present === null ? filter : present.filter((text) => text !== condition).join(" AND ");
}

export function toggleCondition(filter: string, condition: string): string {
  return hasCondition(filter, condition)
    ? removeCondition(filter, condition)
    : addCondition(filter, condition);
}

/** The text before a 1-based column counted in characters (not in UTF-16 units). */
export function textBeforeColumn(text: string, column: number): string {
  return [...text].slice(0, Math.max(0, column - 1)).join("");
}
