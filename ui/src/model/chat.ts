/**
 * Conversations in the inputs and outputs of a span, whichever library wrote them: OpenAI (chat and
 * responses), Anthropic, Gemini, OpenTelemetry's `gen_ai.*.messages`, OpenInference, LangChain.
 *
 * What can't be read as a part is kept as data, never dropped. The result of a tool is joined to
 * the call that asked for it, where their ids say so.
 */

import type { Json, Span } from "../api/types";

export type Part =
  | { kind: "text"; text: string }
  | { kind: "reasoning"; text: string }
  | { kind: "image"; address: string }
  | { kind: "call"; id: string; name: string; arguments: Json; result?: Json }
  | { kind: "result"; id: string; name: string; value: Json }
  | { kind: "data"; value: Json };

export interface Message {
  role: string;
  name: string;
  parts: Part[];
  /** Whether the span answered it, rather than was given it. */
  isOutput: boolean;
}

export interface Tool {
  name: string;
  description: string;
  definition: Json;
}

type Fields = { readonly [key: string]: Json };

const ROLES: Readonly<Record<string, string>> = {
  ai: "assistant",
  AIMessage: "assistant",
  AIMessageChunk: "assistant",
  model: "assistant",
  human: "user",
  HumanMessage: "user",
  SystemMessage: "system",
  ToolMessage: "tool",
  function: "tool",
};
const CONTENT_KEYS = ["content", "parts", "contents"] as const;
const DEEPEST = 3;

/** The conversation of a span, or null where neither inputs nor outputs hold messages. */
export function readChat(span: Pick<Span, "inputs" | "outputs">): Message[] | null {
  const asked = span.inputs === undefined ? null : findMessages(span.inputs, DEEPEST);
  const answered = span.outputs === undefined ? null : findMessages(span.outputs, DEEPEST);
  if (asked === null && answered === null) return null;
  const messages = [
    ...(asked ?? readPlain(span.inputs, "user")).map((one) => readMessage(one, "user", false)),
    ...(answered ?? readPlain(span.outputs, "assistant")).map((one) => readMessage(one, "assistant", true)),
  ];
  const system = readSystem(span.inputs);
  return joinResults(system === null ? messages : [system, ...messages]);
}

/** The tools that the model was offered. */
export function readTools(span: Pick<Span, "inputs" | "attributes">): Tool[] {
  const candidates = [
    span.attributes["mlflow.chat.tools"],
    span.attributes["gen_ai.tool.definitions"],
    asFields(span.inputs)?.["tools"],
    asFields(asFields(span.inputs)?.["invocation_params"])?.["tools"],
  ];
  const found = candidates.map((one) => asList(parseText(one))).find((one) => one !== null);
  return (found ?? []).map((definition) => {
    const fields = asFields(definition) ?? {};
    const described = asFields(fields["function"]) ?? fields;
    const [name, description] = [asText(described["name"]), asText(described["description"])];
    return { name: name || "tool", description, definition };
  });
}

// --- Finding the messages -------------------------------------------------------------------------

function findMessages(value: Json, depth: number): readonly Json[] | null {
  const list = asList(value);
  if (list !== null) {
    // LangChain writes a list of conversations.
    const inner = list.length === 1 ? asList(list[0]) : null;
    if (inner !== null) return findMessages(inner, depth);
    return list.some(isMessage) ? list : null;
  }
  const fields = asFields(value);
  if (fields === null) return null;
  if (isMessage(fields) && (asText(fields["role"]) !== "" || "kwargs" in fields)) return [fields];
  const choices = asList(fields["choices"]) ?? asList(fields["candidates"]);
  if (choices !== null) {
    const answers = choices.flatMap((choice) => {
      const one = asFields(choice);
      return one?.["message"] ?? one?.["content"] ?? one?.["delta"] ?? [];
    });
    return answers.some(isMessage) ? answers : null;
  }
  for (const key of ["messages", "input", "output", "contents", "message", "generations"]) {
    const inner = fields[key];
    if (inner === undefined) continue;
    const found = findMessages(inner, depth - 1);
    if (found !== null) return found;
  }
  if (depth > 0) {
    for (const key of ["request", "response", "kwargs", "input_messages", "output_messages"]) {
      const found = fields[key] === undefined ? null : findMessages(fields[key], depth - 1);
      if (found !== null) return found;
    }
  }
  return null;
}

/** Items of OpenAI's responses that are no messages, but parts of a conversation. */
const ITEM_TYPES = new Set(["function_call", "function_call_output", "reasoning", "message"]);

