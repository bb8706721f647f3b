// An utterance with three answers, for tests.
import type { Box } from "../boxes/model";
import type { Answer, Part, Segment, State, Thing } from "./state";
import type { Taken } from "./taken";

export const segment: Segment = { begin: 0, end: 4, channel: 0, speaker: "", text: "the cat sat" };

export function moment(id: string, kind: number, x: number, w: number): Box {
  return { id, class: kind, x, y: 0, w, h: 1, rotation: 0 };
}

function answer(id: number, letter: string, ...moments: Box[]): Answer {
  return { id, letter, segments: [{ ...segment, text: `as ${letter} has it` }], moments };
}

/** A and B mark class 1 from 1 s to 2 s, C class 2 there. B alone marks class 2 at 3 s. */
export const answers: readonly Answer[] = [answer(11, "A", moment("0", 1, 1, 1)), answer(12, "B", moment("0", 1, 1, 1), moment("1", 2, 3, 0.5)), answer(13, "C", moment("0", 2, 1, 1))];

export const both: Thing = { id: "o0", members: [0, 0, 0], merged: moment("o0", 1, 1, 1), settled: false, finding: "class" };
export const lone: Thing = { id: "o1", members: [-1, 1, -1], merged: null, settled: false, finding: "missed" };

/** All say "the cat"; A and B "sat", C "sad"; B alone says "down". */
export const parts: readonly Part[] = [
  { segment: 0, merged: "the cat", own: ["the cat", "the cat", "the cat"], variants: [{ text: "the cat", who: "A, B, C" }], begin: 0, end: 1 },
  { segment: 0, merged: "sat", own: ["sat", "sat", "sad"], variants: [{ text: "sat", who: "A, B" }, { text: "sad", who: "C" }], begin: 1, end: 2 },
  { segment: 0, merged: "", own: ["", "down", ""], variants: [{ text: "", who: "A, C" }, { text: "down", who: "B" }], begin: 2, end: 3 },
];

export function stateWith(change: Partial<State> = {}): State {
  return {
    seconds: 4, left: 1, right: 1, channels: 1, sound: "", peaks: "", answers, truth: null, segments: [segment], parts, objects: [both, lone], begin: "", models: "", saw: false, classes: [], keys: {}, ...change,
  };
}

export function taken(box: Box, thing = ""): Taken {
  return { ...box, thing };
}
