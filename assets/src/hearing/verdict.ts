// What the main button would decide, and what it is called.
import type { Box } from "../boxes/model";
import type { Segment, State } from "./state";
import { same, sameAll, type Taken } from "./taken";
import type { Whole } from "./wording";

/** What a reviewer has made of an item so far. */
export interface Made {
  readonly state: State;
  /** Several answers stand side by side. */
  readonly several: boolean;
  /** The item has a truth that is looked at again. */
  readonly truth: boolean;
  /** The answer that the page began with, 0 for none. */
  readonly base: number;
  readonly whole: Whole;
  readonly taken: readonly Taken[];
  /** How many places need a judgment still. */
  readonly open: number;
}

/** A decision as the server takes it. */
export interface Verdict {
  readonly decision: "approved" | "merged" | "amended";
  readonly annotation: number;
  readonly transcript?: readonly Segment[];
  readonly boxes?: readonly Box[];
}

/** Whether it is another than what the page began with. */
export function amended(m: Made): boolean {
  const from = m.truth && m.base === 0 ? m.state.truth : m.state.answers.find((a) => a.id === m.base);
  return !from || m.whole === null || m.taken.length !== from.moments.length || m.taken.some((b, i) => !same(b, from.moments[i] ?? null));
}

/** What the main button is called. */
export function acceptWord(m: Made): string {
  const changed = amended(m);
  if (m.truth && m.whole === "truth" && !changed) return "Confirm";
  if (!m.several) return m.state.answers.length === 0 ? "Take these words" : changed ? "Amend" : "Approve";
  if (m.open > 0) return `${m.open} to judge`;
  return m.whole === null ? "Take these words" : m.whole === "merged" ? "Approve merged" : m.whole === "truth" ? "Confirm" : `Approve ${m.whole}`;
}

/** What the main button decides, null as long as places are open. */
export function verdictOf(m: Made, transcript: () => readonly Segment[], boxes: () => readonly Box[]): Verdict | null {
  const { state } = m;
  if (m.truth && m.whole === "truth" && !amended(m)) return { decision: "approved", annotation: 0 };
  if (m.open > 0) return null;
  const merged = state.objects.flatMap((t) => t.merged ?? []);
  if (m.several && m.whole === "merged" && sameAll(m.taken, merged)) return { decision: "merged", annotation: 0 };
  const whole = state.answers.find((a) => a.letter === m.whole);
  if (whole && sameAll(m.taken, whole.moments)) return { decision: "approved", annotation: whole.id };
  const written = m.whole === "truth" && state.truth ? state.truth.segments : (whole?.segments ?? transcript());
  return { decision: "amended", annotation: m.several || (m.truth && m.base === 0) ? 0 : m.base, transcript: written, boxes: boxes() };
}
