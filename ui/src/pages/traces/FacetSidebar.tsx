/** The values of fields with their counts; a click adds to the filter, or takes away again. */

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type MouseEvent, useState } from "react";

import { useLastAnswer } from "../../api/lastAnswer";
import { type Scope, facetsQuery, fieldsQuery } from "../../api/queries";
import type { Facet } from "../../api/types";
import { Problem } from "../../components/Problem";
import { useKept } from "../../kept";
import { clearPicked, type Mode, nameField, type Picked, readPicked, togglePicked } from "../../model/facets";
import { formatCount } from "../../model/format";
import { readTexts } from "../../model/kept";
import { Link, navigate } from "../../router";
import styles from "./FacetSidebar.module.css";
import { buildTracesUrl, type TracesView } from "./url";

const TITLES: Readonly<Record<string, string>> = {
  environment: "Environment",
  app_version: "Version",
  branch: "Branch",
  commit: "Commit",
  state: "State",
  name: "Trace name",
  session: "Session",
  user: "User",
};
const STANDARD = Object.keys(TITLES);
const OPEN_AT_FIRST = ["environment", "app_version", "state", "name", "branch"];
const SAID_ABOVE: ReadonlySet<unknown> = new Set([0, 400, 401]);
const SHOWN = 8;
const SHOWN_MORE = 50;
const STATES: Readonly<Record<string, string>> = { OK: "OK", ERROR: "Error", IN_PROGRESS: "Running" };
const SHORT_COMMIT = 12;

interface SidebarProps {
  view: TracesView;
  scope: Scope;
  /** Counts are asked for; on a first view, after the rows. */
  isWanted: boolean;
}

export function FacetSidebar({ view, scope, isWanted }: SidebarProps) {
  const [keptOpen, keepOpen] = useKept("whence.facets_open");
  const [keptAdded, keepAdded] = useKept("whence.facets_added");
  const open = keptOpen === null ? OPEN_AT_FIRST : readTexts(keptOpen);
  const added = readTexts(keptAdded);
  const fields = [...STANDARD, ...added.filter((field) => !STANDARD.includes(field))];
  const asked = fields.filter((field) => open.includes(field)).slice(0, 20);
  const query = useQuery({
    ...facetsQuery(scope, asked, SHOWN),
    enabled: isWanted && asked.length > 0,
    placeholderData: keepPreviousData,
  });
  const answer = useLastAnswer(query.data);
  const toggleOpen = (field: string): void => {
    const next = open.includes(field) ? open.filter((one) => one !== field) : [...open, field];
    keepOpen(JSON.stringify(next));
  };
  const add = (field: string): void => {
    keepAdded(JSON.stringify([...added, field]));
    keepOpen(JSON.stringify([...open, field]));
  };
  // A mistake stands under the filter; a missing key or server concerns the whole page, which says so.
  const isBroken = query.error !== null && !("status" in query.error && SAID_ABOVE.has(query.error.status));
  return (
    <div className={styles.facets}>
      {isBroken && query.error !== null ? (
        <Problem error={query.error} onRetry={() => void query.refetch()} />
      ) : null}
      {fields.map((field) => (
        <FacetGroup
          key={field}
          field={field}
          facet={answer?.facets.find((one) => one.field === field)}
          isOpen={open.includes(field)}
          isStale={query.isPlaceholderData || query.error !== null}
          view={view}
          scope={scope}
          onToggle={() => toggleOpen(field)}
          onRemove={
            added.includes(field)
              ? () => keepAdded(JSON.stringify(added.filter((one) => one !== field)))
              : null
          }
        />
      ))}
      {answer?.sampled === true ? (
        <p className={styles.note}>Counts with ≈ are extrapolated from a sample of hours.</p>
      ) : null}
      <AddFacet
        shown={fields}
        experimentIds={view.experimentIds}
        isWanted={isWanted}
        onAdd={add}
      />
    </div>
  );
}

interface GroupProps {
  field: string;
  facet: Facet | undefined;
  isOpen: boolean;
  isStale: boolean;
  view: TracesView;
  scope: Scope;
  onToggle: () => void;
  onRemove: (() => void) | null;
}

function FacetGroup(props: GroupProps) {
  const { field, facet: first, isOpen, isStale, view, scope, onToggle, onRemove } = props;
  const [showsMore, setShowsMore] = useState(false);
  const more = useQuery({ ...facetsQuery(scope, [field], SHOWN_MORE), enabled: isOpen && showsMore });
  const facet = (showsMore ? more.data?.facets[0] : undefined) ?? first;
  const picked = readPicked(view.filter, field);
  const count = picked.included.size + picked.excluded.size + Number(picked.missing !== null);
  const title = TITLES[field] ?? field.replaceAll("`", "");
  return (
    <section className={styles.group} aria-label={title}>
      <div className={styles.head}>
        <button type="button" aria-expanded={isOpen} onClick={onToggle} title={field}>
          <svg viewBox="0 0 8 8" width="8" height="8" aria-hidden="true">
            <path d="M2 1l4 3-4 3z" fill="currentColor" />
          </svg>
          <span>{title}</span>
        </button>
        {count === 0 ? null : (
          <Link
            href={buildTracesUrl({ ...view, filter: clearPicked(view.filter, field) })}
            className={styles.clear}
          >
            Clear<span className="visually-hidden"> {title}</span>
          </Link>
        )}
        {onRemove === null || count > 0 ? null : (
          <button type="button" className={styles.clear} onClick={onRemove}>
            Hide<span className="visually-hidden"> {title}</span>
          </button>
        )}
      </div>
      {isOpen && facet === undefined && !isStale ? <Waiting /> : null}
      {isOpen && facet !== undefined ? (
        <ul className={isStale ? styles.stale : undefined}>
          <Values facet={facet} field={field} picked={picked} view={view} />
        </ul>
      ) : null}
      {isOpen && facet !== undefined && facet.distinct > facet.values.length ? (
        showsMore ? (
          <p className={styles.note}>
            {formatCount(facet.distinct - facet.values.length)} more: type in the filter to find them
          </p>
        ) : (
          <button type="button" className={styles.more} onClick={() => setShowsMore(true)}>
            {formatCount(facet.distinct - facet.values.length)} more
          </button>
        )
      ) : null}
    </section>
  );
}

