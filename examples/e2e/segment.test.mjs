// Segment's own libraries, as npm has them, against a server with the example rules: nothing is changed but the address.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { basename } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Analytics } from "@segment/analytics-node";
import { launch } from "./browser.mjs";

const url = process.env.NUDGE_URL;
assert.ok(url, "NUDGE_URL is the address of a server started with --demo; run.sh sets it");

const minute = 60_000;
const day = 24 * 60 * minute;
const ago = (ms) => new Date(Date.now() - ms);
const newId = (kind) => `${kind}-${randomUUID()}`; // of this run only: cooldowns of an earlier one do not matter

// counters are the server's, by name and labels as /metrics writes them; since says by how much they grew.
async function counters() {
  const text = await (await fetch(url + "/metrics")).text();
  const all = Object.fromEntries(text.split("\n").filter((l) => l.startsWith("nudge_")).map((l) => l.split(/ (?=\S+$)/)));
  const sum = (name) => Object.entries(all).reduce((n, [k, v]) => (k === name || k.startsWith(name + "{") ? n + Number(v) : n), 0);
  return {
    taken: sum(`nudge_ingest_events_accepted_total{form="segment"}`),
    rejected: sum("nudge_ingest_events_rejected_total"),
    duplicates: sum("nudge_engine_duplicates_total"),
  };
}

async function since(before) {
  const now = await counters();
  return Object.fromEntries(Object.keys(now).map((k) => [k, now[k] - before[k]]));
}

async function alerts(query) {
  const res = await fetch(`${url}/v1/alerts?${query}`);
  assert.equal(res.status, 200);
  return res.json();
}

const now = async () => (await alerts("after=latest")).next;

// alertOf waits for the key's first alert after the cursor, and returns it and everybody's before it.
async function alertOf(key, after) {
  const earlier = [];
  for (const end = Date.now() + 8000; Date.now() < end; ) {
    const page = await alerts(`after=${after}&wait=2s`);
    const at = page.alerts.findIndex((a) => a.key === key);
    if (at >= 0) return { alert: page.alerts[at], earlier: earlier.concat(page.alerts.slice(0, at)) };
    earlier.push(...page.alerts);
    after = page.next;
  }
  throw new Error(`no alert for ${key}; others: ${JSON.stringify(earlier)}`);
}

// library is analytics-node with what it reports: answers by status, errors, and every batch it sent.
function library(httpClient) {
  const seen = { statuses: [], errors: [], batches: [] };
  const analytics = new Analytics({ writeKey: "site", host: url, path: "/v1/batch", httpClient });
  analytics.on("error", (err) => seen.errors.push(err));
  analytics.on("http_response", ({ status }) => seen.statuses.push(status));
  analytics.on("http_request", ({ body }) => seen.batches.push(typeof body === "string" ? JSON.parse(body) : body));
  return { analytics, seen };
}

// view is a page of the invented site, some time ago.
const view = (who, path, ms) => ({
  ...who, name: "Page " + path, properties: { path, url: "https://shop.mossgate.example" + path }, timestamp: ago(ms),
});

function allTaken(seen) {
  assert.deepEqual(seen.errors, []);
  assert.ok(seen.statuses.length > 0 && seen.statuses.every((s) => s === 200), `answers ${seen.statuses}`);
}

test("analytics-node: identify, page and alias, over three days", async () => {
  const userId = newId("user"), anonymousId = newId("device");
  const before = await counters(), start = await now();
  const { analytics, seen } = library();

  analytics.alias({ previousId: anonymousId, userId });
  analytics.identify({ userId, traits: { email: "Dana@Mossgate.example", name: "Dana Reyes" } });
  await analytics.flush();
  for (let i = 0; i < 7; i++) analytics.page(view({ anonymousId }, "/docs", 3 * day + i * minute)); // hers, by the alias
  for (let i = 0; i < 6; i++) analytics.page(view({ userId }, "/pricing", 2 * day + i * minute));
  for (let i = 0; i < 6; i++) analytics.page(view({ userId }, "/docs", 1 * day + i * minute));
  await analytics.flush(); // 19
  analytics.page(view({ userId }, "/twentieth", 0));
  await analytics.closeAndFlush();

  const { alert } = await alertOf(userId, start);
  assert.equal(alert.rule, "highly-engaged");
  assert.equal(alert.data.now_on, "/twentieth", "neither earlier nor later than the 20th view");
  assert.equal(alert.data.company, "mossgate.example", "known from her mail address");
  assert.deepEqual(alert.data.read_last, ["/twentieth", "/docs", "/pricing"]);
  allTaken(seen);
  assert.deepEqual(await since(before), { taken: 22, rejected: 0, duplicates: 0 });
});

