/** The whole trace in little, with a window over the part in sight: drag it, or its edges, or beside it. */

import { type KeyboardEvent, type PointerEvent, useMemo, useRef } from "react";

import { formatDuration } from "../../model/format";
import { drawMinimap } from "../../model/minimap";
import { clampSight, isWhole, pan, type Sight, WHOLE, zoom } from "../../model/timeline";
import styles from "./Minimap.module.css";
import type { Tree } from "./useTree";

const COLUMNS = 480;
const LINES = 26;
const EDGE_PX = 7;
const STEP = 0.1;

interface MinimapProps {
  tree: Tree;
  sight: Sight;
  onSight: (sight: Sight) => void;
}

type Grip = "from" | "to" | "window" | "new";

export function Minimap({ tree, sight, onSight }: MinimapProps) {
  const { nodes, times, extent } = tree;
  const paths = useMemo(
    () => drawMinimap(nodes, times, extent.lengthNs, COLUMNS, LINES),
    [nodes, times, extent],
  );
  const lines = Math.max(1, Math.min(LINES, nodes.length));
  const grip = useRef<{ grip: Grip; at: number; sight: Sight } | null>(null);

  const press = (event: PointerEvent<HTMLDivElement>): void => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const at = partOf(event);
    const edge = EDGE_PX / event.currentTarget.offsetWidth;
    grip.current = { grip: chooseGrip(at, sight, edge), at, sight };
  };
  const move = (event: PointerEvent<HTMLDivElement>): void => {
    const held = grip.current;
    if (held === null || !event.currentTarget.hasPointerCapture(event.pointerId)) return;
    const at = partOf(event);
    if (held.grip === "window") {
      const width = held.sight.to - held.sight.from;
      onSight(pan(held.sight, (at - held.at) / width));
      return;
    }
    const fixed = held.grip === "from" ? held.sight.to : held.grip === "to" ? held.sight.from : held.at;
    const next = { from: Math.min(fixed, at), to: Math.max(fixed, at) };
    if (next.to - next.from > 1 / event.currentTarget.offsetWidth) onSight(clampSight(next, extent.lengthNs));
  };
  const steer = (event: KeyboardEvent): void => {
    const steps: Readonly<Record<string, () => Sight>> = {
      ArrowLeft: () => pan(sight, -STEP),
      ArrowRight: () => pan(sight, STEP),
      ArrowUp: () => zoom(sight, 0.5, 0.5, extent.lengthNs),
      ArrowDown: () => zoom(sight, 2, 0.5, extent.lengthNs),
      Home: () => WHOLE,
    };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    onSight(step());
  };

  return (
    <div
      role="slider"
      aria-label="Overview: arrows move and zoom, Home shows all"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(sight.from * 100)}
      aria-valuetext={`${formatDuration(sight.from * extent.lengthNs)} to ${formatDuration(sight.to * extent.lengthNs)}`}
      tabIndex={0}
      className={styles.map}
      onPointerDown={press}
      onPointerMove={move}
      onPointerUp={() => {
        grip.current = null;
      }}
      onDoubleClick={() => onSight(WHOLE)}
      onKeyDown={steer}
    >
      <svg viewBox={`0 0 ${COLUMNS} ${lines}`} preserveAspectRatio="none" aria-hidden="true">
        {paths.map(({ colour, path }) => (
          <path key={colour} d={path} style={{ stroke: colour }} />
        ))}
      </svg>
      {isWhole(sight) ? null : (
        <>
          <span className={styles.shade} style={{ left: 0, width: `${sight.from * 100}%` }} />
          <span className={styles.shade} style={{ right: 0, width: `${(1 - sight.to) * 100}%` }} />
          <span
            className={styles.window}
            style={{ left: `${sight.from * 100}%`, right: `${(1 - sight.to) * 100}%` }}
          />
        </>
      )}
    </div>
  );
}

function partOf(event: PointerEvent<HTMLDivElement>): number {
  const box = event.currentTarget.getBoundingClientRect();
  return Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
}

function chooseGrip(at: number, sight: Sight, edge: number): Grip {
  if (isWhole(sight)) return "new";
  if (Math.abs(at - sight.from) < edge) return "from";
  if (Math.abs(at - sight.to) < edge) return "to";
  return at > sight.from && at < sight.to ? "window" : "new";
}
