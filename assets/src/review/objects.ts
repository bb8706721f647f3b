// What several answers say of each object on the item, and what is decided about it so far. The Go side is
// in web/review.go.
import type { OverlayInfo } from "../boxes/contract";
import { centre } from "../boxes/geometry";
import type { Box } from "../boxes/model";
import type { Fault } from "./marks";

/** A box of an overlay, and the fault that it probably has. */
export interface Member {
  readonly answer: string;
  readonly box: string;
  readonly fault: Fault | "";
}

/** One object: its box among the reviewer's bears its id. */
export interface Thing {
  readonly id: string;
  readonly members: readonly Member[];
  readonly wide: readonly Member[];
  readonly missing: readonly string[];
  /** What the answers make together, or null where most have nothing. */
  readonly merged: Box | null;
  /** It needs no judgment. */
  readonly settled: boolean;
}

export interface Matching {
  readonly objects: readonly Thing[];
  /** The present truth's boxes, those of an object under its id. */
  readonly truth: readonly Box[];
}

export type Status = "open" | "out" | "merged" | "amended" | { readonly answer: string };

/** What is said of an answer when it goes back: the place of its box in it, or a place on the image. */
export interface Suggestion {
  readonly answer: string;
  readonly fault: Fault;
}

export class Objects {
  private readonly theirs = new Map<string, Box>();
  private readonly byBox = new Map<string, Thing>();

  constructor(
    readonly matching: Matching,
    overlays: readonly OverlayInfo[],
  ) {
    for (const overlay of overlays) for (const box of overlay.boxes) this.theirs.set(box.id, box);
    for (const thing of matching.objects) {
      this.byBox.set(thing.id, thing);
      for (const member of thing.members) this.byBox.set(member.box, thing);
    }
  }

  get all(): readonly Thing[] {
    return this.matching.objects;
  }

  /** The object that a box belongs to: one of an overlay, or the reviewer's own. */
  of(box: string | null): Thing | null {
    return box === null ? null : (this.byBox.get(box) ?? null);
  }

  /** Under which id the reviewer takes over each box of the overlays. */
  ownIds(): ReadonlyMap<string, string> {
    return new Map(this.all.flatMap((thing) => thing.members.map((m): [string, string] => [m.box, thing.id])));
  }

  /** An answer's box of the object, as the reviewer would have it; null for none. */
  boxOf(thing: Thing, answer: string): Box | null {
    const member = thing.members.find((m) => m.answer === answer);
    const box = member && this.theirs.get(member.box);
    return box ? { ...box, id: thing.id } : null;
  }

  /** A whole answer under the objects' ids, or what all make together. */
  whole(choice: string): readonly Box[] {
    if (choice === "truth") return this.matching.truth;
    return this.all.flatMap((thing) => (choice === "merged" ? thing.merged : this.boxOf(thing, choice)) ?? []);
  }

  /** What is decided about an object: `box` is the reviewer's own for it, `judged` says that having none is meant so. */
  status(thing: Thing, box: Box | null, judged: boolean): Status {
    if (!box) return judged ? "out" : "open";
    if (thing.merged && alike(thing.merged, box) && thing.members.length > 1) return "merged";
    const member = thing.members.find((m) => alike(this.theirs.get(m.box) ?? null, box));
    return member ? { answer: member.answer } : "amended";
  }

  /** Which choice the reviewer's boxes are, taken whole; null for none. */
  wholeOf(boxes: readonly Box[], choices: readonly string[]): string | null {
    return choices.find((choice) => sameSet(this.whole(choice), boxes)) ?? null;
  }

  /** The ids of all boxes of an object, to be lit. */
  lights(thing: Thing): readonly string[] {
    return [thing.id, ...[...thing.members, ...thing.wide].map((m) => m.box)];
  }

  /** The box that shows where the object is. */
  place(thing: Thing): Box | null {
    return thing.merged ?? this.theirs.get(thing.members[0]?.box ?? "") ?? null;
  }

  /** Whose answers would go back for this object, and why: those with the gravest fault. */
  suggestions(thing: Thing): readonly Suggestion[] {
    const found: Suggestion[] = [
      ...[...thing.members, ...thing.wide].flatMap((m) => (m.fault === "" ? [] : [{ answer: m.answer, fault: m.fault }])),
      ...thing.missing.map((answer): Suggestion => ({ answer, fault: "missed_defect" })),
    ];
    const worst = gravest.find((fault) => found.some((s) => s.fault === fault));
    return found.filter((s, i) => s.fault === worst && found.findIndex((other) => other.answer === s.answer && other.fault === s.fault) === i);
  }

  /** Where a fault of an answer is pinned: to its box of the object, or to the place where it has none. */
  pin(thing: Thing, answer: string): { readonly position: number | null; readonly x: number | null; readonly y: number | null } {
    const member = [...thing.members, ...thing.wide].find((m) => m.answer === answer);
    if (member) return { position: Number(member.box.slice(answer.length)), x: null, y: null };
    const box = this.place(thing);
    return box ? { position: null, ...centre(box) } : { position: null, x: null, y: null };
  }
}

const gravest: readonly Fault[] = ["split_needed", "wrong_class", "missed_defect", "loose_box"];

/** The same box, whatever it is called. */
export function alike(a: Box | null, b: Box | null): boolean {
  return a !== null && b !== null && a.class === b.class && a.x === b.x && a.y === b.y && a.w === b.w && a.h === b.h && a.rotation === b.rotation;
}

function sameSet(a: readonly Box[], b: readonly Box[]): boolean {
  const key = (x: Box): string => [x.class, x.x, x.y, x.w, x.h, x.rotation].join();
  if (a.length !== b.length) return false;
  const left = b.map(key).sort();
  return a
    .map(key)
    .sort()
    .every((k, i) => k === left[i]);
}
