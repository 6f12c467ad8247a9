/** A request that failed: what the server said, its request id, and another try. */

import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";

import { ApiError, hasApiKey, keepApiKey } from "../api/client";
import styles from "./small.module.css";

interface ProblemProps {
  error: Error;
  onRetry: () => void;
}

export function Problem({ error, onRetry }: ProblemProps) {
  const requestId = error instanceof ApiError ? error.requestId : null;
  if (error instanceof ApiError && error.status === 401) {
    return <KeyForm onDone={onRetry} />;
  }
  return (
    <div className={styles.problem} role="alert">
      <p>{error.message}</p>
      {requestId === null ? null : (
        <p className={styles.faint}>
          Request <code>{requestId}</code>
        </p>
      )}
      <button type="button" className="quiet-button" onClick={onRetry}>
        Try again
      </button>
    </div>
  );
}

/** The server demands a key. With the right one everything on the page is asked for again. */
function KeyForm({ onDone }: { onDone: () => void }) {
  const queries = useQueryClient();
  const [key, setKey] = useState("");
  const [wasSent] = useState(hasApiKey);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    keepApiKey(key.trim());
    onDone();
    void queries.invalidateQueries();
  };
  return (
    <form className={`${styles.problem} ${styles.asks}`} onSubmit={submit}>
      <h2>This server asks for a key</h2>
      {wasSent ? <p role="alert">The key that was sent is not the server's.</p> : null}
      <label>
        API key (<code>WHENCE_API_KEY</code> of the server), kept until this tab is closed
        <input
          type="password"
          autoComplete="off"
          value={key}
          onChange={(event) => setKey(event.target.value)}
        />
      </label>
      <button type="submit" className="solid-button" disabled={key.trim() === ""}>
        Use this key
      </button>
    </form>
  );
}
