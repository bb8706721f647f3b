// What a reviewer had drawn when somebody else decided first: it is kept while the tab lives, and can be taken up again.
import type { Box } from "../boxes/model";
import type { Mark } from "./marks";

export interface Kept {
  /** What the server said. */
  readonly why: string;
  /** Of the answers as they were then: other ones have other objects. */
  readonly matching: string;
  readonly boxes: readonly Box[];
  readonly judged: readonly string[];
  readonly marks: readonly Mark[];
}

const kept = new Map<string, Kept>();

/** Keeps it under the address of the item's page. */
export function keep(address: string, what: Kept): void {
  kept.set(address, what);
}

export function keptFor(address: string): Kept | null {
  return kept.get(address) ?? null;
}

export function forget(address: string): void {
  kept.delete(address);
}
