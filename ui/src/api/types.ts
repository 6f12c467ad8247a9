/**
 * What the server says, by the names that the pages use.
 *
 * `schema.d.ts` is generated from the server's OpenAPI document; this file only names its parts and
 * says `Json` where the document says "anything". Times in nanoseconds are decimal strings: they
 * don't fit a JavaScript number.
 */

import type { components } from "./schema";

type Schemas = components["schemas"];

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };

type Values = Readonly<Record<string, Json>>;

export type TraceInfo = Schemas["TraceInfo"];
export type Conflict = Schemas["Conflict"];
export type Experiment = Schemas["Experiment"];
export type Field = Schemas["SeenField"];

export type SpanEvent = Omit<Schemas["SpanEvent"], "attributes"> & { attributes: Values };
export type SpanLink = Omit<Schemas["SpanLink"], "attributes"> & { attributes: Values };

type Anything = "inputs" | "outputs" | "attributes" | "resource" | "scope" | "events" | "links";

export type Span = Omit<Schemas["Span"], Anything> & {
  inputs?: Json;
  outputs?: Json;
  attributes: Values;
  resource: Values;
  scope: Json;
  events: readonly SpanEvent[];
  links: readonly SpanLink[];
};

export type Assessment = Schemas["Assessment"];

export type Trace = Omit<Schemas["TraceView"], "spans"> & { spans: readonly Span[] };

export type TracePage = Schemas["TracePage"];

export type FacetList = Schemas["FacetList"];
export type Facet = Schemas["Facet"];

export type TraceSeries = Schemas["TraceSeries"];
export type Line = Schemas["Line"];

export type Comparison = Schemas["Comparison"];
export type Arm = Schemas["Arm"];
export type MetricComparison = Schemas["MetricComparison"];
export type Explanation = Schemas["Explanation"];
export type ErrorSignature = Schemas["ErrorSignature"];
export type DurationDistribution = Schemas["DurationDistribution"];
export type DurationRegion = Schemas["DurationRegion"];
export type VersionRow = Schemas["VersionRow"];
export type TraceGroup = Schemas["TraceGroup"];
export type TraceGroups = Schemas["TraceGroups"];

export type SavedView = Pick<Schemas["SavedView"], "name" | "search">;
export type VersionDetail = Schemas["VersionDetail"];
export type VersionDiff = Schemas["VersionDiff"];
export type Counted = Schemas["Counted"];
export type Finding = Schemas["Finding"];
export type FindingList = Schemas["FindingList"];
export type Timeline = Schemas["Timeline"];
export type EnvironmentOverview = Schemas["EnvironmentOverview"];
export type EnvironmentRow = Schemas["EnvironmentRow"];
export type StoredDocument = Schemas["StoredDocument"];

export type TraceDiff = Schemas["TraceDiff"];
export type SpanDiff = Schemas["SpanDiff"];
export type ValueDiff = Schemas["ValueDiff"];
