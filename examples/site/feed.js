// The alert feed as a page: first what there is, by cursor, then what comes, by server-sent events; where those do not come
// through, by asking again. /demo/feed?key=FEED_KEY where the server asks for a key. Everything is set as text.

const MAX_SHOWN = 300; // alerts kept on the page; older ones are in the feed still
const PAGE = 200; // alerts per request
const POLL = 2000; // ms
const RETRY_STREAM = 30_000; // ms

const list = document.querySelector("#feed");
const state = document.querySelector("#state");
const key = new URLSearchParams(location.search).get("key");
const shown = new Set();
let cursor = "";

function address(path, query) {
  const q = new URLSearchParams(query);
  if (key) q.set("key", key);
  return `${path}?${q}`;
}

function say(name, text) {
  if (state.dataset.state === name && state.textContent === text) return;
  state.dataset.state = name;
  state.textContent = text;
}

function make(tag, className, text) {
  const el = document.createElement(tag);
  if (className) el.className = className;
  el.textContent = text ?? "";
  return el;
}

function plain(value) {
  if (value === null || value === undefined) return "–";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

function add(alert, isNew) {
  if (alert.cursor) cursor = alert.cursor;
  if (shown.has(alert.id)) return;
  shown.add(alert.id);
  const item = make("li", isNew ? "new" : "");
  const line = make("div", "line");
  const at = new Date(alert.at);
  const time = make("time", "", at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }));
  time.dateTime = at.toISOString();
  line.append(make("span", "rule", alert.rule), time);
  item.append(line, make("p", "key", alert.key), make("p", "text", alert.text));
  const rows = Object.entries(alert.data || {});
  if (rows.length) {
    const facts = make("dl");
    for (const [name, value] of rows) {
      const values = make("dd");
      for (const v of Array.isArray(value) ? value : [value]) values.append(make("span", "", plain(v)));
      facts.append(make("dt", "", name.replaceAll("_", " ")), values);
    }
    item.append(facts);
  }
  list.prepend(item);
  while (list.children.length > MAX_SHOWN) list.lastElementChild.remove();
  list.hidden = false;
  document.querySelector("#empty").hidden = true;
}

// catchUp walks the feed from the cursor to its end.
async function catchUp(isNew) {
  for (;;) {
    const res = await fetch(address("/v1/alerts", { after: cursor, limit: PAGE }));
    const answer = await res.json().catch(() => ({}));
    if (!res.ok) throw new Error(answer.error?.message || `the server answers ${res.status}`);
    for (const a of answer.alerts) add(a, isNew);
    cursor = answer.next || cursor;
    if (!answer.alerts.length) return;
  }
}

function stream() {
  const source = new EventSource(address("/v1/alerts/stream", { after: cursor }));
  const take = (e) => add(JSON.parse(e.data), true);
  source.onmessage = take;
  source.addEventListener("alert", take);
  source.onopen = () => say("live", "Live");
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) poll(Date.now() + RETRY_STREAM);
    else say("wait", "Reconnecting");
  };
}

// poll asks again and again until it is time to try the stream.
async function poll(until) {
  while (Date.now() < until) {
    try {
      await catchUp(true);
      say("poll", "Asking every 2 s");
    } catch (err) {
      say("fail", `No connection: ${err.message}`);
    }
    await new Promise((done) => setTimeout(done, POLL));
  }
  stream();
}

catchUp(false).then(stream, (err) => {
  say("fail", `No connection: ${err.message}`);
  poll(Date.now() + POLL);
});
