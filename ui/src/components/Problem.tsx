/** A request that failed: what the server said, its request id, and another try. */

import { type FormEvent, useState } from "react";

import { ApiError, keepApiKey } from "../api/client";
import styles from "./small.module.css";

interface ProblemProps {
  error: Error;
  onRetry: () => void;
}

export function Problem({ error, onRetry }: ProblemProps) {
  const requestId = error instanceof ApiError ? error.requestId : null;
  if (error instanceof ApiError && error.status === 401) {
    return <KeyForm message={error.message} onDone={onRetry} />;
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

function KeyForm({ message, onDone }: { message: string; onDone: () => void }) {
  const [key, setKey] = useState("");
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    keepApiKey(key.trim());
    onDone();
  };
  return (
    <form className={styles.problem} onSubmit={submit}>
      <p>{message}</p>
      <label>
        API key (WHENCE_API_KEY of the server), kept until this tab is closed
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
