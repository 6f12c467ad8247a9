/** Which tabs a span has: only those with something to show. */

import type { Assessment, Span } from "../../api/types";
import { readChat } from "../../model/chat";
import type { Tab } from "./url";

export interface TabTitle {
  tab: Tab;
  title: string;
  count?: number;
}

export function listTabs(span: Span | null, assessments: readonly Assessment[]): TabTitle[] {
  const context: TabTitle = { tab: "context", title: "Context" };
  const valid = assessments.filter((one) => one.valid).length;
  const judged: TabTitle = { tab: "assessments", title: "Assessments", ...(valid > 0 ? { count: valid } : {}) };
  if (span === null) return [context, judged];
  const tabs: TabTitle[] = [];
  if (readChatOf(span) !== null) tabs.push({ tab: "chat", title: "Chat" });
  if (span.inputs !== undefined || span.outputs !== undefined) tabs.push({ tab: "io", title: "In / out" });
  const attributes = Object.keys(span.attributes).length;
  tabs.push({ tab: "attributes", title: "Attributes", ...(attributes > 0 ? { count: attributes } : {}) });
  if (span.events.length > 0) tabs.push({ tab: "events", title: "Events", count: span.events.length });
  if (span.links.length > 0) tabs.push({ tab: "links", title: "Links", count: span.links.length });
  return [...tabs, judged, { tab: "raw", title: "Raw" }, context];
}

/** The tab that was asked for where there is one, else the first. */
export function chooseTab(tabs: readonly TabTitle[], wanted: Tab | null): Tab {
  return tabs.find(({ tab }) => tab === wanted)?.tab ?? tabs[0]?.tab ?? "context";
}

const chats = new WeakMap<Span, ReturnType<typeof readChat>>();

/** A span's conversation, read once. */
export function readChatOf(span: Span): ReturnType<typeof readChat> {
  const known = chats.get(span);
  if (known !== undefined) return known;
  const chat = readChat(span);
  chats.set(span, chat);
  return chat;
}
