import assert from "node:assert/strict";
import { test } from "node:test";
import { marksOf, type Tick } from "./ticks";

function ticks(...at: number[]): Tick[] {
  return at.map((second, i) => ({ at: second, number: i + 1, intervention: false }));
}

test("ticks with room between them have a label each, at their own places", () => {
  const marks = marksOf(ticks(0, 30, 60), (at) => at, 20);
  assert.deepEqual(
    marks.map((m) => [m.place, m.label]),
    [
      [0, "1"],
      [30, "2"],
      [60, "3"],
    ],
  );
});

test("ticks that would cover each other share a label between them", () => {
  const marks = marksOf(ticks(0, 10, 25, 80), (at) => at, 20);
  assert.deepEqual(
    marks.map((m) => [m.place, m.label, m.ticks.length]),
    [
      [12.5, "1–3", 3],
      [80, "4", 1],
    ],
  );
});

test("nothing has no marks", () => {
  assert.deepEqual(marksOf([], (at) => at, 20), []);
});
