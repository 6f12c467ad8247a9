/** Elements of a virtual list that are used again; see `model/slots.ts`. */

import { type RefObject, useLayoutEffect, useRef, useState } from "react";

import { reuseSlots, type RowKey } from "../model/slots";

type Slots = ReadonlyMap<RowKey, number>;

class SlotTable {
  #slots: Slots = new Map();

  /** Asking again with the same keys changes nothing, so a render may be repeated. */
  assign(keys: readonly RowKey[]): Slots {
    this.#slots = reuseSlots(this.#slots, keys);
    return this.#slots;
  }
}

/**
 * The slot of each row in sight: the `key` of its element, which names it in `data-slot`, too.
 *
 * The focus belongs to a row, not to an element: it is dropped when its row goes out of sight, as
 * if the element had been taken away. `list` holds the elements.
 */
export function useSlots(keys: readonly RowKey[], list: RefObject<HTMLElement | null>): Slots {
  const [table] = useState(() => new SlotTable());
  const slots = table.assign(keys);
  const before = useRef(slots);
  useLayoutEffect(() => {
    const focused = document.activeElement;
    const row = focused?.closest<HTMLElement>("[data-slot]") ?? null;
    if (focused instanceof HTMLElement && row !== null && list.current?.contains(row) === true) {
      const slot = Number(row.dataset["slot"]);
      const held = findKey(before.current, slot);
      if (held !== undefined && held !== findKey(slots, slot)) focused.blur();
    }
    before.current = slots;
  }, [slots, list]);
  return slots;
}

function findKey(slots: Slots, slot: number): RowKey | undefined {
  for (const [key, taken] of slots) if (taken === slot) return key;
  return undefined;
}
