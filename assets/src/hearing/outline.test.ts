import assert from "node:assert/strict";
import { test } from "node:test";
import { columns, loudest, type Outline, pointsFor } from "./outline";

// Four seconds of an item with one before and one after it, a point for each half second.
const channel = Array.from({ length: 12 }, (_, p) => [-p, 2 * p]).flat();
const outline: Outline = { from: 0, to: 6, left: 1, right: 1, seconds: 4, peaks: [channel] };

test("a column has the lowest and the highest of its points", () => {
  const made = columns(outline, channel, -1, 5, 6);
  assert.deepEqual(made[0], { low: -1, high: 2, time: -0.5 });
  assert.deepEqual(made[5], { low: -11, high: 22, time: 4.5 });
  assert.equal(made.length, 6);
});

test("a column that is narrower than a point has that point", () => {
  const made = columns(outline, channel, 1, 2, 8);
  assert.deepEqual(made.map((c) => c.high), [8, 8, 8, 8, 10, 10, 10, 10]);
});

test("beyond the sound there is nothing, and none without points", () => {
  assert.deepEqual(columns(outline, channel, 6, 8, 2).map((c) => c.high), [0, 0]);
  assert.deepEqual(columns({ ...outline, peaks: [[]] }, [], -1, 5, 1), [{ low: 0, high: 0, time: 2 }]);
});

test("what is hardly to be heard stays small, and a long channel is no problem", () => {
  assert.equal(loudest([-3, 2]), 12);
  assert.equal(loudest(Array.from({ length: 200_000 }, () => -40)), 40);
});

test("as many points are asked for as the server draws", () => {
  assert.deepEqual([1, 30, 3600].map(pointsFor), [1200, 1800, 4000]);
});