test("analytics-node: track and group", async () => {
  const userId = newId("user"), other = newId("user"), groupId = newId("account");
  const before = await counters(), start = await now();
  const { analytics, seen } = library();

  // Both look at prices and begin the form. One sends it, and comes first, so that an alert about her would stand before the other's.
  const begin = (id) => {
    analytics.identify({ userId: id, traits: { email: id + "@gmail.com" } });
    analytics.group({ userId: id, groupId, traits: { name: "Mossgate", plan: "trial" } });
    analytics.page(view({ userId: id }, "/pricing", 50 * minute));
    analytics.track({ userId: id, event: "form_start", properties: { form: "demo", path: "/book" }, timestamp: ago(45 * minute) });
  };
  begin(other);
  analytics.track({ userId: other, event: "form_submit", properties: { form: "demo" }, timestamp: ago(40 * minute) });
  await analytics.flush();
  begin(userId);
  await analytics.closeAndFlush();

  const { alert, earlier } = await alertOf(userId, start);
  assert.equal(alert.rule, "demo-abandoned");
  assert.equal(alert.data.company, groupId, "the group is the company, as the mail address names none");
  assert.equal(alert.data.page, "/book");
  assert.deepEqual(earlier.filter((a) => a.key === other), [], "nothing is said of the one who sent the form");
  allTaken(seen);
  assert.deepEqual(await since(before), { taken: 9, rejected: 0, duplicates: 0 });
});

test("analytics-node: a batch that is sent again is counted once", async () => {
  const userId = newId("user"), anonymousId = newId("device");
  const before = await counters(), start = await now();
  let lost = 0;
  const { analytics, seen } = library(async (...request) => {
    const answer = await fetch(...request);
    assert.equal(answer.status, 200);
    if (lost++ === 0) throw new Error("the answer is lost on its way, after the server has taken the batch");
    return answer;
  });

  for (let i = 0; i < 14; i++) analytics.page(view({ userId, anonymousId }, "/docs", (1 + (i % 3)) * day));
  await analytics.flush(); // taken, lost, and sent again by the library itself
  assert.equal(seen.batches.length, 2);
  const ids = seen.batches.map((b) => b.batch.map((e) => e.messageId));
  assert.deepEqual(ids[1], ids[0]);
  assert.deepEqual(await since(before), { taken: 28, rejected: 0, duplicates: 14 });

  for (let i = 15; i <= 20; i++) {
    analytics.page(view({ userId, anonymousId }, "/view-" + i, 0));
    await analytics.flush();
  }
  await analytics.closeAndFlush();
  const { alert } = await alertOf(userId, start);
  assert.equal(alert.data.now_on, "/view-20", "28 would have been enough before");
  allTaken(seen);
  assert.deepEqual(await since(before), { taken: 34, rejected: 0, duplicates: 14 });
});

// startSite serves one page with Segment's browser library, and the parts that it loads later.
async function startSite() {
  const parts = new URL(".", import.meta.resolve("@segment/analytics-next/dist/umd/index.js"));
  const server = createServer(async (req, res) => {
    const name = basename(req.url);
    const script = name.endsWith(".js") && (await readFile(fileURLToPath(new URL(name, parts))).catch(() => null));
    if (script) return res.writeHead(200, { "Content-Type": "text/javascript" }).end(script);
    if (req.url !== "/pricing") return res.writeHead(404).end();
    res.writeHead(200, { "Content-Type": "text/html" }).end(`<!doctype html><title>Prices</title><script src="/index.js"></script>`);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    }),
  };
}

test("analytics-next: all calls, from a page of another origin", async (t) => {
  const userId = newId("user");
  const before = await counters(), start = await now();
  const site = await startSite();
  t.after(() => site.close());
  const browser = await launch();
  t.after(() => browser.close());

  const page = await browser.visitor();
  const posts = [], strangers = [];
  page.on("response", (r) => r.request().method() === "POST" && posts.push(`${r.status()} ${new URL(r.url()).pathname}`));
  page.on("request", (r) => [url, site.url].includes(new URL(r.url()).origin) || strangers.push(r.url()));
  await page.goto(site.url + "/pricing");
  const sent = await page.evaluate(async ([cdnURL, userId, begun]) => {
    const analytics = window.AnalyticsNext.AnalyticsBrowser.load({ writeKey: "site", cdnURL });
    const calls = [
      await analytics.identify(userId, { email: "ines@mossgate.example" }),
      await analytics.page("Shop", "Prices"),
      await analytics.track("form_start", { form: "demo" }, { timestamp: new Date(begun) }),
      await analytics.group("mossgate", { plan: "trial" }),
      await analytics.alias(userId + "-new", userId),
    ];
    return calls.map((c) => [c.event.type, c.failedDelivery() ?? null]);
  }, [url, userId, Date.now() - 45 * minute]);

  const calls = ["identify", "page", "track", "group", "alias"];
  assert.deepEqual(sent, calls.map((c) => [c, null]));
  assert.deepEqual(posts, calls.map((c) => `200 /v1/${c[0]}`));
  const { alert } = await alertOf(userId, start);
  assert.equal(alert.rule, "demo-abandoned");
  assert.equal(alert.data.company, "mossgate.example");
  assert.equal(alert.data.page, "/pricing", "as the browser was on it");
  assert.deepEqual(await since(before), { taken: 5, rejected: 0, duplicates: 0 });
  assert.deepEqual(strangers, [], "nobody else is told");
  assert.deepEqual(page.errors, []);
});
