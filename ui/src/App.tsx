/** The frame around every page, and the table that says which page an address shows. */

import { type ReactNode, useState } from "react";

import styles from "./App.module.css";
import { TracePage } from "./pages/trace/TracePage";
import { parseTraceUrl } from "./pages/trace/url";
import { TracesPage } from "./pages/traces/TracesPage";
import { parseTracesUrl } from "./pages/traces/url";
import { type Address, Link, useAddress } from "./router";
import { applyTheme, nextTheme, readTheme } from "./theme";

/** The first entry that knows the address wins. */
const PAGES: readonly ((address: Address) => ReactNode | null)[] = [
  (address) => {
    const view = parseTracesUrl(address);
    return view === null ? null : <TracesPage view={view} />;
  },
  (address) => {
    const view = parseTraceUrl(address);
    return view === null ? null : <TracePage key={view.traceId} view={view} />;
  },
];

export function App() {
  const address = useAddress();
  let page: ReactNode | null = null;
  for (const show of PAGES) page ??= show(address);
  return (
    <div className={styles.frame}>
      <header className={styles.top}>
        <Link href="/traces" className={styles.brand}>
          <img src="/favicon.svg" alt="" width={18} height={18} />
          Whence
        </Link>
        <nav aria-label="Pages" className={styles.nav}>
          <Link href="/traces" aria-current="page">
            Traces
          </Link>
        </nav>
        <ThemeSwitch />
      </header>
      <main className={styles.page}>{page ?? <NoSuchPage path={address.path} />}</main>
    </div>
  );
}

function ThemeSwitch() {
  const [theme, setTheme] = useState(readTheme);
  const next = nextTheme(theme);
  return (
    <button
      type="button"
      className={styles.theme}
      title={`Colours: ${theme}. Switch to ${next}.`}
      onClick={() => {
        applyTheme(next);
        setTheme(next);
      }}
    >
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <circle cx="8" cy="8" r="5.5" fill="none" stroke="currentColor" strokeWidth="1.4" />
        <path d="M8 2.5a5.5 5.5 0 0 1 0 11z" fill="currentColor" />
      </svg>
      {theme}
    </button>
  );
}

function NoSuchPage({ path }: { path: string }) {
  return (
    <div className={styles.nowhere}>
      <h1>There is no page here</h1>
      <p>
        <code>{path}</code> is not an address that Whence knows. <Link href="/traces">Traces</Link>
      </p>
    </div>
  );
}
