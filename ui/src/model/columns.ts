/** Which columns a list shows, in which order and how wide: chosen by the reader, kept by the browser. */

export interface ColumnChoice {
  ids: readonly string[];
  /** In CSS pixels; a column that is not here has its own default. */
  widths: Readonly<Record<string, number>>;
}

export const NARROWEST_PX = 48;
export const WIDEST_PX = 1200;
const MOST_COLUMNS = 40;

/** Columns of any metadata key or tag are named as the filter names the field. */
export function readKeyedColumn(id: string): { from: "metadata" | "tags"; key: string } | null {
  const match = /^(metadata|tags)\.(.+)$/s.exec(id);
  const [, from, key] = match ?? [];
  if ((from !== "metadata" && from !== "tags") || key === undefined) return null;
  return { from, key: key.replaceAll("`", "") };
}

/** What was kept, without columns that are no more; the default where nothing usable was. */
export function readChoice(kept: string | null, known: readonly string[], byDefault: readonly string[]): ColumnChoice {
  const fallback: ColumnChoice = { ids: byDefault, widths: {} };
  if (kept === null) return fallback;
  let parsed: unknown;
  try {
    parsed = JSON.parse(kept);
  } catch {
    return fallback;
  }
  if (typeof parsed !== "object" || parsed === null) return fallback;
  const { ids, widths } = parsed as { ids?: unknown; widths?: unknown };
  if (!Array.isArray(ids)) return fallback;
  const usable = [...new Set(ids)].filter(
    (id): id is string =>
      typeof id === "string" && (known.includes(id) || readKeyedColumn(id) !== null),
  );
  if (usable.length === 0) return fallback;
  return { ids: usable.slice(0, MOST_COLUMNS), widths: readWidths(widths) };
}

function readWidths(widths: unknown): Record<string, number> {
  if (typeof widths !== "object" || widths === null) return {};
  return Object.fromEntries(
    Object.entries(widths as Record<string, unknown>).flatMap(([id, width]) =>
      typeof width === "number" && Number.isFinite(width) ? [[id, clampWidth(width)]] : [],
    ),
  );
}

export function clampWidth(px: number): number {
  return Math.round(Math.min(WIDEST_PX, Math.max(NARROWEST_PX, px)));
}

export function resizeColumn(choice: ColumnChoice, id: string, px: number): ColumnChoice {
  return { ...choice, widths: { ...choice.widths, [id]: clampWidth(px) } };
}

/** Back to the column's own width. */
export function resetWidth(choice: ColumnChoice, id: string): ColumnChoice {
  const { [id]: _, ...widths } = choice.widths;
  return { ...choice, widths };
}

/** Show or hide a column; the last one stays. */
export function toggleColumn(choice: ColumnChoice, id: string): ColumnChoice {
  if (!choice.ids.includes(id)) return { ...choice, ids: [...choice.ids, id] };
  if (choice.ids.length === 1) return choice;
  return { ...choice, ids: choice.ids.filter((one) => one !== id) };
}

/** Move a column by so many places to the right (to the left where negative). */
export function moveColumn(choice: ColumnChoice, id: string, by: number): ColumnChoice {
  const at = choice.ids.indexOf(id);
  if (at < 0) return choice;
  const ids = choice.ids.filter((one) => one !== id);
  ids.splice(Math.min(ids.length, Math.max(0, at + by)), 0, id);
  return { ...choice, ids };
}
