/** A drag over the bars marks a stretch of time; letting go zooms to it. */

import { type PointerEvent, type RefObject, useRef, useState } from "react";

import { clampSight, type Sight } from "../../model/timeline";

/** A pointer that moved less than this only clicked. */
const LEAST_DRAG_PX = 5;

interface Drag {
  pointerId: number;
  fromX: number;
  lane: DOMRect;
  isMoving: boolean;
}

export function useLaneDrag(
  scroller: RefObject<HTMLDivElement | null>,
  sight: Sight,
  lengthNs: number,
  onSight: (sight: Sight) => void,
) {
  const drag = useRef<Drag | null>(null);
  /** Fractions of the lane. */
  const [marked, setMarked] = useState<Sight | null>(null);

  const place = (event: PointerEvent, { fromX, lane }: Drag): Sight => {
    const part = (x: number): number => Math.min(1, Math.max(0, (x - lane.left) / lane.width));
    const [one, other] = [part(fromX), part(event.clientX)];
    return { from: Math.min(one, other), to: Math.max(one, other) };
  };
  const onPointerDown = (event: PointerEvent<HTMLDivElement>): void => {
    const lane = scroller.current?.querySelector("[data-lane]")?.getBoundingClientRect();
    if (event.button !== 0 || event.pointerType === "touch" || lane === undefined) return;
    if (event.clientX < lane.left || event.clientX > lane.right) return;
    drag.current = { pointerId: event.pointerId, fromX: event.clientX, lane, isMoving: false };
  };
  const onPointerMove = (event: PointerEvent<HTMLDivElement>): void => {
    const known = drag.current;
    if (known === null || known.pointerId !== event.pointerId) return;
    if (!known.isMoving && Math.abs(event.clientX - known.fromX) < LEAST_DRAG_PX) return;
    if (!known.isMoving) event.currentTarget.setPointerCapture(event.pointerId);
    known.isMoving = true;
    setMarked(place(event, known));
  };
  const end = (event: PointerEvent<HTMLDivElement>): void => {
    const known = drag.current;
    drag.current = null;
    setMarked(null);
    if (known === null || !known.isMoving || event.type === "pointercancel") return;
    const part = place(event, known);
    const width = sight.to - sight.from;
    const next = { from: sight.from + part.from * width, to: sight.from + part.to * width };
    onSight(clampSight(next, lengthNs));
  };
  return { marked, handlers: { onPointerDown, onPointerMove, onPointerUp: end, onPointerCancel: end } };
}
