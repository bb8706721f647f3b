import assert from "node:assert/strict";
import { test } from "node:test";
import { loudness } from "./ears";

test("two channels sound on a side each, one alone on both", () => {
  const heard = (only: number) => [1, 2].map((channel) => loudness(channel, only, 2));
  assert.deepEqual(heard(0), [[1, 0], [0, 1]]);
  assert.deepEqual(heard(1), [[1, 1], [0, 0]]);
  assert.deepEqual(heard(2), [[0, 0], [1, 1]]);
});

test("three channels sound in the middle", () => {
  assert.deepEqual([1, 2, 3].map((channel) => loudness(channel, 0, 3)), [[1, 1], [1, 1], [1, 1]]);
  assert.deepEqual([1, 2, 3].map((channel) => loudness(channel, 3, 3)), [[0, 0], [0, 0], [1, 1]]);
});
