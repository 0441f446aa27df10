// The browser SDK: window.nudge. A page that loads this script asynchronously may call before it is here:
//
//   (window.nudge = window.nudge || []).push(["identify", "u7", { email: "ana@acme.example" }]);

import * as clicks from "./clicks";
import * as forms from "./forms";
import { sendHere, watch } from "./page";
import * as popups from "./popups";
import { newVisitor, visitor } from "./store";
import * as stream from "./stream";
import { start } from "./transport";

type Props = Record<string, unknown>;

const api = {
  /** Says who this visitor is. userId may be null where only the mail address is known. */
  identify(userId: string | null, traits: Props & { email?: string } = {}): void {
    const { email, ...props } = traits;
    sendHere("identify", { ...(userId != null && { user: String(userId) }), ...(email && { email }), props });
  },
  /** Sends an event of the site's own. */
  track(type: string, props: Props = {}): void {
    sendHere(type, { props });
  },
  /** Forgets who this was, at sign-out: the browser becomes a new visitor. */
  reset(): void {
    newVisitor();
    popups.clear();
    stream.open(popups.offer);
  },
  /** Calls back before a popup is shown; returns what ends that. */
  on(what: "popup", hook: popups.Hook): () => void {
    if (what !== "popup") throw new Error(`nudge.on("${what}"): there is only "popup"`);
    popups.hooks.add(hook);
    return () => popups.hooks.delete(hook);
  },
  /** The id of this visitor. */
  visitor,
  /** A call by name, as the page makes it before the script is here. */
  push(call: [string, ...unknown[]]): void {
    const [name, ...args] = call;
    (api as unknown as Record<string, (...a: unknown[]) => void>)[name](...args);
  },
};

declare global {
  interface Window {
    nudge: unknown;
  }
}

function run(): void {
  const early = window.nudge;
  window.nudge = api;
  start((list) => list.forEach(popups.offer));
  forms.listen(() => void popups.pump());
  clicks.listen();
  watch({
    begin(again) {
      forms.begin(again);
      stream.open(popups.offer);
      void popups.pump();
    },
    end() {
      forms.end();
      stream.close();
      popups.release();
    },
  });
  if (Array.isArray(early)) early.forEach(api.push);
}

const loaded = (window.nudge as typeof api | undefined)?.visitor; // the tag may be on the page twice
if (!loaded) run();
