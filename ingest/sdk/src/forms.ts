// Forms: which are in view, which was begun, which was sent.

import { sendHere } from "./page";

/** A form is in view when half of it is, or when it fills half of the window. */
const IN_VIEW = 0.5;
/** After the document changes, new forms are looked for once things are quiet, in ms. */
const SETTLE = 100;

const inView = new Set<HTMLFormElement>();
let begun = new WeakSet<HTMLFormElement>();
let submitted = new Set<string>();
let watching = false;
let observer: IntersectionObserver | undefined;
let watched = new WeakSet<HTMLFormElement>();
let again = false; // what is in view now was in view before the tab was hidden
let changed: () => void = () => {};

/** A form's name for rules: data-nudge-form, else name, else id. Attributes, as an input called "name" shadows form.name. */
export function nameOf(form: HTMLFormElement): string {
  return form.getAttribute("data-nudge-form") || form.getAttribute("name") || form.id || "";
}

/** Whether the form of that name is in view and not sent yet. */
export function isOpen(name: string): boolean {
  return !submitted.has(name) && [...inView].some((f) => f.isConnected && nameOf(f) === name);
}

/** Listens to the document's forms for good; onChange is called when one comes into view. */
export function listen(onChange: () => void): void {
  changed = onChange;
  document.addEventListener("input", (e) => {
    const form = (e.target as HTMLInputElement).form;
    if (!form || begun.has(form)) return;
    begun.add(form);
    report("form_start", form);
  }, true);
  document.addEventListener("submit", (e) => {
    const form = e.target as HTMLFormElement;
    submitted.add(nameOf(form));
    report("form_submit", form);
  }, true);
  let settling = false;
  new MutationObserver(() => {
    if (settling || !watching) return;
    settling = true;
    setTimeout(() => {
      settling = false;
      if (watching) scan();
    }, SETTLE);
  }).observe(document, { childList: true, subtree: true });
}

/** A page begins, or is seen again: what is in view is reported. */
export function begin(isReturn: boolean): void {
  end();
  if (!isReturn) {
    begun = new WeakSet();
    submitted = new Set();
  }
  again = isReturn;
  watching = true;
  if (typeof IntersectionObserver === "function") {
    observer = new IntersectionObserver(look, { threshold: [0, 0.1, 0.2, 0.3, 0.4, IN_VIEW, 0.6, 0.7, 0.8, 0.9, 1] });
  }
  scan();
}

/** The page is out of sight; its page_leave says so for all its forms. */
export function end(): void {
  observer?.disconnect();
  observer = undefined;
  watching = false;
  watched = new WeakSet();
  inView.clear();
}

function scan(): void {
  for (const form of Array.from(document.forms)) {
    if (watched.has(form)) continue;
    watched.add(form);
    if (observer) observer.observe(form);
    else enter(form); // a browser that cannot tell: being there has to do
  }
}

function look(entries: IntersectionObserverEntry[]): void {
  for (const e of entries) {
    const form = e.target as HTMLFormElement;
    const seen = e.isIntersecting &&
      (e.intersectionRatio >= IN_VIEW || e.intersectionRect.height >= innerHeight * IN_VIEW);
    if (seen && !inView.has(form)) enter(form);
    else if (!seen && inView.delete(form)) report("form_leave", form);
  }
  again = false;
}

function enter(form: HTMLFormElement): void {
  inView.add(form);
  report("form_view", form, again ? { again } : {});
  changed();
}

function report(type: string, form: HTMLFormElement, props: Record<string, unknown> = {}): void {
  const name = nameOf(form);
  sendHere(type, { props: name ? { form: name, ...props } : props });
}
