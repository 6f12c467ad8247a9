/** Which times a page is about: presets, two moments, or all. */

import { type FormEvent, useState } from "react";

import { Menu, MenuClose } from "./Menu";
import {
  ALL_TIME,
  type Bounds,
  describeTime,
  fromLocalField,
  parseLast,
  PRESETS,
  type TimeRange,
  toLocalField,
} from "../model/time";
import { Link, navigate } from "../router";
import styles from "./menus.module.css";

interface TimeMenuProps {
  time: TimeRange;
  bounds: Bounds;
  /** The address of the same page at another time. */
  hrefOf: (time: TimeRange) => string;
}

export function TimeMenu({ time, bounds, hrefOf }: TimeMenuProps) {
  const [isOpen, setOpen] = useState(false);
  const ranges = [ALL_TIME, ...PRESETS.map(parseLast).filter((range) => range !== null)];
  return (
    <Menu
      title="Time"
      isOpen={isOpen}
      onOpenChange={setOpen}
      label={
        <>
          <svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true">
            <g fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round">
              <circle cx="8" cy="8" r="6" />
              <path d="M8 4.5V8l2.4 1.6" />
            </g>
          </svg>
          {describeTime(time)}
        </>
      }
    >
      <ul className={styles.list}>
        {ranges.map((range) => (
          <li key={describeTime(range)}>
            <MenuClose asChild>
              <Link
                href={hrefOf(range)}
                aria-current={describeTime(range) === describeTime(time) ? "true" : undefined}
              >
                {describeTime(range)}
              </Link>
            </MenuClose>
          </li>
        ))}
      </ul>
      <Between bounds={bounds} hrefOf={hrefOf} onDone={() => setOpen(false)} />
    </Menu>
  );
}

interface BetweenProps {
  bounds: Bounds;
  hrefOf: (time: TimeRange) => string;
  onDone: () => void;
}

function Between({ bounds, hrefOf, onDone }: BetweenProps) {
  const [since, setSince] = useState(toLocalField(bounds.sinceMs));
  const [until, setUntil] = useState(toLocalField(bounds.untilMs));
  const [mistake, setMistake] = useState<string | null>(null);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const sinceMs = fromLocalField(since);
    const untilMs = fromLocalField(until);
    if (sinceMs === null && untilMs === null) {
      setMistake("Give at least one of the two times");
    } else if (sinceMs !== null && untilMs !== null && sinceMs >= untilMs) {
      setMistake("“Until” must be later than “From”");
    } else {
      navigate(hrefOf({ kind: "between", sinceMs, untilMs }));
      onDone();
    }
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      <label>
        From
        <input
          type="datetime-local"
          step="1"
          value={since}
          onChange={(event) => setSince(event.target.value)}
        />
      </label>
      <label>
        Until
        <input
          type="datetime-local"
          step="1"
          value={until}
          onChange={(event) => setUntil(event.target.value)}
        />
      </label>
      {mistake === null ? null : (
        <p className={styles.mistake} role="alert">
          {mistake}
        </p>
      )}
      <button type="submit" className="solid-button">
        Apply
      </button>
    </form>
  );
}
