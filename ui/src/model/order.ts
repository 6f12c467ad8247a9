/** The list's order: newest first unless a column says otherwise. */

export type Direction = "ASC" | "DESC";

const DEFAULT_FIELD = "timestamp_ms";

/** How a column sorts the list now; null where it does not. */
export function sortDirection(
  orderBy: readonly string[],
  field: string | undefined,
): Direction | null {
  if (field === undefined) return null;
  const [first] = orderBy;
  if (first === undefined) return field === DEFAULT_FIELD ? "DESC" : null;
  const [name, direction] = first.trim().split(/\s+/);
  if (name !== field) return null;
  return direction?.toUpperCase() === "DESC" ? "DESC" : "ASC";
}

/** What a click on a column's title leads to: down, then up, then the list's own order. */
export function nextOrder(orderBy: readonly string[], field: string): string[] {
  const now = sortDirection(orderBy, field);
  if (now === null) return [`${field} DESC`];
  if (now === "DESC") return [`${field} ASC`];
  return [];
}
