// What a popup looks like: a card in the corner, a sheet at the bottom of a phone. It lives in a shadow root, so that neither
// the site's style nor ours leaks; a site sets its colours with --nudge-accent, --nudge-text, --nudge-background,
// --nudge-radius and --nudge-font. It never takes the focus: the person may be typing. All text is set as text.

const STYLE = `
:host{all:initial;position:fixed;z-index:2147483000;right:24px;bottom:24px;width:min(372px,calc(100vw - 48px))}
section{position:relative;box-sizing:border-box;padding:22px 24px;border-radius:var(--nudge-radius,16px);
background:var(--nudge-background,#fff);color:var(--nudge-text,#16181d);
font:15px/1.5 var(--nudge-font,system-ui,-apple-system,"Segoe UI",Roboto,sans-serif);
border:1px solid rgb(0 0 0/.08);box-shadow:0 1px 2px rgb(0 0 0/.06),0 18px 50px -8px rgb(16 24 40/.28);
animation:in .32s cubic-bezier(.2,.9,.3,1.1)}
h2{margin:0 28px 6px 0;font-size:18px;line-height:1.3;font-weight:650;letter-spacing:-.01em}
p{margin:0;opacity:.78}
div{display:flex;flex-wrap:wrap;gap:8px;margin-top:18px}
a,button{font:inherit;font-weight:600;font-size:14px;border:0;border-radius:10px;padding:9px 16px;cursor:pointer;text-decoration:none}
.c{background:var(--nudge-accent,#2f5bea);color:var(--nudge-on-accent,#fff)}
.c:hover{filter:brightness(1.08)}
.d{background:none;color:inherit;opacity:.72}
.d:hover,.x:hover{opacity:1;background:rgb(0 0 0/.06)}
.x{position:absolute;top:14px;right:14px;width:32px;height:32px;padding:0;font-size:20px;line-height:30px;font-weight:400;background:none;color:inherit;opacity:.55}
:focus-visible{outline:2px solid var(--nudge-accent,#2f5bea);outline-offset:2px}
@keyframes in{from{opacity:0;transform:translateY(14px) scale(.98)}}
@media(max-width:480px){:host{right:12px;left:12px;bottom:12px;width:auto}.c,.d{flex:1;text-align:center}}
@media(prefers-reduced-motion:reduce){section{animation:none}}
@media print{:host{display:none}}`;

/** Puts a popup on the page and returns what takes it away. Nothing to say, nothing to show. */
export function card(
  data: Record<string, unknown>, report: (what: "shown" | "clicked" | "dismissed") => void, closed: () => void,
): (() => void) | undefined {
  const headline = text(data.headline);
  const body = text(data.body);
  if (!headline && !body) return undefined;

  const host = document.createElement("nudge-popup");
  const root = host.attachShadow({ mode: "open" });
  addStyle(root);
  const section = make("section", "");
  section.setAttribute("role", "dialog");
  section.setAttribute("aria-label", headline || body);

  const close = () => {
    host.remove();
    removeEventListener("keydown", onKey);
    closed();
  };
  const dismiss = () => {
    report("dismissed");
    close();
  };
  const onKey = (e: KeyboardEvent) => {
    if (e.key === "Escape" && !e.defaultPrevented) dismiss();
  };

  if (headline) section.append(make("h2", headline));
  if (body) section.append(make("p", body));
  const row = make("div", "");
  const cta = callToAction(data.cta);
  if (cta) {
    cta.onclick = () => {
      report("clicked");
      close();
    };
    row.append(cta);
  }
  if (text(data.dismiss)) row.append(button("d", text(data.dismiss), dismiss));
  if (row.firstChild) section.append(row);
  const x = button("x", "×", dismiss);
  x.setAttribute("aria-label", "Close");
  section.append(x);

  // An output is a live region: what comes into it is read out, so it has to be there first.
  const live = make("output", "");
  root.append(live);
  document.body.append(host);
  addEventListener("keydown", onKey);
  requestAnimationFrame(() => {
    live.append(section);
    requestAnimationFrame(() => host.isConnected && report("shown"));
  });
  return close;
}

function callToAction(cta: unknown): HTMLElement | undefined {
  const { label, url } = (cta || {}) as { label?: unknown; url?: unknown };
  if (!text(label)) return undefined;
  const href = safeURL(text(url));
  const el = make(href ? "a" : "button", text(label), "c");
  if (href) (el as HTMLAnchorElement).href = href;
  return el;
}

/** An address that may be linked: http, https or relative to this page. Anything else, as javascript:, is none. */
function safeURL(url: string): string {
  if (!url) return "";
  try {
    const u = new URL(url, location.href);
    return /^https?:$/.test(u.protocol) ? u.href : "";
  } catch {
    return "";
  }
}

function addStyle(root: ShadowRoot): void {
  try {
    // A sheet that is made here passes a Content-Security-Policy that forbids inline styles.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
  } catch {
    root.append(make("style", STYLE));
  }
}

function make(tag: string, content: string, className = ""): HTMLElement {
  const el = document.createElement(tag);
  el.textContent = content;
  if (className) el.className = className;
  return el;
}

function button(className: string, label: string, onclick: () => void): HTMLElement {
  const el = make("button", label, className);
  el.onclick = onclick;
  return el;
}

function text(v: unknown): string {
  return typeof v === "string" || typeof v === "number" ? String(v).trim() : "";
}
