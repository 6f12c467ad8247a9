/** What was answered last, while a question fails: a filter's mistake must not empty the page. */

import { useState } from "react";

export function useLastAnswer<T>(data: T | undefined): T | undefined {
  const [last, setLast] = useState(data);
  if (data !== undefined && data !== last) setLast(data);
  return data ?? last;
}
