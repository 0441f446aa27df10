// A real Chromium, and where its pictures go.
//
// It is started here and not by Playwright, which would make every tab believe that it is in front and switch the back/forward
// cache off: both are what the SDK has to get right.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const out = fileURLToPath(new URL("out/", import.meta.url));
mkdirSync(out, { recursive: true });

export const picture = (name) => join(out, name + ".png");

const flags = [
  "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb", "--window-size=1360,900",
  "--remote-debugging-port=0",
];

// launch returns a browser with tabs that can be hidden (tab), others that are a new visitor each (visitor), and close.
export async function launch() {
  const profile = mkdtempSync(join(tmpdir(), "nudge-e2e-"));
  const child = spawn(process.env.CHROMIUM || "/usr/bin/chromium", [...flags, `--user-data-dir=${profile}`, "about:blank"]);
  const gone = new Promise((done) => child.once("exit", done));
  process.once("SIGTERM", () => {
    child.kill(); // a test that is stopped leaves no browser behind
    process.exit(143);
  });
  const stop = async () => {
    const force = setTimeout(() => child.kill("SIGKILL"), 5000);
    await gone;
    clearTimeout(force);
    rmSync(profile, { recursive: true, force: true, maxRetries: 20 }); // its helpers end a little later
  };
  try {
    const browser = await chromium.connectOverCDP(await debuggerOf(child), { noDefaults: true });
    return {
      tab: async () => watched(await browser.contexts()[0].newPage()),
      visitor: async (options) => watched(await (await browser.newContext(options)).newPage()),
      close: async () => {
        const session = await browser.newBrowserCDPSession();
        await session.send("Browser.close").catch(() => {}); // the answer may not come through any more
        await stop();
      },
    };
  } catch (err) {
    child.kill();
    await stop();
    throw err;
  }
}

function debuggerOf(child) {
  return new Promise((found, failed) => {
    let text = "";
    child.stderr.on("data", (part) => {
      text += part;
      const at = /DevTools listening on (ws:\S+)/.exec(text);
      if (at) found(at[1]);
    });
    child.once("error", failed);
    child.once("exit", () => failed(new Error(`Chromium ended before it was ready:\n${text}`)));
  });
}

// An exception in a page fails the test that looks at page.errors.
function watched(page) {
  page.errors = [];
  page.on("pageerror", (err) => page.errors.push(err));
  return page;
}

// patience is how long a test waits for what must come, in ms: long, as a busy machine is slow and no test waits for what it has.
export const patience = 30_000;

// eventually waits until check gives something true, at most for patience.
export async function eventually(check, what) {
  const end = Date.now() + patience;
  for (;;) {
    const got = await check();
    if (got) return got;
    if (Date.now() > end) throw new Error(`did not happen within ${patience} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 25));
  }
}

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
