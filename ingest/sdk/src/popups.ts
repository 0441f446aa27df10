// Popups between their arrival and a person's eyes: each is shown once per browser, one at a time, and only if it is still
// wanted at the moment it would be painted.

import { card } from "./card";
import { isOpen } from "./forms";
import { sendHere } from "./page";
import { read, write } from "./store";
import { now, type Popup } from "./transport";

/** How many ids of popups that were taken up are remembered. */
const REMEMBERED = 100;

/** Called with each popup that is about to be shown. Returning false says that the site shows it itself and reports it. */
export type Hook = (popup: Popup, report: (what: "shown" | "clicked" | "dismissed") => void) => unknown;

export const hooks = new Set<Hook>();

let pending: Popup[] = [];
let showing: (() => void) | undefined; // closes the popup on screen
let busy = false;

/** Takes a popup in, by whatever way it came. */
export function offer(popup: Popup): void {
  if (!popup?.id || taken().includes(popup.id) || pending.some((p) => p.id === popup.id)) return;
  pending.push(popup);
  void pump();
}

/** Shows the next popup that is wanted now. Called whenever that may have changed. */
export async function pump(): Promise<void> {
  if (busy || showing) return;
  pending = pending.filter((p) => !expired(p));
  const next = pending.find(wanted);
  if (!next) return;
  busy = true;
  await new Promise(requestAnimationFrame); // not called while hidden
  const mine = wanted(next) && (await claim(next.id));
  pending = mine || taken().includes(next.id) ? pending.filter((p) => p !== next) : pending;
  if (mine) show(next);
  busy = false;
  if (!mine) void pump();
}

/** Takes the popup on screen away and forgets those that wait: the person at this browser is another one. */
export function clear(): void {
  pending = [];
  showing?.();
}

function show(popup: Popup): void {
  const report = (what: string) =>
    sendHere("popup_" + what, { props: { popup: popup.id, rule: popup.rule, template: popup.template } });
  for (const hook of hooks) {
    if (hook(popup, report) === false) return;
  }
  showing = card(popup.data || {}, {
    shown: () => report("shown"),
    clicked: () => report("clicked"),
    dismissed: () => report("dismissed"),
    closed: () => {
      showing = undefined;
      void pump();
    },
  });
}

/** A popup whose data names a form is about that form: it is wanted only while the form is in view and not sent. */
function wanted(p: Popup): boolean {
  const form = p.data?.form;
  return document.visibilityState === "visible" && !expired(p) && (typeof form !== "string" || isOpen(form));
}

function expired(p: Popup): boolean {
  return p.expires_at != null && new Date(p.expires_at).getTime() <= now();
}

function taken(): string[] {
  return (read("shown") || "").split(" ");
}

/** Whether this tab is the first to take that popup up. */
async function claim(id: string): Promise<boolean> {
  const first = () => {
    const ids = taken();
    if (ids.includes(id)) return false;
    write("shown", [...ids, id].slice(-REMEMBERED).join(" "));
    return true;
  };
  // Two windows may be visible side by side: the lock makes reading and writing one step.
  return navigator.locks ? navigator.locks.request("nudge-claim", first).catch(first) : first();
}
