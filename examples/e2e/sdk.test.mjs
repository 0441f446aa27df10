// The SDK in a real browser, against a server that only remembers: what it sends when, and which popups it shows.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { eventually, launch, picture, sleep } from "./browser.mjs";
import { startFake } from "./fake.mjs";

let browser, fake;
before(async () => (browser = await launch()));
after(() => browser.close());
beforeEach(async () => (fake = await startFake())); // a port of its own: nothing remembered
afterEach(() => fake.close());

const html = (body, attributes = "") => `<!doctype html><title>T</title><body>${body}<script src="/nudge.js" ${attributes}></script>`;
const form = `<form name="demo"><input name="name"><button>Send</button></form>`;
const popup = (id, data = {}, more = {}) => ({ id, rule: "r", template: "t", expires_at: Date.now() + 60_000, data: { headline: "Hello " + id, ...data }, ...more });
const types = () => fake.events.map((e) => e.type);
const card = (page) => page.locator("nudge-popup");
const arrived = (type, n = 1) => eventually(() => fake.of(type).length >= n && fake.of(type), `${n} ${type}, have ${types()}`);

async function open(body, attributes) {
  fake.pages["/p"] = html(body, attributes);
  const page = await browser.visitor();
  await page.goto(fake.url + "/p?utm_source=x#top", { referer: "https://elsewhere.example/" });
  await arrived("page_view");
  return page;
}

