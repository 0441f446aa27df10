// The life of a page: seen, hidden, seen again, left. A rule that asks "20 seconds on this form" must count only time in
// which a person could look at it, so hiding a tab is leaving (page_leave, reason "hidden") and coming back is returning.

import { flushLeaving, giveWay, save, send } from "./transport";
import { visitor } from "./store";

/** What the rest of the SDK does at the turns of a page's life. */
export interface Turns {
  /** A page begins: after its page_view, or on return. again: it was seen before and only hidden since. */
  begin(again: boolean): void;
  /** The page is out of sight, before its page_leave goes out. */
  end(): void;
}

// "new": nobody has seen it yet (a tab opened in the background, a prerendered page). "gone": unloaded, perhaps kept in
// the back/forward cache.
let state: "new" | "seen" | "hidden" | "gone" = "new";
let address = location.href;
let referrer = document.referrer;

/** Texts of the page are cut at this many characters: the server refuses an event with a text above 8 KiB. */
const MAX_TEXT = 2000;
const cut = (text: string) => text.slice(0, MAX_TEXT);

/** Sends an event about this page. */
export function sendHere(type: string, fields: Record<string, unknown> = {}): void {
  const { href, host, pathname } = new URL(address);
  send({ type, visitor: visitor(), url: cut(href), host, path: cut(pathname), ...fields });
}

/** Follows this page's life from now on. */
export function watch(turns: Turns): void {
  const view = () => {
    state = "seen";
    sendHere("page_view", { title: cut(document.title), ...(referrer && { referrer: cut(referrer) }) });
    turns.begin(false);
  };
  const leave = (reason: string) => {
    turns.end();
    sendHere("page_leave", { props: { reason } });
  };
  const away = (next: "hidden" | "gone") => {
    if (state === "seen") leave(next === "gone" ? "left" : "hidden");
    if (state !== "new") state = next;
    flushLeaving();
    if (next === "gone") save();
  };

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") {
      if (state !== "gone") away("hidden");
    } else if (state === "new") {
      view();
    } else if (state === "hidden") {
      state = "seen";
      sendHere("page_return");
      turns.begin(true);
    }
  });
  addEventListener("pagehide", () => away("gone"));
  addEventListener("pageshow", (e) => {
    // Out of the back/forward cache: for the person it is a page like any other.
    if (!e.persisted || state !== "gone") return;
    giveWay(); // else the other page's page_leave might come behind our form_view, and end its dwell
    view();
  });
  watchRoutes(() => {
    const before = address;
    if (state === "seen") leave("route");
    address = location.href;
    referrer = before;
    if (state === "seen") view();
  });

  if (document.visibilityState !== "hidden") view();
}

/** Calls changed when a single-page site shows another page. A new fragment alone is the same page. */
function watchRoutes(changed: () => void): void {
  const page = (url: string) => url.split("#")[0];
  // The site sets the title and the content right after it sets the address: look when it is done.
  const look = () => setTimeout(() => page(location.href) !== page(address) && changed(), 0);
  for (const name of ["pushState", "replaceState"] as const) {
    const own = history[name];
    history[name] = function (this: History, ...args) {
      own.apply(this, args);
      look();
    };
  }
  addEventListener("popstate", look);
}