function isMessage(value: Json | undefined): boolean {
  const fields = unwrap(asFields(value) ?? {});
  const hasContent =
    CONTENT_KEYS.some((key) => key in fields) ||
    "tool_calls" in fields ||
    "function_call" in fields ||
    "reasoning_content" in fields;
  const type = asText(fields["type"]);
  if (ITEM_TYPES.has(type) && !("text" in fields)) return true;
  return hasContent && (typeof fields["role"] === "string" || type in ROLES);
}

/** OpenInference's `{"message": {…}}`, LangChain's `{"kwargs": {…}, "id": […, "AIMessage"]}`. */
function unwrap(fields: Fields): Fields {
  const inner = asFields(fields["message"]);
  if (inner !== null && !("role" in fields)) return unwrap(inner);
  const kwargs = asFields(fields["kwargs"]);
  const names = asList(fields["id"]);
  if (kwargs !== null && names !== null) return { type: asText(names.at(-1)), ...kwargs };
  const data = asFields(fields["data"]);
  if (data !== null && asText(fields["type"]) in ROLES) return { ...data, type: fields["type"] ?? "" };
  return fields;
}

function readPlain(value: Json | undefined, role: string): Json[] {
  return typeof value === "string" ? [{ role, content: value }] : [];
}

/** Anthropic's and Gemini's system prompt stands beside the messages. */
function readSystem(inputs: Json | undefined): Message | null {
  const fields = asFields(inputs);
  const inner = fields === null ? null : (asFields(fields["request"]) ?? fields);
  const given = inner?.["system"] ?? inner?.["system_instruction"] ?? inner?.["instructions"];
  if (given === undefined || given === null || given === "") return null;
  const parts = readContent(asFields(given)?.["parts"] ?? given);
  return { role: "system", name: "", parts, isOutput: false };
}

// --- Reading one message --------------------------------------------------------------------------

function readMessage(value: Json, otherwise: string, isOutput: boolean): Message {
  const given = asFields(value);
  if (given === null) {
    const parts = typeof value === "string" ? readContent(value) : [{ kind: "data" as const, value }];
    return { role: otherwise, name: "", parts, isOutput };
  }
  const fields = unwrap(given);
  const type = asText(fields["type"]);
  const said = asText(fields["role"]) || type;
  const role = ROLES[said] ?? (ITEM_TYPES.has(said) ? ITEM_ROLES[said] ?? otherwise : said || otherwise);
  const content = CONTENT_KEYS.map((key) => fields[key]).find((one) => one !== undefined && one !== null);
  const name = asText(fields["name"]);
  const callId = asText(fields["tool_call_id"]);
  if ((role === "tool" || callId !== "") && !ITEM_TYPES.has(type) && content !== undefined) {
    const whole = readContent(content);
    const results = whole.filter((part) => part.kind === "result");
    if (results.length > 0) return { role: "tool", name, parts: whole, isOutput };
    const result = parseText(content) ?? content;
    return { role: "tool", name, parts: [{ kind: "result", id: callId, name, value: result }], isOutput };
  }
  const parts: Part[] = [];
  const reasoning = asText(fields["reasoning_content"]) || asText(fields["reasoning"]);
  if (reasoning !== "") parts.push({ kind: "reasoning", text: reasoning });
  if (ITEM_TYPES.has(type) && type !== "message") parts.push(readPart(fields));
  else if (content !== undefined) parts.push(...readContent(content));
  const refusal = asText(fields["refusal"]);
  if (refusal !== "") parts.push({ kind: "text", text: refusal });
  const extra = asFields(fields["additional_kwargs"]);
  for (const call of asList(fields["tool_calls"]) ?? asList(extra?.["tool_calls"]) ?? []) {
    const known = readCall(asFields(asFields(call)?.["tool_call"]) ?? asFields(call) ?? {});
    if (!parts.some((part) => part.kind === "call" && part.id !== "" && part.id === known.id)) {
      parts.push(known);
    }
  }
  const call = asFields(fields["function_call"]);
  if (call !== null) parts.push(readCall(call));
  return { role, name, parts, isOutput };
}

const ITEM_ROLES: Readonly<Record<string, string>> = {
  function_call: "assistant",
  reasoning: "assistant",
  function_call_output: "tool",
};

function readContent(content: Json): Part[] {
  if (typeof content === "string") return content === "" ? [] : [{ kind: "text", text: content }];
  const list = asList(content);
  if (list === null) return [readPart(content)];
  return list.map(readPart);
}

const TEXT_TYPES = new Set(["text", "input_text", "output_text", "summary_text", "refusal"]);

