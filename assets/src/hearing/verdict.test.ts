import assert from "node:assert/strict";
import { test } from "node:test";
import { answers, moment, segment, stateWith, taken } from "./state.fixture";
import { acceptWord, type Made, type Verdict, verdictOf } from "./verdict";

const [a, b] = answers as [(typeof answers)[0], (typeof answers)[0]];
const truth = { ...a, id: 0, letter: "truth" };
const written = [{ ...segment, text: "as typed" }];
const typed = { transcript: written, boxes: [moment("9", 1, 0, 1)] };

const several: Made = { state: stateWith(), several: true, truth: false, base: 0, whole: null, taken: [], open: 0 };
const single: Made = { ...several, state: stateWith({ answers: [a], objects: [] }), several: false, base: 11, whole: "A", taken: a.moments.map((m) => taken(m)) };
const again: Made = { ...several, state: stateWith({ truth }), truth: true, whole: "truth", taken: a.moments.map((m) => taken(m)) };

const cases: readonly [string, Made, string, Verdict | null][] = [
  ["places are open", { ...several, open: 2 }, "2 to judge", null],
  ["typed", several, "Take these words", { decision: "amended", annotation: 0, ...typed }],
  ["an answer whole", { ...several, whole: "B", taken: b.moments.map((m) => taken(m)) }, "Approve B", { decision: "approved", annotation: 12 }],
  ["its moments in another order", { ...several, whole: "B", taken: [...b.moments].reverse().map((m) => taken(m)) }, "Approve B", { decision: "approved", annotation: 12 }],
  ["its words with other moments", { ...several, whole: "B", taken: [] }, "Approve B", { decision: "amended", annotation: 0, transcript: b.segments, boxes: typed.boxes }],
  ["what most have", { ...several, whole: "merged", taken: [taken(moment("o0", 1, 1, 1), "o0")] }, "Approve merged", { decision: "merged", annotation: 0 }],
  ["what most have, with a moment more", { ...several, whole: "merged", taken: [taken(moment("o0", 1, 1, 1)), taken(moment("x", 1, 2, 1))] }, "Approve merged", { decision: "amended", annotation: 0, ...typed }],
  ["the only answer", single, "Approve", { decision: "approved", annotation: 11 }],
  ["the only answer, typed over", { ...single, whole: null }, "Amend", { decision: "amended", annotation: 11, ...typed }],
  ["the only answer, without its moment", { ...single, taken: [] }, "Amend", { decision: "amended", annotation: 11, transcript: a.segments, boxes: typed.boxes }],
  ["no answer", { ...single, state: stateWith({ answers: [], objects: [] }), base: 0, whole: null, taken: [] }, "Take these words", { decision: "amended", annotation: 0, ...typed }],
  ["the truth", again, "Confirm", { decision: "approved", annotation: 0 }],
  ["the truth without its moment", { ...again, taken: [] }, "Confirm", { decision: "amended", annotation: 0, transcript: truth.segments, boxes: typed.boxes }],
];

for (const [name, made, word, verdict] of cases) {
  test(`a verdict on ${name}`, () => {
    assert.equal(acceptWord(made), word);
    assert.deepEqual(verdictOf(made, () => typed.transcript, () => typed.boxes), verdict);
  });
}
