/** What the filter bar suggests at its caret: fields, operators, observed values, recent filters. */

import type { Completion, CompletionResult } from "@codemirror/autocomplete";
import type { QueryClient } from "@tanstack/react-query";

import { fieldsQuery, valuesQuery } from "../../api/queries";
import { quoteValue } from "../../model/filter";
import { findPlace, listKnownValues, listOperators, type Place, rank } from "../../model/filterSyntax";
import { formatCount } from "../../model/format";

const MOST_FIELDS = 50;
const ALWAYS: readonly string[] = [
  "environment",
  "app_version",
  "state",
  "name",
  "commit",
  "branch",
  "session",
  "user",
  "execution_time_ms",
  "span.name",
];

export async function suggest(
  queries: QueryClient,
  experimentIds: readonly string[],
  recent: readonly string[],
  text: string,
  caret: number,
): Promise<CompletionResult | null> {
  const place = findPlace(text, caret);
  const found = await listFor(place, queries, experimentIds);
  const options = text === "" ? [...found, ...recent.map(recentFilter)] : found;
  return options.length === 0 ? null : { from: place.start, to: caret, options, filter: false };
}

async function listFor(
  place: Place,
  queries: QueryClient,
  experimentIds: readonly string[],
): Promise<Completion[]> {
  switch (place.wants) {
    case "field":
      return listFields(place.typed, queries, experimentIds);
    case "operator":
      return words(listOperators(place.field ?? ""), place.typed, "Operators");
    case "list":
      return words(["("], place.typed, "List");
    case "presence":
      return words(["NULL", "NOT NULL"], place.typed, "Presence");
    case "connective":
      return words(place.isInList ? [",", ")"] : ["AND", "OR"], place.typed, "And then");
    default:
      return listValues(place, queries, experimentIds);
  }
}

function words(texts: readonly string[], typed: string, section: string): Completion[] {
  return texts
    .filter((text) => rank(text, typed) === 0 && text !== typed)
    .map((text) => ({ label: text, apply: text === "(" ? text : `${text} `, section }));
}

async function listFields(
  typed: string,
  queries: QueryClient,
  experimentIds: readonly string[],
): Promise<Completion[]> {
  const { fields } = await queries.ensureQueryData(fieldsQuery(experimentIds));
  const first = new Map(ALWAYS.map((name, at) => [name, at]));
  return fields
    .flatMap(({ name, values }) => {
      const score = rank(name, typed);
      if (score === null || name === typed) return [];
      return [{ name, score, most: values[0]?.value }];
    })
    .toSorted(
      (a, b) =>
        a.score - b.score ||
        (first.get(a.name) ?? ALWAYS.length) - (first.get(b.name) ?? ALWAYS.length) ||
        (a.name < b.name ? -1 : 1),
    )
    .slice(0, MOST_FIELDS)
    .map(({ name, most }) => ({
      label: name,
      apply: `${name} `,
      section: "Fields",
      ...(most === undefined ? {} : { detail: cut(most) }),
    }));
}

async function listValues(
  { field, typed, isInList }: Place,
  queries: QueryClient,
  experimentIds: readonly string[],
): Promise<Completion[]> {
  if (field === null) return [];
  const counted = await observe(field, queries, experimentIds);
  const known = listKnownValues(field).filter((value) => !counted.some((one) => one.value === value));
  const wanted = typed.replace(/^['"]/, "").replace(/['"]$/, "");
  const all = [...counted, ...known.map((value) => ({ value, count: null }))];
  return all.flatMap(({ value, count }) => {
    const quoted = quoteValue(value);
    if (quoted === null || rank(value, wanted) === null || quoted === typed) return [];
    return [
      {
        label: quoted,
        apply: isInList ? quoted : `${quoted} `,
        section: "Values",
        ...(count === null ? {} : { detail: formatCount(count) }),
      },
    ];
  });
}

/** The most frequent values of a field; none where it has no facets, such as a time. */
async function observe(
  field: string,
  queries: QueryClient,
  experimentIds: readonly string[],
): Promise<readonly { value: string; count: number }[]> {
  if (/^(span|feedback|expectation|issue)\.|_ms$|^prompt$|_preview$|_id$/.test(field)) return [];
  try {
    const { facets } = await queries.ensureQueryData(valuesQuery(field, experimentIds));
    return facets[0]?.values ?? [];
  } catch {
    return []; // a field that is not one: the server says so when the filter is run
  }
}

function recentFilter(filter: string): Completion {
  return { label: filter, section: { name: "Recent filters", rank: 10 }, type: "recent" };
}

function cut(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}