function readPart(value: Json): Part {
  if (typeof value === "string") return { kind: "text", text: value };
  const given = asFields(value);
  if (given === null) return { kind: "data", value };
  const fields = asFields(given["message_content"]) ?? given;
  const type = asText(fields["type"]);
  const text = fields["text"] ?? fields["content"] ?? fields["refusal"];
  if (type === "reasoning" || type === "thinking" || fields["thought"] === true) {
    const summary = asList(fields["summary"])?.map((one) => asText(asFields(one)?.["text"])).join("\n\n");
    return { kind: "reasoning", text: asText(fields["thinking"]) || summary || asText(text) };
  }
  if ((TEXT_TYPES.has(type) || type === "") && typeof text === "string") return { kind: "text", text };
  const image = readImage(fields, type);
  if (image !== null) return { kind: "image", address: image };
  const called = asFields(fields["functionCall"]) ?? asFields(fields["function_call"]);
  if (called !== null) return readCall(called);
  const returned = asFields(fields["functionResponse"]) ?? asFields(fields["function_response"]);
  if (returned !== null) return readResult(returned);
  if (CALL_TYPES.has(type)) return readCall(fields);
  if (RESULT_TYPES.has(type)) return readResult(fields);
  return { kind: "data", value };
}

const CALL_TYPES = new Set(["tool_use", "tool_call", "function_call", "function", "server_tool_use"]);
const RESULT_TYPES = new Set(["tool_result", "tool_call_response", "function_call_output", "tool"]);

function readCall(fields: Fields): Part & { kind: "call" } {
  const described = asFields(fields["function"]) ?? fields;
  const given = described["arguments"] ?? described["input"] ?? described["args"] ?? null;
  const id = asText(fields["call_id"]) || asText(fields["id"]);
  return { kind: "call", id, name: asText(described["name"]) || "tool", arguments: parseText(given) ?? given };
}

function readResult(fields: Fields): Part {
  const id = asText(fields["tool_use_id"]) || asText(fields["call_id"]) || asText(fields["id"]);
  const given = fields["result"] ?? fields["response"] ?? fields["output"] ?? fields["content"] ?? null;
  return { kind: "result", id, name: asText(fields["name"]), value: parseText(given) ?? given };
}

function readImage(fields: Fields, type: string): string | null {
  const inline = asFields(fields["inlineData"]) ?? asFields(fields["inline_data"]);
  if (inline !== null) {
    return writeData(asText(inline["mimeType"]) || asText(inline["mime_type"]), asText(inline["data"]));
  }
  if (!type.includes("image")) return null;
  const source = asFields(fields["source"]);
  if (source !== null) {
    return asText(source["url"]) || writeData(asText(source["media_type"]), asText(source["data"]));
  }
  const nested = asFields(fields["image_url"]) ?? asFields(asFields(fields["image"])?.["image"]);
  return asText(fields["image_url"]) || asText(nested?.["url"]) || null;
}

function writeData(type: string, data: string): string | null {
  return data === "" ? null : `data:${type};base64,${data}`;
}

// --- Joining calls and results --------------------------------------------------------------------

function joinResults(messages: readonly Message[]): Message[] {
  const calls = new Map<string, Part & { kind: "call" }>();
  const joined: Message[] = [];
  for (const message of messages) {
    const parts = message.parts.filter((part) => {
      if (part.kind === "call" && part.id !== "") calls.set(part.id, part);
      if (part.kind !== "result" || part.id === "") return true;
      const call = calls.get(part.id);
      if (call === undefined || call.result !== undefined) return true;
      call.result = part.value;
      return false;
    });
    if (parts.length > 0 || message.parts.length === 0) joined.push({ ...message, parts });
  }
  return joined;
}

// --- Plain values ---------------------------------------------------------------------------------

function asFields(value: Json | undefined): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

function asList(value: Json | undefined | null): readonly Json[] | null {
  return Array.isArray(value) ? (value as readonly Json[]) : null;
}

function asText(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

/** The value that a JSON text holds; undefined where it is no text, or holds no object or list. */
function parseText(value: Json | undefined): Json | undefined {
  if (typeof value !== "string") return value;
  if (!/^\s*[[{]/.test(value)) return undefined;
  try {
    return JSON.parse(value) as Json;
  } catch {
    return undefined;
  }
}

/** A conversation as text, one heading a message: what a diff compares. */
export function writeChat(messages: readonly Message[]): string {
  return messages
    .map(({ role, parts }) => `${role}:\n${parts.map(writePart).join("\n")}`)
    .join("\n\n");
}

function writePart(part: Part): string {
  if (part.kind === "text" || part.kind === "reasoning") return part.text;
  if (part.kind === "image") return `[image ${part.address.slice(0, 80)}]`;
  if (part.kind === "call") {
    const result = part.result === undefined ? "" : `\n→ ${writeJson(part.result)}`;
    return `${part.name}(${writeJson(part.arguments)})${result}`;
  }
  return writeJson(part.value);
}

function writeJson(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
