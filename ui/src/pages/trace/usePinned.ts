/** The attributes that this browser has pinned. */

import { useCallback, useMemo } from "react";

import { useKept } from "../../kept";
import { readTexts } from "../../model/kept";
import { togglePin } from "../../model/pinned";

const PINNED = "whence.trace.pinned";

export interface Pins {
  keys: readonly string[];
  toggle: (key: string) => void;
}

export function usePinned(): Pins {
  const [kept, keep] = useKept(PINNED);
  const keys = useMemo(() => readTexts(kept), [kept]);
  const toggle = useCallback((key: string) => keep(JSON.stringify(togglePin(keys, key))), [keys, keep]);
  return { keys, toggle };
}
