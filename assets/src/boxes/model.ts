import type { Turned } from "./geometry";

/** A labelled rectangle in pixels of the upright image; `class` is the class's id. */
export interface Box extends Turned {
  readonly id: string;
  readonly class: number;
}

/** One step from `before` to `after` at an index: null stands for "no box there". */
export interface Change {
  readonly at: number;
  readonly before: Box | null;
  readonly after: Box | null;
}

/** The boxes of one item in their order. Neither a box nor a list that was handed out is ever altered. */
export class Boxes {
  private list: Box[];
  private readonly byId: Map<string, Box>;

  constructor(boxes: readonly Box[]) {
    this.list = [...boxes];
    this.byId = new Map(boxes.map((b) => [b.id, b]));
  }

  get all(): readonly Box[] {
    return this.list;
  }

  get(id: string | null): Box | null {
    return id === null ? null : (this.byId.get(id) ?? null);
  }

  indexOf(id: string): number {
    return this.list.findIndex((b) => b.id === id);
  }

  apply(changes: readonly Change[]): void {
    this.list = [...this.list];
    for (const c of changes) this.step(c.at, c.before, c.after);
  }

  revert(changes: readonly Change[]): void {
    this.list = [...this.list];
    for (const c of [...changes].reverse()) this.step(c.at, c.after, c.before);
  }

  private step(at: number, before: Box | null, after: Box | null): void {
    this.list.splice(at, before === null ? 0 : 1, ...(after === null ? [] : [after]));
    if (before) this.byId.delete(before.id);
    if (after) this.byId.set(after.id, after);
  }
}

/** An id for a box drawn here; the server keeps it for the life of the annotation. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

/** "Scratch, 206.0 × 23.0 px at 120.5, 44.0, turned by 15.0°": how a box is said to who cannot see it. */
export function spoken(box: Box, className: string): string {
  const f = (v: number): string => v.toFixed(1);
  const turned = box.rotation === 0 ? "" : `, turned by ${angle(box.rotation)}`;
  return `${className}, ${f(box.w)} × ${f(box.h)} px at ${f(box.x)}, ${f(box.y)}${turned}`;
}

/** "−12.5°": clockwise is above zero. */
export function angle(degrees: number): string {
  return `${degrees.toFixed(1).replace("-", "−")}°`;
}

export function sameBoxes(a: readonly Box[], b: readonly Box[]): boolean {
  return a.length === b.length && a.every((box, i) => same(box, b[i]));
}

export function same(a: Box, b: Box | undefined | null): boolean {
  return (
    b != null && a.id === b.id && a.class === b.class && a.x === b.x && a.y === b.y && a.w === b.w && a.h === b.h &&
    a.rotation === b.rotation
  );
}
