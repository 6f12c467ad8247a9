/** A conversation as people read it: who said what, which tool was called with what and answered what. */

import { lazy, Suspense, useMemo } from "react";

import type { Json, Span } from "../../api/types";
import { CopyButton } from "../../components/CopyButton";
import { JsonViewer } from "../../components/JsonViewer";
import { LongText } from "../../components/LongText";
import { useKept } from "../../kept";
import { type Message, type Part, readTools, type Tool, writeChat } from "../../model/chat";
import { formatCount, formatNumberOf } from "../../model/format";
import { toLine } from "../../model/json";
import styles from "./Chat.module.css";
import { readChatOf } from "./tabs";

const Markdown = lazy(() => import("../../components/Markdown"));

const LOOK = "whence.trace.chat";
type Look = "markdown" | "plain" | "json";
const LOOKS: readonly (readonly [Look, string])[] = [
  ["markdown", "Markdown"],
  ["plain", "Plain"],
  ["json", "JSON"],
];
/** Above this many characters a text is not parsed as Markdown. */
const LONGEST_MARKDOWN = 60_000;
/** Of a longer conversation the middle is folded. */
const MOST_MESSAGES = 60;
const SHOWN_BEFORE = 6;
const SHOWN_AFTER = 30;
const LONGEST_ADDRESS = 120;
const LARGEST_IMAGE = 8_000_000;

export function ChatView({ span }: { span: Span }) {
  const messages = readChatOf(span) ?? [];
  const tools = useMemo(() => readTools(span), [span]);
  const [kept, keep] = useKept(LOOK);
  const look = LOOKS.find(([one]) => one === kept)?.[0] ?? "markdown";
  const isFolded = messages.length > MOST_MESSAGES;
  const first = isFolded ? messages.slice(0, SHOWN_BEFORE) : messages;
  const middle = isFolded ? messages.slice(SHOWN_BEFORE, -SHOWN_AFTER) : [];
  const last = isFolded ? messages.slice(-SHOWN_AFTER) : [];
  return (
    <section className={styles.chat} aria-label="Chat">
      <div className={styles.looks}>
        <span>{formatNumberOf(messages.length, "message")}</span>
        <fieldset>
          <legend className="visually-hidden">How texts are shown</legend>
          {LOOKS.map(([one, name]) => (
            <button key={one} type="button" aria-pressed={look === one} onClick={() => keep(one)}>
              {name}
            </button>
          ))}
        </fieldset>
        <CopyButton text={() => writeChat(messages)} label="Copy all" />
      </div>
      <Tools tools={tools} />
      {look === "json" ? (
        <JsonViewer title="Messages" value={messages as unknown as Json} />
      ) : (
        <>
          <Messages messages={first} look={look} />
          {middle.length === 0 ? null : (
            <details className={styles.middle}>
              <summary>{formatCount(middle.length)} more messages</summary>
              <Messages messages={middle} look={look} />
            </details>
          )}
          <Messages messages={last} look={look} />
        </>
      )}
    </section>
  );
}

function Tools({ tools }: { tools: readonly Tool[] }) {
  if (tools.length === 0) return null;
  return (
    <details className={styles.tools}>
      <summary>{formatNumberOf(tools.length, "tool")} offered</summary>
      {tools.map((tool, index) => (
        // oxlint-disable-next-line react/no-array-index-key -- two tools may share a name
        <details key={index}>
          <summary>
            <code>{tool.name}</code> {toLine(tool.description, LONGEST_ADDRESS)}
          </summary>
          <JsonViewer title="Definition" value={tool.definition} />
        </details>
      ))}
    </details>
  );
}

function Messages({ messages, look }: { messages: readonly Message[]; look: Look }) {
  return messages.map((message, index) => (
    // oxlint-disable-next-line react/no-array-index-key -- messages have no id and never move
    <MessageBlock key={index} message={message} look={look} />
  ));
}

function MessageBlock({ message, look }: { message: Message; look: Look }) {
  const { role, name, parts, isOutput } = message;
  const body = parts.map((part, index) => (
    // oxlint-disable-next-line react/no-array-index-key -- parts have no id and never move
    <PartBlock key={index} part={part} look={look} />
  ));
  const title = (
    <>
      <strong>{role}</strong>
      {name === "" ? null : <code>{name}</code>}
    </>
  );
  if (role === "system" || role === "developer") {
    const text = parts.find((part) => part.kind === "text")?.text ?? "";
    return (
      <details className={styles.message} data-role="system">
        <summary>
          {title} <span className={styles.preview}>{toLine(text, LONGEST_ADDRESS)}</span>
        </summary>
        {body}
      </details>
    );
  }
  return (
    <article className={styles.message} data-role={role} data-output={isOutput ? "" : undefined}>
      <header>
        {title}
        {isOutput ? <span className={styles.output}>output</span> : null}
        <CopyButton text={() => writeChat([message]).replace(/^.*:\n/, "")} />
      </header>
      {parts.length === 0 ? <p className={styles.empty}>(empty)</p> : body}
    </article>
  );
}

function PartBlock({ part, look }: { part: Part; look: Look }) {
  if (part.kind === "text") return <Words text={part.text} look={look} />;
  if (part.kind === "reasoning") {
    return (
      <details className={styles.reasoning}>
        <summary>Reasoning</summary>
        <Words text={part.text} look={look} />
      </details>
    );
  }
  if (part.kind === "image") return <Picture address={part.address} />;
  if (part.kind === "call") {
    return (
      <section className={styles.call} aria-label={`Call of ${part.name}`}>
        <h4>
          <code>{part.name}</code>
          {part.id === "" ? null : <span>{part.id}</span>}
        </h4>
        <JsonViewer title="Arguments" value={part.arguments} isSmall />
        {part.result === undefined ? (
          <p className={styles.empty}>No result in this conversation</p>
        ) : (
          <JsonViewer title="Result" value={part.result} isSmall />
        )}
      </section>
    );
  }
  if (part.kind === "result") return <JsonViewer title={part.name || "Result"} value={part.value} isSmall />;
  return <JsonViewer title="Part" value={part.value} isSmall />;
}

function Words({ text, look }: { text: string; look: Look }) {
  if (look !== "markdown" || text.length > LONGEST_MARKDOWN) return <LongText text={text} />;
  return (
    <Suspense fallback={<LongText text={text} />}>
      <Markdown text={text} />
    </Suspense>
  );
}

/** Only pictures that the trace itself holds are shown: another address would tell its host who reads. */
function Picture({ address }: { address: string }) {
  const isInside = /^data:image\/(png|jpe?g|gif|webp|avif);base64,/i.test(address);
  if (isInside && address.length <= LARGEST_IMAGE) {
    return <img className={styles.picture} src={address} alt="Part of the message" />;
  }
  const isLink = /^https?:\/\//i.test(address);
  const shown = toLine(address, LONGEST_ADDRESS);
  return (
    <p className={styles.empty}>
      Image:{" "}
      {isLink ? (
        <a href={address} target="_blank" rel="noreferrer noopener">
          {shown}
        </a>
      ) : (
        shown
      )}
    </p>
  );
}
