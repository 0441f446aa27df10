// The demo site, the example rules and the server as one, as people would use them. Real time: the popup takes its 20 seconds.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually, launch, patience, picture, sleep } from "./browser.mjs";

const url = process.env.NUDGE_URL;
assert.ok(url, "NUDGE_URL is the address of a server started with --demo; run.sh sets it");

const dwell = 20_000; // of the rule demo-help
const clocks = 100; // ms by which the clocks of browser and server may drift apart meanwhile
const person = "ana@acme.example"; // two page views short of highly-engaged
const colleague = "lee@acme.example"; // the third of her company

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

const card = (page) => page.locator("nudge-popup section");
const desktop = { viewport: { width: 1360, height: 900 } };

// openForm shows the form and keeps, by the page's own clock, when it last came into view and when the popup came: this process
// may be late in hearing of either.
async function openForm(page) {
  await page.addInitScript(() => {
    const send = window.fetch;
    window.fetch = (...args) => {
      if (args[1]?.body?.includes(`"form_view"`)) window.viewedAt = performance.now();
      return send(...args);
    };
    new MutationObserver(() => {
      if (!window.popupAt && document.querySelector("nudge-popup")) window.popupAt = performance.now();
    }).observe(document, { childList: true, subtree: true });
  });
  await page.goto(url + "/demo/book");
  await page.waitForFunction(() => window.viewedAt);
}

// lateness waits for the popup and returns how many ms after the 20 s it came.
async function lateness(page) {
  await card(page).waitFor({ timeout: dwell + patience });
  return page.evaluate((dwell) => Math.round(window.popupAt - window.viewedAt - dwell), dwell);
}

async function fillIn(page, mail) {
  await page.fill("form[name=demo] [name=mail]", mail);
  await page.fill("form[name=demo] [name=name]", "Sam Reed");
  await page.selectOption("[name=vans]", "4 to 20");
}

async function signIn(page, mail) {
  await page.getByRole("button", { name: "Sign in" }).first().click();
  await page.fill("dialog [name=mail]", mail);
  const told = page.waitForResponse((r) => r.url().includes("/v1/events") && r.request().postData()?.includes(`"identify"`));
  await page.locator("dialog form button.primary").click();
  assert.equal((await told).status(), 200);
  assert.equal(await page.locator("[data-mail]").textContent(), mail);
}

test("the pages look as they should", async () => {
  for (const [name, viewport] of Object.entries({ desktop: { width: 1360, height: 900 }, phone: { width: 390, height: 844 } })) {
    const page = await browser.visitor({ viewport });
    for (const path of ["", "pricing", "docs", "book"]) {
      await page.goto(url + "/demo/" + path);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `/demo/${path} on a ${name} is ${wide} px too wide`);
      await page.screenshot({ path: picture(`${path || "home"}-${name}`), fullPage: true });
    }
    assert.deepEqual(page.errors, []);
  }
});

// All at the same time, as most of it is waiting.
describe("the demo", { concurrency: true }, () => {
  test("who sits on the demo form for 20 seconds sees the popup", async (t) => {
    const page = await browser.visitor(desktop);
    await openForm(page);
    const late = await lateness(page);
    t.diagnostic(`the popup came ${late} ms after the 20 s`);
    assert.ok(late >= -clocks, `${late} ms`);
    assert.match(await card(page).textContent(), /Not sure what to put in\?/);
    await sleep(500); // it has moved in
    await page.screenshot({ path: picture("popup") });
    await card(page).getByText("Take the tour").click();
    await page.waitForURL(url + "/demo/docs");
    const pending = () => page.evaluate(async () => {
      const res = await fetch("/v1/popups?visitor=" + localStorage.getItem("nudge.visitor"));
      return (await res.json()).popups.length;
    });
    await eventually(async () => (await pending()) === 0, "the server has heard that it was shown");
    assert.deepEqual(page.errors, []);
  });

  test("the same on a phone", async () => {
    const page = await browser.visitor({ viewport: { width: 390, height: 844 } });
    await page.goto(url + "/demo/book");
    await page.evaluate(() => document.querySelector("form[name=demo]").scrollIntoView());
    await card(page).waitFor({ timeout: dwell + patience });
    await sleep(500);
    await page.screenshot({ path: picture("popup-phone") });
  });

  test("who sends the form in time sees none", async () => {
    const page = await browser.visitor(desktop);
    await openForm(page);
    await sleep(1000);
    await fillIn(page, "sam@pineworks.example");
    await page.getByRole("button", { name: "Book my demo" }).click();
    await page.getByText("Thank you").waitFor();
    await sleep(dwell + 2000);
    assert.equal(await card(page).count(), 0);
    await page.screenshot({ path: picture("form-sent") });
  });

  test("time in a hidden tab does not count", async (t) => {
    const page = await browser.tab();
    await openForm(page);
    await sleep(5000);
    const other = await browser.tab(); // opens in front
    await other.goto("about:blank");
    assert.equal(await page.evaluate(() => document.visibilityState), "hidden");
    await sleep(dwell + 2000);
    assert.equal(await card(page).count(), 0, "shown while hidden");
    await page.bringToFront();
    const late = await lateness(page);
    t.diagnostic(`the popup came ${late} ms after 20 s in view again`);
    assert.ok(late >= -clocks, `${late} ms: hidden time was counted`);
  });

  test("the feed tells sales about a highly engaged person, then about her company", async (t) => {
    const feed = await browser.visitor(desktop);
    await feed.goto(url + "/demo/feed");
    await feed.getByText("Live", { exact: true }).waitFor();
    assert.equal(await feed.getByText("Nothing yet").isVisible(), true, "the history alone fires nothing");
    await feed.screenshot({ path: picture("feed-empty") });

    const ana = await browser.visitor(desktop);
    await ana.goto(url + "/demo/");
    await signIn(ana, person);
    await sleep(500);
    assert.equal(await feed.locator("#feed li").count(), 0, "the page she signed in on is hers now, and one too few");
    const began = Date.now();
    await ana.getByRole("link", { name: "Pricing" }).first().click();
    const alert = feed.locator("#feed li").filter({ hasText: "highly-engaged" });
    await alert.waitFor({ timeout: patience });
    t.diagnostic(`click to alert on screen: ${Date.now() - began} ms`);
    assert.equal(await alert.locator(".key").textContent(), person);
    assert.match(await alert.textContent(), /acme\.example.*\/demo\/pricing/);

    const lee = await browser.visitor(desktop);
    await lee.goto(url + "/demo/");
    await signIn(lee, colleague);
    await lee.getByRole("link", { name: "Docs" }).first().click();
    const hot = feed.locator("#feed li").filter({ hasText: "hot-company" });
    await hot.waitFor({ timeout: patience });
    assert.equal(await hot.locator(".key").textContent(), "acme.example");
    assert.match(await hot.textContent(), /lee@acme\.example/);
    assert.equal(await feed.locator("#feed li").first().locator(".rule").textContent(), "hot-company", "the newest is on top");
    await sleep(2500); // the mark of the new one has faded
    await feed.screenshot({ path: picture("feed") });

    await feed.reload();
    await eventually(async () => (await feed.locator("#feed li").count()) === 2, "both alerts after a reload");
    assert.deepEqual([...feed.errors, ...ana.errors, ...lee.errors], []);
  });
});
