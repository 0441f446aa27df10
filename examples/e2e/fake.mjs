// A server that only remembers what a browser sends and answers as it is told: the SDK is tested against it, without rules.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const root = new URL("../../", import.meta.url);
const types = { html: "text/html", css: "text/css", js: "text/javascript", svg: "image/svg+xml" };

export async function startFake() {
  const fake = {
    requests: [], // {at, status, events, bytes, query, type, method}
    pages: {}, // path → HTML
    answers: [], // what the next posts get: {status, headers, body, delay}; status 0 breaks the connection
    streams: new Set(),
    // events are those that were taken, once each, in order of arrival.
    get events() {
      const seen = new Set();
      return fake.requests.filter((r) => r.status === 200).flatMap((r) => r.events)
        .filter((e) => !seen.has(e.id) && seen.add(e.id));
    },
    of: (type) => fake.events.filter((e) => e.type === type),
    push(popup) {
      for (const res of fake.streams) res.write(`event: popup\nid: 1-0\ndata: ${JSON.stringify(popup)}\n\n`);
    },
    close: () => new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    }),
  };
  const server = createServer((req, res) => serve(fake, req, res));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  fake.url = `http://127.0.0.1:${server.address().port}`;
  return fake;
}

function serve(fake, req, res) {
  const url = new URL(req.url, "http://fake");
  res.setHeader("Access-Control-Allow-Origin", "*");
  if (url.pathname === "/v1/events") {
    const parts = [];
    req.on("data", (part) => parts.push(part));
    req.on("end", () => take(fake, req, url, Buffer.concat(parts), res));
  } else if (url.pathname === "/v1/popups/stream") {
    res.writeHead(200, { "Content-Type": "text/event-stream" });
    res.write(": hello\n\n");
    fake.streams.add(res);
    res.visitor = url.searchParams.get("visitor");
    req.on("close", () => fake.streams.delete(res));
  } else if (url.pathname.startsWith("/v1/alerts")) {
    res.writeHead(url.pathname.endsWith("stream") ? 404 : 200).end(JSON.stringify({ alerts: fake.alerts ?? [], next: "1-0" }));
  } else {
    file(fake, url.pathname, res);
  }
}

function take(fake, req, url, body, res) {
  const answer = fake.answers.shift() ?? { status: 200 };
  fake.requests.push({
    at: Date.now(), status: answer.status, events: JSON.parse(body), bytes: body.length, query: Object.fromEntries(url.searchParams),
    type: req.headers["content-type"], method: req.method,
  });
  if (answer.status === 0) return req.socket.destroy();
  setTimeout(() => {
    res.writeHead(answer.status, answer.headers ?? {});
    res.end(JSON.stringify(answer.body ?? { accepted: JSON.parse(body).length }));
  }, answer.delay ?? 0);
}

function file(fake, path, res) {
  if (fake.pages[path]) return res.writeHead(200, { "Content-Type": "text/html" }).end(fake.pages[path]);
  const name = path === "/nudge.js" ? "ingest/sdk/nudge.js" : "examples/site" + path.replace(/^\/demo/, "").replace(/\/$/, "/index");
  const full = name.includes(".") ? name : name + ".html";
  try {
    res.writeHead(200, { "Content-Type": types[full.split(".").pop()] }).end(readFileSync(new URL(full, root)));
  } catch {
    res.writeHead(404).end();
  }
}
