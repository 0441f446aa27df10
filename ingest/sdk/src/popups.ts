// Popups between their arrival and a person's eyes: each is shown once per browser, one at a time, and only if it is still
// wanted at the moment it would be painted.

import { card } from "./card";
import { isOpen } from "./forms";
import { sendHere } from "./page";
import { read, write } from "./store";
import { now, type Popup } from "./transport";

/** How many ids of popups that were taken up are remembered. */
const REMEMBERED = 100;

/** After how long every window of this browser sees what one has stored, in ms: it takes some, seldom some hundred. */
const FOLLOWS = 5000;

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
  const still = wanted(next);
  const mine = still && (await claim(next.id)) && pending.includes(next); // not cleared meanwhile
  if (still) pending = pending.filter((p) => p !== next); // taken up, by this window or by another
  if (mine) show(next);
  busy = false;
  if (!showing) void pump();
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
    try {
      if (hook(popup, report) === false) return;
    } catch (err) {
      console.error(err); // the site's own; it does not show the popup, then
    }
  }
  showing = card(popup.data || {}, report, () => {
    showing = undefined;
    void pump();
  });
}

/** A popup whose data names a form is about that form: it is wanted only while the form is in view and not sent. */
function wanted(p: Popup): boolean {
  const form = p.data?.form;
  return document.visibilityState === "visible" && !expired(p) && (typeof form !== "string" || isOpen(form));
}

function expired(p: Popup): boolean {
  return +new Date(p.expires_at ?? NaN) <= now();
}

function taken(): string[] {
  return (read("shown") || "").split(" ");
}

let held: (() => void)[] = []; // gives the locks of popups that were taken up back

/** Gives locks back, as the page goes: they would keep it out of the back/forward cache. */
export function release(): void {
  held.forEach((done) => done());
  held = [];
}

/** Whether this tab is the first to take that popup up. */
function claim(id: string): Promise<boolean> {
  return new Promise((answer) => {
    const take = (alone: boolean): boolean => {
      const ids = taken();
      const mine = alone && !ids.includes(id);
      if (mine) write("shown", [...ids, id].slice(-REMEMBERED).join(" "));
      answer(mine);
      return mine;
    };
    if (!navigator.locks) return void take(true);
    // Two windows may be visible side by side, each in a process that sees what the other stored only a little later. So the lock
    // decides, and is held until storage has surely followed.
    navigator.locks
      .request("nudge-popup-" + id, { ifAvailable: true }, (lock) => take(!!lock) && new Promise<void>((done) => {
        held.push(done);
        setTimeout(done, FOLLOWS);
      }))
      .catch(() => take(true)); // a sandboxed frame, which may not lock
  });
}
