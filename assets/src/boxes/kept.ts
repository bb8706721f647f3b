// Drafts kept in the browser until the server has them: encrypted under a key that the server gives to this session
// alone, for eight hours at most.
import { type Content, sameContent } from "./contract";

export const keptFor = 8 * 60 * 60 * 1000;

export interface KeptDraft extends Content {
  /** The server's version that this content started from. */
  readonly version: number;
  /** Which change of its page this was, for what that page said when it was left. */
  readonly change?: number;
  /** The tab that it was written in: while that is open elsewhere, the draft is still being worked on. */
  readonly tab?: string;
  /** What the page had sent before, without an answer yet: the server may have it as the version after. */
  readonly sent?: Content;
}

/** As it lies in the browser's database. */
export interface Sealed {
  readonly assignment: number;
  readonly at: number;
  readonly iv: Uint8Array<ArrayBuffer>;
  readonly data: ArrayBuffer;
}

/** Encrypts and opens drafts; null where the browser offers no cryptography (a page without TLS). */
export async function sealer(base64: string): Promise<Sealer | null> {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (!subtle || base64 === "") return null;
  const raw = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new Sealer(await subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]));
}

export class Sealer {
  constructor(private readonly key: CryptoKey) {}

  async seal(assignment: number, draft: KeptDraft, now: number): Promise<Sealed> {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const text = new TextEncoder().encode(JSON.stringify(draft));
    const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: bound(assignment) }, this.key, text);
    return { assignment, at: now, iv, data };
  }

  /** Null for one that is too old, of another session, or damaged. */
  async open(sealed: Sealed, now: number): Promise<KeptDraft | null> {
    if (now - sealed.at > keptFor || now < sealed.at - keptFor) return null;
    try {
      const algorithm = { name: "AES-GCM", iv: sealed.iv, additionalData: bound(sealed.assignment) };
      const text = await crypto.subtle.decrypt(algorithm, this.key, sealed.data);
      return JSON.parse(new TextDecoder().decode(text)) as KeptDraft;
    } catch {
      return null;
    }
  }
}

function bound(assignment: number): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`draft ${assignment}`);
}

/** Where sealed drafts lie, one for each assignment. */
export interface Shelf {
  put(sealed: Sealed): Promise<void>;
  get(assignment: number): Promise<Sealed | null>;
  remove(assignment: number): Promise<void>;
  removeBefore(time: number): Promise<void>;
}

/** The browser's own database; null where it allows none (some private windows). */
export async function openShelf(): Promise<Shelf | null> {
  try {
    const request = indexedDB.open("fiducial-drafts", 1);
    request.onupgradeneeded = () => request.result.createObjectStore("drafts", { keyPath: "assignment" });
    return new DatabaseShelf(await settled(request));
  } catch {
    return null;
  }
}

class DatabaseShelf implements Shelf {
  constructor(private readonly db: IDBDatabase) {}

  private drafts(mode: IDBTransactionMode): IDBObjectStore {
    return this.db.transaction("drafts", mode).objectStore("drafts");
  }

  async put(sealed: Sealed): Promise<void> {
    await settled(this.drafts("readwrite").put(sealed));
  }

  async get(assignment: number): Promise<Sealed | null> {
    return ((await settled(this.drafts("readonly").get(assignment))) as Sealed | undefined) ?? null;
  }

  async remove(assignment: number): Promise<void> {
    await settled(this.drafts("readwrite").delete(assignment));
  }

  async removeBefore(time: number): Promise<void> {
    const drafts = this.drafts("readwrite");
    const all = (await settled(drafts.getAll())) as Sealed[];
    for (const old of all.filter((s) => s.at < time)) drafts.delete(old.assignment);
  }
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's database failed"));
  });
}

const tabAs = "fiducial-tab";

let holding = false;

/** What tells this tab from the others, through all of its pages. While one of them is open it holds a lock of that name. */
export function thisTab(): string {
  let tab: string = crypto.getRandomValues(new Uint32Array(4)).join("-");
  try {
    tab = sessionStorage.getItem(tabAs) ?? tab;
    sessionStorage.setItem(tabAs, tab);
  } catch {
    // Without storage every page is a tab of its own.
  }
  const locks = (navigator as Partial<Navigator>).locks;
  if (!holding && locks) {
    holding = true;
    void locks.request(`${tabAs}-${tab}`, { mode: "shared" }, () => new Promise(() => {})).catch(() => undefined);
  }
  return tab;
}

// How long a tab that is being closed may still hold its lock.
const closing = 2000;

/** Whether a tab is open, and stays it for a moment; where the browser cannot tell, it is not. */
export async function isOpen(tab: string): Promise<boolean> {
  const locks = (navigator as Partial<Navigator>).locks;
  if (!locks) return false;
  return locks.request(`${tabAs}-${tab}`, { signal: AbortSignal.timeout(closing) }, () => false).catch(() => true);
}

const leftAs = (assignment: number): string => `fiducial-left-${assignment}`;

/** What a page said when it was left: which version of the draft was on its way to the server, and which change that was. */
export interface Leaving {
  readonly version: number;
  readonly change: number;
}

/** Remembers it for this tab. */
export function noteLeaving(assignment: number, { version, change }: Leaving): void {
  try {
    sessionStorage.setItem(leftAs(assignment), `${version} ${change}`);
  } catch {
    // Without storage a quick reload may show the version before.
  }
}

/** What noteLeaving remembered, null for nothing. It stays until forgetLeaving: a page may be left again before it has looked. */
export function leavingOf(assignment: number): Leaving | null {
  try {
    const [version = 0, change = 0] = (sessionStorage.getItem(leftAs(assignment)) ?? "").split(" ").map(Number);
    return version > 0 ? { version, change } : null;
  } catch {
    return null;
  }
}

export function forgetLeaving(assignment: number): void {
  try {
    sessionStorage.removeItem(leftAs(assignment));
  } catch {
    // There is nothing to forget.
  }
}

/**
 * What a page does that finds what one before it left behind: nothing; wait for a save that is on its way, since that is
 * newer than what is kept; bring back what is kept; or ask, since somebody else has changed the draft.
 */
export type Return = "nothing" | "wait" | "bring" | "ask";

export function returning(kept: KeptDraft | null, left: Leaving | null, now: { readonly version: number; readonly content: Content }): Return {
  const older = left !== null && (kept?.change ?? 0) < left.change;
  if (older && left.version > now.version) return "wait";
  if (!kept || older || sameContent(kept, now.content)) return "nothing";
  const ours = kept.version === now.version || (kept.sent !== undefined && sameContent(kept.sent, now.content));
  return ours ? "bring" : "ask";
}
