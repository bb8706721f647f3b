// What the server says of an utterance and its answers. The Go side is in web/hearing.go.
import type { ClassInfo } from "../boxes/contract";
import type { Box } from "../boxes/model";

export interface Segment {
  readonly begin: number;
  readonly end: number;
  readonly channel: number;
  readonly speaker: string;
  readonly text: string;
}

export interface Answer {
  readonly id: number;
  readonly letter: string;
  readonly segments: readonly Segment[];
  readonly moments: readonly Box[];
}

/** A stretch of words: all answers have the same, in one variant, or they differ. */
export interface Part {
  readonly segment: number;
  readonly variants: readonly { readonly text: string; readonly who: string }[];
  /** As each answer has it. */
  readonly own: readonly string[];
  /** What most have. */
  readonly merged: string;
  readonly begin: number;
  readonly end: number;
}

/** One moment as the answers have it: where it stands in each, -1 for not at all, and what they make together. */
export interface Thing {
  readonly id: string;
  readonly members: readonly number[];
  readonly merged: Box | null;
  readonly settled: boolean;
  readonly finding: string;
}

export interface State {
  readonly seconds: number;
  readonly left: number;
  readonly right: number;
  readonly channels: number;
  readonly sound: string;
  readonly peaks: string;
  readonly answers: readonly Answer[];
  readonly truth: Answer | null;
  readonly segments: readonly Segment[];
  readonly parts: readonly Part[];
  readonly objects: readonly Thing[];
  readonly begin: string;
  readonly models: string;
  readonly saw: boolean;
  readonly classes: readonly ClassInfo[];
  readonly keys: Readonly<Record<string, string>>;
}

export function stateOf(root: HTMLElement): State {
  const state = JSON.parse(root.querySelector("#hearing-state")?.textContent ?? "{}") as Sent;
  return { ...state, segments: state.segments ?? [], classes: state.classes ?? [], keys: state.keys ?? {} };
}

/** As the server sends it: a list or a map without entries may be null. */
type Sent = Omit<State, "segments" | "classes" | "keys"> & {
  readonly segments: State["segments"] | null;
  readonly classes: State["classes"] | null;
  readonly keys: State["keys"] | null;
};

/** "0:09.2" */
export function clock(seconds: number): string {
  const tenths = Math.max(0, Math.round(seconds * 10));
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}
