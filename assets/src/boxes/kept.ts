// Drafts kept in the browser while the server cannot be reached: encrypted under a
// key that the server gives to this session alone, for eight hours at most.
import type { Content } from "./contract";

export const keptFor = 8 * 60 * 60 * 1000;

export interface KeptDraft extends Content {
  /** The server's version that this content started from. */
  readonly version: number;
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

const leftAs = (assignment: number): string => `fiducial-left-${assignment}`;

/** Remembers, for this tab, which version of a draft was on its way to the server when its page was left. */
export function noteLeaving(assignment: number, version: number): void {
  try {
    sessionStorage.setItem(leftAs(assignment), String(version));
  } catch {
    // Without storage a quick reload may show the version before.
  }
}

/** What noteLeaving remembered, once; 0 for nothing. */
export function takeLeaving(assignment: number): number {
  try {
    const version = Number(sessionStorage.getItem(leftAs(assignment)) ?? 0);
    sessionStorage.removeItem(leftAs(assignment));
    return version;
  } catch {
    return 0;
  }
}
