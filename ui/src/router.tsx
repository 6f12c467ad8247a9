/**
 * The URL is the state. This file only knows the current address and how to go elsewhere; each
 * page parses and builds its own.
 */

import {
  type AnchorHTMLAttributes,
  createContext,
  type MouseEvent,
  use,
  useMemo,
  useSyncExternalStore,
} from "react";

export interface Address {
  path: string;
  search: string;
}

const MOVED = "whence:moved";

function subscribe(onMove: () => void): () => void {
  window.addEventListener("popstate", onMove);
  window.addEventListener(MOVED, onMove);
  return () => {
    window.removeEventListener("popstate", onMove);
    window.removeEventListener(MOVED, onMove);
  };
}

function readHref(): string {
  return window.location.pathname + window.location.search;
}

export function readAddress(): Address {
  return splitHref(readHref());
}

export function useAddress(): Address {
  const href = useSyncExternalStore(subscribe, readHref);
  return useMemo(() => {
    return splitHref(href);
  }, [href]);
}

export function splitHref(href: string): Address {
  const at = href.indexOf("?");
  return at < 0 ? { path: href, search: "" } : { path: href.slice(0, at), search: href.slice(at) };
}

/** Go to an address; `replace` leaves no step for the back button. */
export function navigate(href: string, how: "push" | "replace" = "push"): void {
  if (href === readHref()) return;
  if (how === "replace") window.history.replaceState(null, "", href);
  else window.history.pushState(null, "", href);
  window.dispatchEvent(new Event(MOVED));
}

/** Tells whether some page knows an address: nothing is linked that leads nowhere. */
export const KnownPages = createContext<(href: string) => boolean>(() => false);

export function useIsPage(href: string): boolean {
  return use(KnownPages)(href);
}

type LinkProps = AnchorHTMLAttributes<HTMLAnchorElement> & { href: string };

/** A real link: a plain click stays in the page, any other does what the browser does. */
export function Link({ href, onClick, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent<HTMLAnchorElement>): void => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(href);
  };
  return (
    <a {...rest} href={href} onClick={follow}>
      {children}
    </a>
  );
}
