// The way of events to the server: a bounded queue, one request at a time so that order is kept, repeated with the same ids
// until the server has answered. The server drops an id that it has seen, so sending twice is harmless and losing is not.

import { api } from "./config";
import { uuid, visitor } from "./store";

export interface NudgeEvent {
  id?: string;
  type: string;
  ts?: number;
  [field: string]: unknown;
}

export interface Popup {
  id: string;
  rule: string;
  template: string;
  data: Record<string, unknown>;
  expires_at?: number | string;
}

interface Waiting {
  id: string;
  body: Record<string, unknown>;
  since: number; // client clock, ms
  bytes: number;
}

/** Bytes of one request: browsers let a leaving page send 64 KiB altogether. */
const MAX_BODY = 60 << 10;
/** Bytes of one event. */
const MAX_EVENT = 32 << 10;
/** Events that wait at most; the oldest go first, as the newest say more about what a person does now. */
const MAX_WAITING = 500;
/** An event that waited longer than this, in ms, says when it happened; else the server's clock is the better one. */
const FRESH = 1000;
/** Pauses between attempts, in ms. */
const BACKOFF_MIN = 1000;
const BACKOFF_MAX = 60_000;
/** What was sent in leaving is left alone for this long, in ms. */
const LEAVING = 3000;
/** How long the page before has for its way to the server, in ms. */
const WAY = 100;
/** A request without an answer for this long, in ms, has failed. */
const PATIENCE = 30_000;

const SAVED = "nudge.unsent";

let waiting: Waiting[] = [];
let inFlight = false;
let failures = 0; // in a row
let notBefore = 0; // client clock, ms
let skew = 0; // server's clock minus ours, ms
let timer: ReturnType<typeof setTimeout> | undefined;
let onPopups: (popups: Popup[]) => void = () => {};

/** Starts the transport; popups are handed over as answers bring them. */
export function start(popups: (popups: Popup[]) => void): void {
  onPopups = popups;
  waiting = restore().concat(waiting);
  schedule(0);
}

/** The time, as the server would tell it as far as we know. */
export function now(): number {
  return Date.now() + skew;
}

/** Queues an event; it leaves as soon as the script that calls is done. */
export function send(event: NudgeEvent): void {
  const id = uuid();
  const body = { ...event, id };
  const bytes = size(JSON.stringify(body));
  if (bytes > MAX_EVENT) {
    console.warn(`nudge: "${event.type}" dropped: ${bytes} bytes, at most ${MAX_EVENT}`);
    return;
  }
  waiting.push({ id, body, since: Date.now(), bytes });
  if (waiting.length > MAX_WAITING) waiting.shift();
  schedule(0);
}

/** Sends everything now, what is under way included: the page may be gone in a moment and nobody reads the answer. */
export function flushLeaving(): void {
  for (let rest = waiting; rest.length; ) {
    const batch = take(rest);
    rest = rest.slice(batch.length);
    const body = encode(batch);
    fetch(api("/v1/events", {}), { method: "POST", body, keepalive: true, credentials: "omit" })
      .then((res) => res.ok && settle(batch))
      .catch(() => navigator.sendBeacon?.(api("/v1/events", {}), body));
  }
  clearTimeout(timer);
  schedule(LEAVING); // a page that was only hidden looks again whether all went well
}

/** Keeps for the next page of this tab what a server in trouble has not taken, or what is more than a leaving page may send. */
export function save(): void {
  try {
    if (failures || take(waiting).length < waiting.length) sessionStorage.setItem(SAVED, JSON.stringify(waiting));
  } catch {
    // no storage: the beacon was the last chance
  }
}

function restore(): Waiting[] {
  try {
    const text = sessionStorage.getItem(SAVED);
    sessionStorage.removeItem(SAVED);
    return text ? JSON.parse(text) : [];
  } catch {
    return [];
  }
}

/** Lets a page that was just left go first: what it sent in leaving is on its way, on a connection of its own. */
export function giveWay(): void {
  notBefore = Math.max(notBefore, Date.now() + WAY);
}

function schedule(delay: number): void {
  clearTimeout(timer);
  timer = setTimeout(flush, Math.max(delay, notBefore - Date.now()));
}

async function flush(): Promise<void> {
  if (inFlight || !waiting.length) return;
  inFlight = true;
  const batch = take(waiting);
  const res = await post(encode(batch));
  inFlight = false;
  if (!res || res.status === 429 || res.status >= 500 || res.status === 408) {
    retryLater(res);
    return;
  }
  failures = 0;
  settle(batch); // taken, or refused for good: a refusal does not get better by asking again
  schedule(0);
  const answer = await res.json().catch(() => null);
  if (!res.ok || answer?.rejected) console.warn(`nudge: events refused: ${res.status}`, answer?.rejected || answer?.error);
  // After a sign-out they may be for who was there before. Those for the one who is here now come by the stream, too.
  if (answer?.popups && batch[0].body.visitor === visitor()) onPopups(answer.popups);
}

async function post(body: string): Promise<Response | null> {
  const abort = new AbortController();
  const patience = setTimeout(() => abort.abort(), PATIENCE);
  try {
    // A text body is text/plain: no preflight. keepalive lets it finish if the page goes.
    const res = await fetch(api("/v1/events", { decide: "1" }), {
      method: "POST", body, keepalive: true, credentials: "omit", signal: abort.signal,
    });
    const date = Date.parse(res.headers.get("date") || "");
    // The header counts whole seconds: half of one is its mean error.
    if (date) skew = Math.abs(date + 500 - Date.now()) > 2000 ? date + 500 - Date.now() : 0;
    return res;
  } catch {
    return null; // offline, blocked, or no answer in time
  } finally {
    clearTimeout(patience);
  }
}

function retryLater(res: Response | null): void {
  const asked = Number(res?.headers.get("retry-after") || 0) * 1000;
  const own = Math.min(BACKOFF_MAX, BACKOFF_MIN * 2 ** Math.min(failures, 16));
  failures++;
  const pause = Math.max(asked, own * (0.5 + Math.random() / 2)); // spread, so that browsers do not come back in step
  notBefore = Date.now() + Math.min(pause, 10 * BACKOFF_MAX);
  schedule(0);
}

/** The longest head of events that fits into one request. */
function take(events: Waiting[]): Waiting[] {
  let bytes = 2;
  let n = 0;
  while (n < events.length && (bytes += events[n].bytes + 32) <= MAX_BODY) n++; // 32: room for a ts and a comma
  return events.slice(0, n); // never empty: one event is far smaller than a request
}

function encode(batch: Waiting[]): string {
  const late = Date.now() - FRESH;
  return JSON.stringify(batch.map((w) => (w.since < late ? { ...w.body, ts: w.since + skew } : w.body)));
}

function settle(batch: Waiting[]): void {
  const done = new Set(batch.map((w) => w.id));
  waiting = waiting.filter((w) => !done.has(w.id));
}

function size(text: string): number {
  return new TextEncoder().encode(text).length;
}
