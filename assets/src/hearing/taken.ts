// A moment that is taken, and when two are the same.
import type { Box } from "../boxes/model";

export interface Taken extends Box {
  /** Of the object that it stands for, "" for one that the reviewer marked. */
  readonly thing: string;
}

export function same(a: Box | null, b: Box | null): boolean {
  return a !== null && b !== null && a.class === b.class && a.x === b.x && a.y === b.y && a.w === b.w && a.h === b.h;
}

/** Whether both lists hold the same moments, in whatever order. */
export function sameAll(taken: readonly Box[], list: readonly Box[]): boolean {
  const left = [...taken];
  for (const m of list) {
    const at = left.findIndex((own) => same(own, m));
    if (at < 0) return false;
    left.splice(at, 1);
  }
  return left.length === 0;
}
