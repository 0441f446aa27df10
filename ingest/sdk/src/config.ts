// How the page configured us, read from our own script tag:
//
//   <script src="/nudge.js" data-key="WRITE_KEY" data-endpoint="https://nudge.example" async></script>

const tag = document.currentScript as HTMLScriptElement | null;

/** Where events go: data-endpoint, else the origin that served this script. */
export const endpoint = (tag?.dataset.endpoint || new URL(tag?.src || ".", location.href).origin).replace(/\/+$/, "");

/** The site's public write key. Empty where the server asks for none. */
const key = tag?.dataset.key || "";

/** The address of an API path with its query; the key travels in the query, so that no request needs a preflight. */
export function api(path: string, query: Record<string, string>): string {
  const q = new URLSearchParams(query);
  if (key) q.set("key", key);
  return `${endpoint}${path}?${q}`;
}
