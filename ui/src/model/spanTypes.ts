/** How each span type is drawn: a colour token and a sign, as data. */

export interface SpanLook {
  colour: string;
  /** An SVG path on a 16 × 16 grid, drawn as a stroke. */
  path: string;
}

const SPEECH = "M3 4.5h10v6.5H8l-2.5 2.2V11H3z";
const PLAIN: SpanLook = { colour: "var(--type-plain)", path: "M8 5.6a2.4 2.4 0 1 0 .01 0" };

const LOOKS: Readonly<Record<string, SpanLook>> = {
  LLM: { colour: "var(--type-llm)", path: SPEECH },
  CHAT_MODEL: { colour: "var(--type-llm)", path: SPEECH },
  AGENT: { colour: "var(--type-agent)", path: "M4 6.5h8v6H4zM8 6.5V4M6.3 9.2v.8M9.7 9.2v.8" },
  TOOL: { colour: "var(--type-tool)", path: "M4 12l4.5-4.5M12 4.6A2.6 2.6 0 1 0 11.6 8" },
  RETRIEVER: { colour: "var(--type-retriever)", path: "M7 3.8a3.2 3.2 0 1 0 .01 0M9.4 9.4L12.5 12.5" },
  EMBEDDING: { colour: "var(--type-embedding)", path: "M4.5 4v8M8 6v4M11.5 3.5v9" },
  RERANKER: { colour: "var(--type-retriever)", path: "M5.5 12V4L3.5 6M10.5 4v8l2-2" },
  GUARDRAIL: { colour: "var(--type-guardrail)", path: "M8 3l4 1.5V8c0 2.5-1.7 4.2-4 5-2.3-.8-4-2.5-4-5V4.5z" },
  EVALUATOR: { colour: "var(--type-guardrail)", path: "M3.8 8.3l2.7 2.7 5.7-6" },
  CHAIN: { colour: "var(--type-chain)", path: "M4 8h8M9 5l3 3-3 3" },
  WORKFLOW: { colour: "var(--type-chain)", path: "M4 4.5h3v3H4zM9 8.5h3v3H9zM7 6h3.5v2.5" },
  TASK: { colour: "var(--type-chain)", path: "M4 8h8M9 5l3 3-3 3" },
  PARSER: { colour: "var(--type-chain)", path: "M6 4L3 8l3 4M10 4l3 4-3 4" },
};

export function lookOf(spanType: string): SpanLook {
  return LOOKS[spanType] ?? PLAIN;
}
