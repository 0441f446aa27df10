// What this browser remembers. A page may forbid storage (private mode, sandboxed frame, full quota); then memory has to do,
// and a visitor is known for the length of one page.

const memory = new Map<string, string>();

/** Reads an entry of this site's storage. */
export function read(name: string): string | null {
  try {
    return localStorage.getItem("nudge." + name) ?? memory.get(name) ?? null;
  } catch {
    return memory.get(name) ?? null;
  }
}

/** Writes an entry of this site's storage. */
export function write(name: string, text: string): void {
  memory.set(name, text);
  try {
    localStorage.setItem("nudge." + name, text);
  } catch {
    // memory has it
  }
}

/** A random UUID. crypto.randomUUID exists in secure contexts only; a plain http site needs this one. */
export function uuid(): string {
  const b = crypto.getRandomValues(new Uint8Array(16));
  b[6] = (b[6] & 15) | 64;
  b[8] = (b[8] & 63) | 128;
  const hex = Array.from(b, (x) => (x + 256).toString(16).slice(1)).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** The anonymous id of this browser. */
export function visitor(): string {
  return read("visitor") || newVisitor();
}

/** Makes this browser a new visitor. */
export function newVisitor(): string {
  const id = uuid();
  write("visitor", id);
  return id;
}
