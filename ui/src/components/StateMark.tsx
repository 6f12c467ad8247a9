import styles from "./small.module.css";

const STATES: Readonly<Record<string, { text: string; look: string | undefined }>> = {
  OK: { text: "OK", look: styles.ok },
  ERROR: { text: "Error", look: styles.error },
  IN_PROGRESS: { text: "Running", look: styles.running },
};

/** A trace's state or a span's status: a mark, a word, and a colour; never the colour alone. */
export function StateMark({ state }: { state: string }) {
  const { text, look } = STATES[state] ?? { text: state.toLowerCase(), look: styles.unset };
  return (
    <span className={`${styles.state} ${look}`}>
      <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
        {state === "ERROR" ? (
          <path d="M3 3l6 6M9 3l-6 6" />
        ) : state === "OK" ? (
          <path d="M2.2 6.4l2.5 2.5 5-5.6" />
        ) : (
          <circle cx="6" cy="6" r="3.2" />
        )}
      </svg>
      {text}
    </span>
  );
}
