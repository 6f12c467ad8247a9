import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `npm run dev` serves the page here and passes the API on to a running `whence server`.
const server = process.env["WHENCE_URL"] ?? "http://127.0.0.1:4320";

export default defineConfig({
  plugins: [react()],
  build: {
    // Browsers of 2024 and later: `light-dark()` and nesting stay as written.
    target: ["chrome123", "firefox121", "safari17.5"],
    outDir: "dist",
    emptyOutDir: true,
    // Nothing inline: the server's content security policy is `default-src 'self'`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: "licenses.md" },
    // What the first view needs is one file: each further one is a request before anything shows.
    rolldownOptions: {
      output: { codeSplitting: { groups: [{ name: "first", tags: ["$initial"] }] } },
    },
  },
  server: {
    proxy: Object.fromEntries(["/api", "/health"].map((path) => [path, { target: server }])),
  },
});
