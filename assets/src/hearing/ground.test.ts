import assert from "node:assert/strict";
import { test } from "node:test";
import { groundOf } from "./ground";
import { both, lone, stateWith } from "./state.fixture";

const nowhere = { position: null, x: null, y: null };

test("at words, those who do not have what most have are at fault", () => {
  const wrong = groundOf(stateWith(), { slot: 1 }, null);
  assert.equal(wrong.words, "about the words at 0:01.0");
  assert.deepEqual(wrong.guesses, [{ letter: "C", fault: "wrong_words" }]);
  assert.deepEqual(wrong.pin(13), { position: null, x: 1, y: 0 });
  assert.deepEqual(groundOf(stateWith(), { slot: 2 }, null).guesses, [{ letter: "B", fault: "wrong_words" }]);
  const [part] = stateWith().parts.slice(1);
  assert.ok(part);
  const missed = stateWith({ parts: [{ ...part, own: ["sat", "sat", ""], variants: [{ text: "sat", who: "A, B" }, { text: "", who: "C" }] }] });
  assert.deepEqual(groundOf(missed, { slot: 0 }, null).guesses, [{ letter: "C", fault: "missed_words" }]);
});

test("at a moment, a reason is pinned to what the answer has, else to the middle of it", () => {
  const ground = groundOf(stateWith(), { thing: both }, null);
  assert.equal(ground.words, "about moment 1");
  assert.deepEqual(ground.guesses, [{ letter: "C", fault: "wrong_class" }]);
  assert.deepEqual(ground.pin(13), { position: 0, x: null, y: null });
  const missed = groundOf(stateWith(), { thing: lone }, null);
  assert.deepEqual(missed.guesses, [{ letter: "A", fault: "missed_moment" }, { letter: "C", fault: "missed_moment" }]);
  assert.deepEqual(missed.pin(11), { position: null, x: 3.25, y: 0 });
  assert.deepEqual(missed.pin(12), { position: 1, x: null, y: null });
  assert.deepEqual(groundOf(stateWith(), { thing: { ...lone, members: [-1, 1, 0], finding: "loose" } }, null).guesses, [
    { letter: "A", fault: "missed_moment" }, { letter: "B", fault: "wrong_time" }, { letter: "C", fault: "wrong_time" },
  ]);
});

test("elsewhere it is pinned to the play head, where somebody put it, within the utterance", () => {
  for (const [head, words, pin] of [
    [null, "about a whole answer; click the waveform for a place", nowhere],
    [-0.5, "about a whole answer; click the waveform for a place", nowhere],
    [2.04, "at the play head, 0:02.0", { position: null, x: 2.04, y: 0 }],
    [9, "at the play head, 0:04.0", { position: null, x: 4, y: 0 }],
  ] as const) {
    const ground = groundOf(stateWith(), null, head);
    assert.equal(ground.words, words);
    assert.deepEqual(ground.pin(11), pin);
    assert.deepEqual(ground.guesses, []);
  }
});