test("a page and a form from view to submit, without a preflight", async () => {
  fake.pages["/p"] = html(`<form id="f" data-nudge-form="demo"><input name="id"><input name="name"><button>Send</button></form>`, `data-key="wk"`);
  const page = await browser.visitor();
  await page.goto(fake.url + "/p?utm_source=x#top");
  await arrived("form_view");
  await page.fill("[name=name]", "Ana");
  await page.press("[name=name]", "Enter");
  await arrived("page_view", 2);
  assert.equal((await arrived("page_leave")).length, 1);
  // Whether what a page says when it is left or the next page's first request comes first no browser promises: they are connections of their own.
  const inOrder = types().filter((t) => t !== "form_leave" && t !== "page_leave");
  assert.deepEqual(inOrder.slice(0, 5), ["page_view", "form_view", "form_start", "form_submit", "page_view"]);
  const [view] = fake.of("page_view");
  const host = new URL(fake.url).host;
  assert.deepEqual({ ...view, id: "", visitor: "" },
    { type: "page_view", id: "", visitor: "", url: fake.url + "/p?utm_source=x#top", host, path: "/p", title: "T" });
  for (const e of [...fake.of("form_view"), ...fake.of("form_start"), ...fake.of("form_submit")]) assert.equal(e.props.form, "demo");
  assert.match(view.id, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(new Set(fake.events.map((e) => e.visitor)).size, 1);
  assert.equal(new Set(fake.events.map((e) => e.id)).size, fake.events.length);
  for (const r of fake.requests) {
    assert.deepEqual([r.method, r.type, r.query.key], ["POST", "text/plain;charset=UTF-8", "wk"]);
  }
  assert.equal(fake.requests[0].query.decide, "1");
  assert.deepEqual(page.errors, []);
});

test("what people type is never sent", async () => {
  const page = await open(`<form name="demo"><input name="a"><input type="password" name="b"></form>`);
  await page.fill("[name=a]", "hush-hush");
  await page.fill("[name=b]", "hush-hush");
  await arrived("form_start");
  assert.equal(JSON.stringify(fake.requests).includes("hush"), false);
  assert.equal(fake.of("form_start").length, 1);
});

test("a click on what is marked, and on nothing else", async () => {
  const page = await open(`<button>plain</button><a data-nudge-click="cta" href="#x"><b>marked</b></a>`);
  await page.getByText("plain").click();
  await page.getByText("marked").click();
  const clicks = await arrived("click");
  assert.deepEqual(clicks.map((e) => e.props), [{ target: "cta" }]);
});

test("identify, track, reset, and calls made before the script is here", async () => {
  fake.pages["/p"] = `<!doctype html><script>(window.nudge = []).push(["identify", "u7", {email: "ana@acme.example", plan: "pro"}])</script>` + html("");
  const page = await browser.visitor();
  await page.goto(fake.url + "/p");
  const [who] = await arrived("identify");
  assert.deepEqual([who.user, who.email, who.props], ["u7", "ana@acme.example", { plan: "pro" }]);
  await page.evaluate(() => {
    nudge.track("purchase", { amount: 3 });
    nudge.reset();
    nudge.identify(null, { email: "lee@acme.example" });
  });
  const [, second] = await arrived("identify", 2);
  assert.equal("user" in second, false);
  assert.deepEqual(fake.of("purchase")[0].props, { amount: 3 });
  assert.equal(fake.of("purchase")[0].visitor, who.visitor);
  assert.notEqual(second.visitor, who.visitor);
});

test("a server in trouble gets the same ids again, later, with their time", async () => {
  // After a closed connection the break is the next request's own: a browser repeats by itself what breaks on a connection it kept.
  fake.answers.push({ status: 429, headers: { "Retry-After": "3", Connection: "close" } }, { status: 0 }, { status: 503 });
  const page = await browser.visitor();
  fake.pages["/p"] = html("");
  await page.goto(fake.url + "/p");
  await eventually(() => fake.of("page_view").length, "the page view");
  const tries = fake.requests.filter((r) => r.events.some((e) => e.type === "page_view"));
  assert.equal(tries.length, 4);
  assert.equal(new Set(tries.flatMap((r) => r.events.map((e) => e.id))).size, 1);
  assert.ok(tries[1].at - tries[0].at > 2900, "it waited as long as it was told");
  assert.ok(tries[2].at - tries[1].at > 900, "it waited longer than at first");
  assert.equal("ts" in tries[0].events[0], false);
  assert.ok(Math.abs(tries[3].events[0].ts - tries[0].at) < 2500, "ts is when it happened");
});

test("a refusal is not repeated", async () => {
  fake.answers.push({ status: 400, body: { error: { code: "bad" } } });
  const page = await browser.visitor();
  fake.pages["/p"] = html("");
  await page.goto(fake.url + "/p");
  await eventually(() => fake.requests.length === 1, "the first request");
  await page.evaluate(() => nudge.track("next"));
  await arrived("next");
  assert.deepEqual(fake.requests.flatMap((r) => r.events.map((e) => e.type)), ["page_view", "next"]);
});

test("more events than a leaving page may send arrive by the next page, in requests of at most 60 KiB", async () => {
  fake.pages["/q"] = html("");
  const page = await open("");
  fake.answers.push({ status: 200, delay: 1000 });
  await page.evaluate(() => {
    for (let i = 0; i < 12; i++) nudge.track("big", { i, text: "é".repeat(5000) });
    nudge.track("far too big", { text: "x".repeat(33 << 10) });
  });
  await page.goto(fake.url + "/q");
  await arrived("page_leave");
  assert.deepEqual(new Set(fake.of("big").map((e) => e.props.i)).size, 12);
  assert.equal(fake.of("far too big").length, 0);
  for (const r of fake.requests) assert.ok(r.bytes <= 60 << 10, `${r.bytes} bytes`);
});

test("a hidden tab has left: no dwell, no stream, no popup", async () => {
  fake.pages["/p"] = html(form);
  const page = await browser.tab();
  await page.goto(fake.url + "/p");
  await arrived("form_view");
  await eventually(() => fake.streams.size === 1, "the stream");
  const other = await browser.tab();
  const [left] = await arrived("page_leave");
  assert.deepEqual(left.props, { reason: "hidden" });
  await eventually(() => fake.streams.size === 0, "the stream's end");
  await page.bringToFront();
  const [, again] = await arrived("form_view", 2);
  assert.deepEqual(again.props, { form: "demo", again: true });
  assert.equal(fake.of("page_view").length, 1, "coming back is no page view");
  assert.deepEqual(types(), ["page_view", "form_view", "page_leave", "page_return", "form_view"]);
  await eventually(() => fake.streams.size === 1, "the stream again");
  await other.close();
  await page.close();
});

test("a tab that opens in the background has not been viewed", async () => {
  fake.pages["/p"] = html(form);
  fake.pages["/opener"] = "<!doctype html><p>opener";
  const page = await browser.tab();
  await page.goto(fake.url + "/opener");
  const other = await browser.tab();
  await other.bringToFront();
  await page.goto(fake.url + "/p");
  await sleep(400);
  assert.deepEqual(types(), []);
  await page.bringToFront();
  await arrived("form_view");
  assert.deepEqual(types(), ["page_view", "form_view"]);
  await other.close();
  await page.close();
});

test("the back/forward cache keeps the page and its honesty", async () => {
  fake.pages["/p"] = html(form);
  fake.pages["/q"] = html("");
  const page = await browser.tab();
  await page.goto(fake.url + "/p");
  await arrived("form_view");
  await page.evaluate(() => (window.kept = true));
  await page.goto(fake.url + "/q");
  await arrived("page_view", 2);
  await page.evaluate(() => void setTimeout(() => history.back(), 50)); // the call returns before the page goes
  await arrived("form_view", 2);
  assert.equal(await page.evaluate(() => window.kept), true, "it came out of the cache");
  assert.deepEqual(fake.events.map((e) => `${e.type} ${e.path}`),
    ["page_view /p", "form_view /p", "page_leave /p", "page_view /q", "page_leave /q", "page_view /p", "form_view /p"]);
  await eventually(() => fake.streams.size === 1, "one stream");
  await page.close();
});

test("a single-page route is a page of its own; a fragment is not", async () => {
  const page = await open("");
  await page.evaluate((form) => {
    history.pushState({}, "", "/two");
    document.title = "Two";
    document.body.insertAdjacentHTML("beforeend", form);
  }, form);
  await arrived("form_view");
  await page.evaluate(() => (location.hash = "part"));
  await page.evaluate(() => history.replaceState({}, "", location.href));
  await page.evaluate(() => document.forms[0].remove());
  await arrived("form_leave");
  assert.deepEqual(fake.events.map((e) => `${e.type} ${e.path}`),
    ["page_view /p", "page_leave /p", "page_view /two", "form_view /two", "form_leave /two"]);
  const [first, second] = fake.of("page_view");
  assert.equal(second.title, "Two");
  assert.equal(second.referrer, first.url);
  assert.deepEqual(fake.of("page_leave")[0].props, { reason: "route" });
});

test("a form below the fold is viewed when it is scrolled to", async () => {
  const page = await open(`<div style="height:3000px"></div>${form}`);
  await sleep(300);
  assert.deepEqual(types(), ["page_view"]);
  await page.evaluate(() => document.forms[0].scrollIntoView());
  await arrived("form_view");
  await page.evaluate(() => scrollTo(0, 0));
  await arrived("form_leave");
});

test("a popup of an answer is shown as text, reported, and shown once", async () => {
  const evil = `<img src=x onerror="window.hacked=1">`;
  const p = popup("a1", { headline: evil, body: "<b>b</b>", cta: { label: "Go", url: "javascript:window.hacked=1" }, dismiss: "No" });
  fake.answers.push({ status: 200, body: { accepted: 1, popups: [p] } });
  const page = await open("");
  const [shown] = await arrived("popup_shown");
  assert.deepEqual(shown.props, { popup: "a1", rule: "r", template: "t" });
  assert.equal(await card(page).locator("h2").textContent(), evil);
  assert.equal(await card(page).locator("img, b").count(), 0);
  assert.equal(await card(page).locator("a").count(), 0, "an address that is no address is no link");
  await card(page).getByText("Go").click();
  await arrived("popup_clicked");
  assert.equal(await card(page).count(), 0);
  fake.push(p);
  fake.push(popup("a2"));
  await arrived("popup_shown", 2);
  assert.deepEqual(fake.of("popup_shown").map((e) => e.props.popup), ["a1", "a2"]);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  await page.keyboard.press("Escape");
  await arrived("popup_dismissed");
  assert.equal(await card(page).count(), 0);
});

test("a popup does not take the focus, and its link leads on", async () => {
  const page = await open(form);
  await page.focus("[name=name]");
  await eventually(() => fake.streams.size, "the stream");
  fake.pages["/next"] = html("");
  fake.push(popup("c1", { body: "Shall we?", cta: { label: "Next", url: "next" }, dismiss: "No" }));
  await arrived("popup_shown");
  assert.equal(await page.evaluate(() => document.activeElement.name), "name");
  await page.screenshot({ path: picture("popup-bare") });
  await card(page).getByText("Next").click();
  await page.waitForURL(fake.url + "/next");
  await arrived("popup_clicked");
  assert.equal(fake.of("popup_dismissed").length, 0);
});

test("popups wait for each other, and those that are late are not shown", async () => {
  const page = await open("");
  await eventually(() => fake.streams.size, "the stream");
  fake.push(popup("late", {}, { expires_at: Date.now() - 1 }));
  fake.push(popup("one"));
  fake.push(popup("soon", {}, { expires_at: Date.now() + 600 }));
  fake.push(popup("two"));
  await arrived("popup_shown");
  assert.equal(await card(page).count(), 1);
  await sleep(800);
  await card(page).getByLabel("Close").click();
  await arrived("popup_shown", 2);
  assert.deepEqual(fake.of("popup_shown").map((e) => e.props.popup), ["one", "two"]);
});

test("a popup about a form is wanted while that form is open", async () => {
  const page = await open(`<form name="other" onsubmit="return false"><input name="x"></form>`);
  await eventually(() => fake.streams.size, "the stream");
  fake.push(popup("f1", { form: "demo" }));
  await sleep(300);
  assert.equal(await card(page).count(), 0, "there is no such form");
  await page.evaluate((f) => document.body.insertAdjacentHTML("beforeend", f), form);
  await arrived("popup_shown");
  await page.keyboard.press("Escape");
  await page.press("[name=x]", "Enter");
  await arrived("form_submit");
  fake.push(popup("f2", { form: "other" }));
  await sleep(300);
  assert.equal(await card(page).count(), 0, "it is sent");
});

test("a site may show popups itself", async () => {
  const page = await open("");
  await eventually(() => fake.streams.size, "the stream");
  await page.evaluate(() => nudge.on("popup", (p, report) => {
    window.got = p;
    report("shown");
    return false;
  }));
  fake.push(popup("h1"));
  await arrived("popup_shown");
  assert.equal(await page.evaluate(() => window.got.id), "h1");
  assert.equal(await card(page).count(), 0);
});

test("a hook is asked about every popup, also behind one that it failed at or that has nothing to show", async () => {
  const page = await open("");
  await eventually(() => fake.streams.size, "the stream");
  await page.evaluate(() => {
    window.got = [];
    nudge.on("popup", (p) => {
      window.got.push(p.id);
      if (p.id === "bad") throw new Error("the site's own");
      return p.id !== "mine1" && p.id !== "mine2";
    });
  });
  fake.push(popup("mine1"));
  fake.push(popup("mine2"));
  fake.push(popup("empty", { headline: "" }));
  fake.push(popup("bad"));
  fake.push(popup("last"));
  const [shown] = await arrived("popup_shown");
  assert.equal(shown.props.popup, "bad", "who fails does not show it itself");
  await card(page).getByLabel("Close").click();
  await arrived("popup_shown", 2);
  assert.deepEqual(await page.evaluate(() => window.got), ["mine1", "mine2", "empty", "bad", "last"]);
  assert.equal(fake.of("popup_shown")[1].props.popup, "last");
  assert.deepEqual(page.errors, []);
});

test("who has signed out gets no popup of who was there before", async () => {
  const page = await open("");
  await eventually(() => fake.streams.size, "the stream");
  const [{ visitor }] = fake.of("page_view");
  fake.answers.push({ status: 200, delay: 300, body: { accepted: 1, popups: [popup("before")] } });
  await page.evaluate(() => {
    nudge.track("signed_out");
    nudge.reset();
  });
  await eventually(() => [...fake.streams].some((s) => s.visitor !== visitor), "the stream of the next one");
  await page.evaluate(() => nudge.track("later"));
  await arrived("later"); // behind the answer
  for (const id of ["after", "behind"]) {
    fake.push(popup(id));
    await arrived("popup_shown", id === "after" ? 1 : 2);
    await card(page).getByLabel("Close").click();
  }
  assert.deepEqual(fake.of("popup_shown").map((e) => e.props.popup), ["after", "behind"]);
});

test("two visible windows have one stream and show a popup once", async () => {
  fake.pages["/p"] = html("");
  const first = await browser.visitor();
  // Each window has a process of its own and sees only later which popups the other has taken up. Here it never does.
  await first.context().addInitScript(() => {
    const own = {};
    const { getItem, setItem } = Storage.prototype;
    Storage.prototype.setItem = function (name, text) {
      own[name] = text;
      setItem.call(this, name, text);
    };
    Storage.prototype.getItem = function (name) {
      return name === "nudge.shown" ? own[name] ?? null : getItem.call(this, name);
    };
  });
  await first.goto(fake.url + "/p");
  const second = await first.context().newPage(); // both are visible: Playwright makes the tabs of such a context believe so
  await second.goto(fake.url + "/p");
  await arrived("page_view", 2);
  await eventually(() => fake.streams.size, "the stream");
  await sleep(300);
  await eventually(() => fake.streams.size === 1, "one stream alone");
  fake.push(popup("w1")); // the window that has the stream tells the other
  await arrived("popup_shown");
  await sleep(300);
  assert.equal((await card(first).count()) + (await card(second).count()), 1);
  const [old] = fake.streams;
  await first.close();
  await eventually(() => fake.streams.size === 1 && !fake.streams.has(old), "the other takes over");
  if (await card(second).count()) await card(second).getByLabel("Close").click();
  fake.push(popup("w2"));
  await arrived("popup_shown", 2);
});

for (const [what, locks] of [["no locks", "undefined"], ["forbidden locks", `{ request: async () => { throw new DOMException("no", "SecurityError") } }`]]) {
  test(`without storage, with ${what}, it works all the same`, async () => {
    fake.pages["/p"] = `<!doctype html><script>
      Object.defineProperty(window, "localStorage", {get() { throw new Error("no") }});
      Object.defineProperty(window, "sessionStorage", {get() { throw new Error("no") }});
      Object.defineProperty(navigator, "locks", {value: ${locks}});
      window.BroadcastChannel = undefined;
    </script>` + html(form);
    const page = await browser.visitor();
    await page.goto(fake.url + "/p");
    await arrived("form_view");
    await eventually(() => fake.streams.size, "the stream");
    fake.push(popup("s1"));
    await arrived("popup_shown");
    assert.equal(new Set(fake.events.map((e) => e.visitor)).size, 1);
    assert.deepEqual(page.errors, []);
  });
}

test("a strict content policy does not stop the popup's style", async () => {
  fake.pages["/p"] = html("").replace("<title>", `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; connect-src 'self'"><title>`);
  const page = await browser.visitor();
  await page.goto(fake.url + "/p");
  await eventually(() => fake.streams.size, "the stream");
  fake.push(popup("p1"));
  await arrived("popup_shown");
  assert.equal(await card(page).evaluate((e) => getComputedStyle(e).position), "fixed");
});
