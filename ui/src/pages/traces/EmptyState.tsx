/** Nothing here yet: how to send the first trace to this very server. */

import { useState } from "react";

import { hasApiKey } from "../../api/client";
import { CopyButton } from "../../components/CopyButton";
import styles from "./EmptyState.module.css";

const WAYS: readonly { title: string; key: string; write: (url: string) => string }[] = [
  {
    title: "Python",
    key: "WHENCE_API_KEY",
    write: (url) =>
      [
        "import whence",
        "",
        `whence.set_tracking_uri("${url}")`,
        "",
        "@whence.trace",
        "def answer(question: str) -> str:",
        '    return f"You asked: {question}"',
        "",
        'answer("Where did this trace come from?")',
      ].join("\n"),
  },
  {
    title: "MLflow",
    key: "MLFLOW_TRACKING_TOKEN",
    write: (url) =>
      [
        "import mlflow",
        "",
        `mlflow.set_tracking_uri("${url}")`,
        "",
        "@mlflow.trace",
        "def answer(question: str) -> str:",
        '    return f"You asked: {question}"',
        "",
        'answer("Where did this trace come from?")',
        "mlflow.flush_trace_async_logging()",
      ].join("\n"),
  },
  {
    title: "OpenTelemetry",
    key: 'OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20…"',
    write: (url) =>
      [
        "# any OpenTelemetry SDK, over OTLP/HTTP",
        `export OTEL_EXPORTER_OTLP_ENDPOINT="${url}"`,
        'export OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf"',
        'export OTEL_RESOURCE_ATTRIBUTES="service.version=2.1.0,deployment.environment.name=production"',
      ].join("\n"),
  },
];

export function EmptyState() {
  const [chosen, setChosen] = useState(0);
  const code = WAYS[chosen]?.write(window.location.origin) ?? "";
  return (
    <section className={styles.empty}>
      <h1>Send the first trace</h1>
      <p>Run this, and the trace appears here with the code, version and environment it came from.</p>
      <div className={styles.card}>
        <div className={styles.head}>
          {WAYS.map((way, index) => (
            <button
              key={way.title}
              type="button"
              aria-pressed={index === chosen}
              onClick={() => setChosen(index)}
            >
              {way.title}
            </button>
          ))}
          <span />
          <CopyButton text={code} />
        </div>
        <pre>{code}</pre>
      </div>
      {hasApiKey() ? (
        <p className={styles.key}>
          This server asks for its key: set <code>{WAYS[chosen]?.key}</code> where the program runs.
        </p>
      ) : null}
      <p className={styles.waiting} role="status">
        <span aria-hidden="true" /> Waiting for the first trace…
      </p>
    </section>
  );
}
