import "./styles/tokens.css";
import "./styles/base.css";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { flushSync } from "react-dom";
import { createRoot } from "react-dom/client";

import { isWorthRetrying } from "./api/client";
import { tracesQuery } from "./api/queries";
import { findScope } from "./api/scope";
import { App } from "./App";
import { parseTracesUrl } from "./pages/traces/url";
import { readAddress } from "./router";
import { applyTheme, readTheme } from "./theme";

applyTheme(readTheme());

const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      retry: isWorthRetrying,
      retryDelay: (failures) => 300 * 2 ** failures,
      refetchOnWindowFocus: false,
      staleTime: 5_000,
    },
  },
});

// The rows are asked for before the page is drawn: both take a while, and then at the same time.
const view = parseTracesUrl(readAddress());
if (view !== null) {
  const { orderBy } = view;
  void queryClient.prefetchInfiniteQuery(tracesQuery({ ...findScope(view), orderBy }));
}

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
// At once, not in a task of its own: when the browser says that the page is loaded, it takes keys.
flushSync(() => {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queryClient}>
        <App />
      </QueryClientProvider>
    </StrictMode>,
  );
});
