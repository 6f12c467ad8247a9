/** A text of strangers whose direction must not turn what stands around it. */

/** What has only these turns nothing, and a list of many rows saves an element for each. */
const HARMLESS = /^[\x20-\x7e\u2013]*$/;
/** More than any line shows; the browser would lay out all of it to find where to cut. */
const MOST = 400;

export function Isolated({ children: text }: { children: string }) {
  const shown = text.length > MOST ? `${text.slice(0, MOST)}…` : text;
  return HARMLESS.test(shown) ? shown : <bdi>{shown}</bdi>;
}
