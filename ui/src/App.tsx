/** The frame around every page, and the table that says which page an address shows. */

import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from "react";

import styles from "./App.module.css";
import { Shortcuts } from "./components/Shortcuts";
import type { Shortcut } from "./model/shortcuts";
import { parseCompareUrl } from "./pages/compare/url";
import { parseDiffUrl } from "./pages/diff/url";
import { parseEnvironmentsUrl } from "./pages/environments/url";
import { parseGroupsUrl } from "./pages/sessions/url";
import { parseTraceUrl } from "./pages/trace/url";
import { TracesPage } from "./pages/traces/TracesPage";
import { parseTracesUrl } from "./pages/traces/url";
import { parseVersionDiffUrl, parseVersionsUrl, parseVersionUrl } from "./pages/versions/url";
import { type Address, KnownPages, Link, splitHref, useAddress } from "./router";
import { applyTheme, nextTheme, readTheme, type Theme } from "./theme";

const TracePage = lazy(() => import("./pages/trace/TracePage"));
const DiffPage = lazy(() => import("./pages/diff/DiffPage"));
const Palette = lazy(() => import("./components/Palette"));
const ComparePage = lazy(() => import("./pages/compare/ComparePage"));
const EnvironmentsPage = lazy(() => import("./pages/environments/EnvironmentsPage"));
const SessionsPage = lazy(() => import("./pages/sessions/AnyPage"));
const VersionDiffPage = lazy(() => import("./pages/versions/VersionDiffPage"));
const VersionPage = lazy(() => import("./pages/versions/VersionPage"));
const VersionsPage = lazy(() => import("./pages/versions/VersionsPage"));

type ShowPage = (address: Address) => ReactNode | null;

function on<View>(parse: (address: Address) => View | null, show: (view: View) => ReactNode): ShowPage {
  return (address) => {
    const view = parse(address);
    return view === null ? null : show(view);
  };
}

/** The first entry that knows the address wins. */
const PAGES: readonly ShowPage[] = [
  on(parseTracesUrl, (view) => <TracesPage view={view} />),
  on(parseTraceUrl, (view) => <TracePage key={view.traceId} view={view} />),
  on(parseVersionsUrl, (view) => <VersionsPage view={view} />),
  on(parseVersionUrl, (view) => <VersionPage view={view} />),
  on(parseVersionDiffUrl, (view) => <VersionDiffPage view={view} />),
  on(parseCompareUrl, (view) => <ComparePage view={view} />),
  on(parseEnvironmentsUrl, (view) => <EnvironmentsPage view={view} />),
  on(parseGroupsUrl, (view) => <SessionsPage view={view} />),
  on(parseDiffUrl, (view) => <DiffPage view={view} />),
];

/** The pages of the heading, also in the command palette. */
const LISTED_PAGES = [
  { id: "page traces", title: "Traces", group: "Page", href: "/traces" },
  { id: "page versions", title: "Versions", group: "Page", href: "/versions" },
  { id: "page compare", title: "Compare", group: "Page", href: "/compare" },
  { id: "page environments", title: "Environments", group: "Page", href: "/environments" },
  { id: "page sessions", title: "Sessions", group: "Page", href: "/sessions" },
  { id: "page users", title: "Users", group: "Page", href: "/users" },
];

function findPage(address: Address): ReactNode | null {
  let page: ReactNode | null = null;
  for (const show of PAGES) page ??= show(address);
  return page;
}

function isPage(href: string): boolean {
  return findPage(splitHref(href)) !== null;
}

function isWithin(path: string, href: string): boolean {
  if (path === href || path.startsWith(`${href}/`)) return true;
  return href === "/traces" && (path === "/" || path.startsWith("/diff/"));
}

export function App() {
  const address = useAddress();
  const [theme, setTheme] = useState(readTheme);
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  const nav = useRef<HTMLElement>(null);
  useEffect(() => showCurrent(nav.current, address.path), [address.path]);
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      setPaletteOpen(true);
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
  return (
    <KnownPages value={isPage}>
      <div className={styles.frame}>
        <header className={styles.top}>
          <Link href="/traces" className={styles.brand}>
            <img src="/favicon.svg" alt="" width={18} height={18} />
            <span>Whence</span>
          </Link>
          <nav ref={nav} aria-label="Pages" className={styles.nav}>
            {LISTED_PAGES.map(({ title, href }) => (
              <Link
                key={href}
                href={href}
                aria-current={isWithin(address.path, href) ? "page" : undefined}
              >
                {title}
              </Link>
            ))}
          </nav>
          <button type="button" className={styles.go} onClick={() => setPaletteOpen(true)}>
            <svg viewBox="0 0 16 16" width="13" height="13" aria-hidden="true">
              <g fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round">
                <circle cx="7" cy="7" r="4.5" />
                <path d="M10.5 10.5L14 14" />
              </g>
            </svg>
            <span>Go to…</span> <kbd>Ctrl K</kbd>
          </button>
          <ThemeSwitch theme={theme} onTheme={setTheme} />
        </header>
        <main className={styles.page}>
          <Suspense fallback={<p className="visually-hidden">Loading the page…</p>}>
            {findPage(address) ?? <NoSuchPage path={address.path} />}
          </Suspense>
        </main>
      </div>
      {isPaletteOpen ? (
        <Suspense>
          <Palette
            pages={LISTED_PAGES}
            onClose={() => setPaletteOpen(false)}
            onTheme={setTheme}
          />
        </Suspense>
      ) : null}
    </KnownPages>
  );
}

/** On a phone not all pages fit: the current one stands in sight. */
function showCurrent(nav: HTMLElement | null, path: string): void {
  const links = [...(nav?.querySelectorAll("a") ?? [])];
  const current = links.find((link) => isWithin(path, link.pathname));
  if (nav === null || current === undefined) return;
  nav.scrollLeft = current.offsetLeft - nav.offsetLeft - (nav.clientWidth - current.clientWidth) / 2;
}

function ThemeSwitch({ theme, onTheme }: { theme: Theme; onTheme: (theme: Theme) => void }) {
  const next = nextTheme(theme);
  return (
    <button
      type="button"
      className={styles.theme}
      title={`Colours: ${theme}. Switch to ${next}.`}
      onClick={() => {
        applyTheme(next);
        onTheme(next);
      }}
    >
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" strokeWidth="1.4" />
        <path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor" />
      </svg>
      <span>{theme}</span>
    </button>
  );
}

const NO_SHORTCUTS: readonly Shortcut[] = [];

function NoSuchPage({ path }: { path: string }) {
  return (
    <div className={styles.nowhere}>
      <title>No such page · Whence</title>
      <Shortcuts table={NO_SHORTCUTS} />
      <h1>There is no page here</h1>
      <p>
        <code>{path}</code> is not an address that Whence knows. <Link href="/traces">Traces</Link>
      </p>
    </div>
  );
}
