/** The parts of a page that is read from top to bottom. */

import type { ReactNode } from "react";

import styles from "./Page.module.css";

/** Scrolls as a whole; the controls stand above the content. */
export function Page({ controls, children }: { controls?: ReactNode; children: ReactNode }) {
  return (
    <div className={styles.scroller}>
      {controls === undefined ? null : <div className={styles.controls}>{controls}</div>}
      {children}
    </div>
  );
}

/** The content; faint while what is shown is no longer, or not yet, what was asked for. */
export function Body({ isStale = false, children }: { isStale?: boolean; children: ReactNode }) {
  return <div className={`${styles.page} ${isStale ? styles.stale : ""}`}>{children}</div>;
}

export function Section({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <section className={styles.section} aria-label={title}>
      <header>
        <h2>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** What is there until the first answer. */
export function Bones({ label }: { label: string }) {
  return (
    <div className={styles.page} role="status" aria-label={label}>
      <div className={styles.bones}>
        {Array.from({ length: 9 }, (_, index) => (
          // eslint-disable-next-line react/no-array-index-key -- they are all alike
          <div key={index} />
        ))}
      </div>
    </div>
  );
}

/** Where there is nothing to show, what to do about it. */
export function Advice({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className={styles.advice} role="alert">
      <h2>{title}</h2>
      {children}
    </div>
  );
}
