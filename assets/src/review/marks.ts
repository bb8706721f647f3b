// What a reviewer finds wrong with an answer, pinned to a box of it, to a place, or to the whole.
import type { Box } from "../boxes/model";

export type Fault = "loose_box" | "missed_defect" | "wrong_class" | "split_needed" | "other";

export interface Mark {
  /** The answer that it is about; 0 for the one that the boxes were begun from. */
  readonly annotation: number;
  readonly fault: Fault;
  readonly note: string;
  /** The box's place in the answer. */
  readonly position: number | null;
  /** A place where the answer has no box. */
  readonly x: number | null;
  readonly y: number | null;
}

/** What a fault is about, in words and as the server takes it. */
export interface Target {
  readonly words: string;
  readonly position: number | null;
  readonly x: number | null;
  readonly y: number | null;
}

/**
 * What a mark would be pinned to while this box is chosen: boxes of the answer have
 * their position as id; one that the reviewer drew stands for the place where it is.
 */
export function targetOf(chosen: Box | null, answer: readonly Box[], name: string): Target {
  if (!chosen) return { words: "about the whole answer", position: null, x: null, y: null };
  const position = answer.findIndex((b) => b.id === chosen.id);
  if (position >= 0) return { words: `about box ${position + 1}, ${name}`, position, x: null, y: null };
  const x = chosen.x + chosen.w / 2;
  const y = chosen.y + chosen.h / 2;
  return { words: `about the place at ${Math.round(x)}, ${Math.round(y)}`, position: null, x, y };
}

/** Adds a mark; the same fault at the same target is replaced, and keeps its note where the new one has none. */
export function withMark(marks: readonly Mark[], mark: Mark): Mark[] {
  const same = (m: Mark): boolean => m.annotation === mark.annotation && m.fault === mark.fault && m.position === mark.position && m.x === mark.x && m.y === mark.y;
  const note = mark.note === "" ? (marks.find(same)?.note ?? "") : mark.note;
  return [...marks.filter((m) => !same(m)), { ...mark, note }];
}