interface ValuesProps {
  facet: Facet;
  field: string;
  picked: Picked;
  view: TracesView;
}

/** Picked values that no trace has now stay in sight, with a zero: they must be there to undo. */
function Values({ facet, field, picked, view }: ValuesProps) {
  const listed = new Set(facet.values.map(({ value }) => value));
  const absent = [...picked.included, ...picked.excluded].filter((value) => !listed.has(value));
  const rows: { value: string | null; count: number | null }[] = [
    ...facet.values,
    ...absent.map((value) => ({ value, count: facet.distinct > listed.size ? null : 0 })),
  ];
  if (facet.missing > 0 || picked.missing !== null) rows.push({ value: null, count: facet.missing });
  if (rows.length === 0) return <li className={styles.note}>No trace has one</li>;
  const most = Math.max(1, ...rows.map(({ count }) => count ?? 0));
  return rows.map(({ value, count }) => (
    <Value
      key={value === null ? "missing" : `value ${value}`}
      field={field}
      value={value}
      count={count}
      share={(count ?? 0) / most}
      isSampled={facet.sample !== null}
      state={stateOf(value, picked)}
      view={view}
    />
  ));
}

function stateOf(value: string | null, picked: Picked): "included" | "excluded" | null {
  if (value === null) return picked.missing;
  if (picked.included.has(value)) return "included";
  return picked.excluded.has(value) ? "excluded" : null;
}

interface ValueProps {
  field: string;
  value: string | null;
  count: number | null;
  share: number;
  isSampled: boolean;
  state: "included" | "excluded" | null;
  view: TracesView;
}

function Value({ field, value, count, share, isSampled, state, view }: ValueProps) {
  const hrefOf = (mode: Mode): string | null => {
    const filter = togglePicked(view.filter, field, value, mode);
    return filter === null ? null : buildTracesUrl({ ...view, filter });
  };
  const href = hrefOf("include");
  const without = hrefOf("exclude");
  const shown = nameValue(field, value);
  const text = (
    <>
      <span className={styles.mark} aria-hidden="true">
        {state === "included" ? "✓" : state === "excluded" ? "≠" : ""}
      </span>
      <span className={styles.name}>
        {state === "excluded" ? <span className="visually-hidden">not </span> : null}
        <bdi>{shown}</bdi>
      </span>
      <span className={styles.count}>
        {count === null ? "" : `${isSampled ? "≈" : ""}${formatCount(count)}`}
      </span>
      <span className={styles.share} style={{ width: `${share * 100}%` }} aria-hidden="true" />
    </>
  );
  if (href === null || without === null) {
    return (
      <li className={styles.value} title="The filter language can't write a value with both kinds of quotes">
        <span className={styles.link}>{text}</span>
      </li>
    );
  }
  const excludeByAlt = (event: MouseEvent): void => {
    if (!event.altKey) return;
    event.preventDefault();
    navigate(without);
  };
  return (
    <li className={styles.value} data-state={state}>
      <Link
        href={state === "excluded" ? without : href}
        onClick={excludeByAlt}
        className={styles.link}
        aria-current={state === null ? undefined : "true"}
        title={`${value ?? "no value"}\nClick: only these. Alt-click: all but these.`}
      >
        {text}
      </Link>
      <Link
        href={without}
        className={styles.exclude}
        aria-label={state === "excluded" ? `No longer exclude ${shown}` : `Exclude ${shown}`}
        title={state === "excluded" ? "No longer exclude" : "All but these"}
      >
        ≠
      </Link>
    </li>
  );
}

function nameValue(field: string, value: string | null): string {
  if (value === null) return "none";
  if (value === "") return "(empty)";
  const name = nameField(field);
  if (name === "state") return STATES[value] ?? value;
  return name === "commit" ? value.slice(0, SHORT_COMMIT) : value;
}

function Waiting() {
  return (
    <ul aria-label="Loading">
      {[70, 50, 60].map((width) => (
        <li key={width} className={styles.waiting} style={{ width: `${width}%` }} />
      ))}
    </ul>
  );
}

interface AddProps {
  shown: readonly string[];
  experimentIds: readonly string[];
  isWanted: boolean;
  onAdd: (field: string) => void;
}

function AddFacet({ shown, experimentIds, isWanted, onAdd }: AddProps) {
  const { data } = useQuery({ ...fieldsQuery(experimentIds), enabled: isWanted });
  const known = new Set(shown.map(nameField));
  const offered =
    data?.fields.filter(
      ({ name }) => /^(metadata|tags)\./.test(name) && !known.has(nameField(name)),
    ) ?? [];
  if (offered.length === 0) return null;
  return (
    <select
      className={styles.add}
      aria-label="Add a field to the sidebar"
      value=""
      onChange={(event) => onAdd(event.target.value)}
    >
      <option value="">Add metadata or a tag…</option>
      {offered.map(({ name }) => (
        <option key={name} value={name}>
          {name.replaceAll("`", "")}
        </option>
      ))}
    </select>
  );
}
