import assert from "node:assert/strict";
import { test } from "node:test";
import { indexOf, nextOpen, type Place, placesOf, spanOf, stepped } from "./places";
import { both, lone, moment, stateWith } from "./state.fixture";

const places = placesOf([1, 4], [both, lone]);

test("the words' places come before the moments", () => {
  assert.deepEqual(places, [{ slot: 1 }, { slot: 4 }, { thing: both }, { thing: lone }]);
  assert.equal(indexOf(places, { slot: 4 }), 1);
  assert.equal(indexOf(places, { thing: lone }), 3);
  assert.equal(indexOf(places, { slot: 2 }), -1);
  assert.equal(indexOf(places, null), -1);
});

test("one goes round and round, from none to the first or to the last", () => {
  for (const [from, by, want] of [
    [null, 1, 0],
    [null, -1, 3],
    [0, 1, 1],
    [3, 1, 0],
    [0, -1, 3],
  ] as const) {
    assert.deepEqual(stepped(places, from === null ? null : (places[from] ?? null), by), places[want]);
  }
  assert.equal(stepped([], null, 1), null);
});

test("the next open place is the one behind, then the first from the beginning, never the same", () => {
  const open = (...at: number[]) => (p: Place): boolean => at.includes(indexOf(places, p));
  assert.deepEqual(nextOpen(places, places[1] ?? null, open(0, 3)), places[3]);
  assert.deepEqual(nextOpen(places, places[3] ?? null, open(0, 3)), places[0]);
  assert.deepEqual(nextOpen(places, null, open(2)), places[2]);
  assert.equal(nextOpen(places, places[1] ?? null, open(1)), null);
});

test("a moment is where most have it, else where the first has it", () => {
  const state = stateWith();
  assert.deepEqual(spanOf(state, both), moment("o0", 1, 1, 1));
  assert.equal(spanOf(state, lone)?.x, 3);
  assert.equal(spanOf(state, { ...lone, members: [-1, -1, -1] }), null);
});
