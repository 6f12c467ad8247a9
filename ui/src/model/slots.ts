/**
 * Which element of a virtual list shows which row. A row keeps its element while it is in sight;
 * one that comes into sight takes the element of a row that has left: to change the texts of an
 * element costs less than half of what a new one costs.
 */

export type RowKey = string | number | bigint;

/**
 * Return the slot of each key, in the order of the keys.
 *
 * What is in the page already is never moved, because elements that move cost as much as new ones
 * and the keyboard follows their order: so rows above those that stay get new slots.
 */
export function reuseSlots(
  before: ReadonlyMap<RowKey, number>,
  keys: readonly RowKey[],
): Map<RowKey, number> {
  const shown = new Set(keys);
  const free = [...before].flatMap(([key, slot]) => (shown.has(key) ? [] : [slot]));
  const taken = new Set(before.values());
  const firstKept = keys.findIndex((key) => before.has(key));
  const slots = new Map<RowKey, number>();
  let unused = 0;
  for (const [at, key] of keys.entries()) {
    let slot = before.get(key) ?? (at > firstKept ? free.shift() : undefined);
    if (slot === undefined) {
      while (taken.has(unused)) unused += 1;
      slot = unused;
      taken.add(slot);
    }
    slots.set(key, slot);
  }
  return slots;
}
