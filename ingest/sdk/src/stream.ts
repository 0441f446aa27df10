// Popups that come while no request is under way arrive as server-sent events. A browser keeps about six connections to a
// server, so there is one stream per browser: the visible tab that holds the lock has it, and tells the others. A hidden tab
// has none: nobody sees a popup there, and the server keeps it until one asks. Locks and channels are given back when the page
// goes, as either would keep it out of the back/forward cache.

import { api } from "./config";
import { visitor } from "./store";
import type { Popup } from "./transport";

const RETRY_MIN = 1000; // ms
const RETRY_MAX = 60_000;

let source: EventSource | undefined;
let release: (() => void) | undefined; // gives the lock, or the wait for it, back
let channel: BroadcastChannel | undefined;
let retry: ReturnType<typeof setTimeout> | undefined;
let failures = 0;

/** Opens this browser's stream, or waits until the tab that has it lets go. */
export function open(onPopup: (popup: Popup) => void): void {
  close();
  if (typeof BroadcastChannel === "function") {
    channel = new BroadcastChannel("nudge");
    channel.onmessage = (e) => onPopup(e.data);
  }
  const hear = (popup: Popup) => {
    channel?.postMessage(popup);
    onPopup(popup);
  };
  if (!navigator.locks) {
    // A plain http site has no locks; each visible tab then has a stream of its own.
    connect(hear);
    return;
  }
  const abort = new AbortController();
  release = () => abort.abort();
  navigator.locks
    .request("nudge-stream", { signal: abort.signal }, () => new Promise<void>((done) => {
      release = done;
      connect(hear);
    }))
    .catch((err) => err.name === "AbortError" || connect(hear)); // given up while waiting; or a sandboxed frame, which may not lock
}

/** Closes it. */
export function close(): void {
  clearTimeout(retry);
  source?.close();
  channel?.close();
  release?.();
  source = channel = release = undefined;
}

function connect(hear: (popup: Popup) => void): void {
  source = new EventSource(api("/v1/popups/stream", { visitor: visitor() }));
  const take = (e: MessageEvent) => {
    try {
      hear(JSON.parse(e.data));
    } catch {
      console.warn("nudge: not a popup", e.data);
    }
  };
  source.onmessage = take;
  source.addEventListener("popup", take);
  source.onopen = () => {
    failures = 0;
  };
  source.onerror = () => {
    if (source?.readyState !== EventSource.CLOSED) return; // it comes back by itself
    const pause = Math.min(RETRY_MAX, RETRY_MIN * 2 ** failures++) * (0.5 + Math.random() / 2);
    retry = setTimeout(connect, pause, hear);
  };
}
